"""For all tests: the order, and how many examples a property is tried with.

Fast tests first, so that a broken rule shows before minutes of integration tests. `make test` tries properties with the
profile `thorough`, `make unit` with `quick`.
"""

import pytest
from hypothesis import settings

settings.register_profile("quick", max_examples=100, deadline=None)
settings.register_profile("thorough", max_examples=500, deadline=None)
settings.load_profile("quick")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--recordings", help="folder with recordings of the real service, for the conformance tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("integration") is not None)

"""For all tests: the order. Fast tests first, so that a broken rule shows before minutes of integration tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--recordings", help="folder with recordings of the real service, for the conformance tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("integration") is not None)

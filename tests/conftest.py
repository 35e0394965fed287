"""For all tests: the order, and how many examples a property is tried with.

Fast tests first, so that a broken rule shows before minutes of integration tests. `make test` tries properties with the
profile `thorough`, `make unit` with `quick`. Every test stands alone: with `--order random` modules and the tests in
them come in an order of chance, whose seed is printed and repeats it (`--order SEED`).
"""

import random
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("quick", max_examples=100, deadline=None)
settings.register_profile("thorough", max_examples=500, deadline=None)
settings.load_profile("quick")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--recordings", help="folder with recordings of the real service, for the conformance tests")
    parser.addoption("--order", help="`random`, or the seed of an earlier random order; default: as written")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed once: workers of xdist get it from the process that starts them."""
    order = config.option.order
    if hasattr(config, "workerinput"):
        config.option.order = config.workerinput["order"]
    elif order == "random":
        config.option.order = str(random.randrange(10**6))
    elif order is not None and not order.isdecimal():
        raise pytest.UsageError(f"--order is `random` or a seed, a whole number, got {order!r}.")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["order"] = node.config.option.order


def pytest_report_header(config: pytest.Config) -> str | None:
    return f"random order, seed {config.option.order} (repeat it with --order)" if config.option.order else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.order is not None:
        shuffle(items, random.Random(int(config.option.order)))
    items.sort(key=lambda item: item.get_closest_marker("integration") is not None)


def shuffle(items: list[pytest.Item], chance: random.Random) -> None:
    """Modules, and the tests of each: tests of one module stay together, because some share a server that runs."""
    modules: dict[str, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.nodeid.partition("::")[0], []).append(item)
    names = sorted(modules)
    chance.shuffle(names)
    items[:] = [item for name in names for item in chance.sample(modules[name], len(modules[name]))]

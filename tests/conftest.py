"""For all tests: their order, and the number of examples per property.

Fast tests run first, so that a broken rule shows before minutes of integration tests. `make test` uses the hypothesis
profile `thorough`, `make unit` uses `quick`. Every test stands alone: `--order random` shuffles the modules and the
tests in them, and prints a seed that repeats the order (`--order SEED`).
"""

import os
import random
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.schedule import Schedule, Stopwatch, recorded, scheduler, sort_integration

settings.register_profile("quick", max_examples=50, deadline=None)
settings.register_profile("thorough", max_examples=500, deadline=None)
settings.load_profile("quick")

MEMORY = Path("/dev/shm")
NEEDED_BYTES = 4 << 30
PYTESTS = ("PYTEST_CURRENT_TEST",)


@pytest.fixture(autouse=True)
def process_as_it_was() -> Iterator[None]:
    """Undo what a command changes in its process: variables, working directory, signal handlers."""
    variables, folder = environment(), os.getcwd()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    if environment() != variables:
        current = {name: os.environ[name] for name in PYTESTS if name in os.environ}
        os.environ.clear()
        os.environ.update(variables | current)
    os.chdir(folder)
    for number, handler in handlers.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in PYTESTS}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--recordings", help="folder with recordings of the real service, for the conformance tests")
    parser.addoption("--order", help="`random`, or the seed of an earlier random order; default: as written")
    parser.addoption("--record-seconds", action="store_true", help="record how long tests/integration takes")


def pytest_configure(config: pytest.Config) -> None:
    """Keep files in memory if there is enough; choose the seed once, in the process that starts the workers."""
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > NEEDED_BYTES:
        # There are hundreds of small databases, and each waits for the disk ten times.
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    if config.option.record_seconds and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Stopwatch())
    order = config.option.order
    if hasattr(config, "workerinput"):
        config.option.order = config.workerinput["order"]
    elif order == "random":
        config.option.order = str(random.randrange(10**6))
    elif order is not None and not order.isdecimal():
        raise pytest.UsageError(f"--order is `random` or a seed, a whole number, got {order!r}.")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import modules that hold only integration or slow tests if none will run: an import takes seconds."""
    unwanted = re.findall(r"not (integration|slow)", config.option.markexpr)
    if not unwanted or collection_path.suffix != ".py":
        return None
    text = collection_path.read_text(encoding="utf-8")
    return any(f"\npytestmark = pytest.mark.{marker}" in text for marker in unwanted) or None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["order"] = node.config.option.order


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """One worker more than processors: a test on the real engine waits a third of its time, and leaves one idle."""
    waits = "not integration" not in config.option.markexpr
    return len(os.sched_getaffinity(0)) + 1 if waits else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Schedule | None:
    return scheduler(config, log)


def pytest_report_header(config: pytest.Config) -> str | None:
    return f"random order, seed {config.option.order} (repeat it with --order)" if config.option.order else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for marker in ("drill", "story"):  # the whole table takes hours, the other stories minutes
        if marker not in config.option.markexpr:
            items[:] = [item for item in items if item.get_closest_marker(marker) is None]
    if config.option.order is not None:
        shuffle(items, random.Random(int(config.option.order)))
    sort_integration(items, recorded() if config.option.order is None else {})


def shuffle(items: list[pytest.Item], chance: random.Random) -> None:
    """Order modules, then the tests in each; tests of one module stay together, because some share a running server."""
    modules: dict[str, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.nodeid.partition("::")[0], []).append(item)
    names = sorted(modules)
    chance.shuffle(names)
    items[:] = [item for name in names for item in chance.sample(modules[name], len(modules[name]))]

"""Fixtures: one local Azure for the whole run, and a dev stack that is settled once."""

import sys
from collections.abc import Iterator

import pytest

from tests.integration.rehearsal import Azure, Stack, processes_with, repository_files

if sys.platform != "linux":
    collect_ignore_glob = ["test_*.py"]  # processes are found by /proc


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    """A running local Azure; at the end nothing of it may be left."""
    before = repository_files()
    azure = Azure.started(tmp_path_factory.mktemp("azure"))
    yield azure
    azure.stop()
    assert repository_files() == before, "a rehearsal wrote into the work tree"
    left = processes_with(str(azure.home.path))
    assert not left, f"processes that nobody ended: {left}"


@pytest.fixture(scope="session")
def dev(azure: Azure) -> Stack:
    """The repository's dev stack, settled: blue at 100 %."""
    stack = Stack(azure, "dev")
    stack.said = stack.settle()
    return stack


@pytest.fixture(scope="session")
def two_colours(dev: Stack) -> Stack:
    """Blue at 100 %, green at 0 %."""
    dev.deployment("green", instances=1)
    dev.engine.up()
    return dev

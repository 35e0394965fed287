"""Fixtures: local Azures whose stacks are settled. Each test finds them in that state, whatever ran before it."""

import sys
from collections.abc import Iterator

import pytest

from tests.integration.rehearsal import Azure, Stack, processes_with, repository_files
from tests.integration.settled import Settled
from tests.waiting import wait_until

if sys.platform != "linux":
    collect_ignore_glob = ["test_*.py"]  # processes are found by /proc


def settle_dev(azure: Azure) -> None:
    """The repository's dev stack: blue at 100 %, green at 0 %."""
    dev = Stack(azure, "dev")
    dev.settle()
    dev.deployment("green", instances=1)
    dev.engine.up()


def settle_prod(azure: Azure) -> None:
    """The repository's prod stack."""
    Stack(azure, "prod", like="prod").settle()


@pytest.fixture(scope="session")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settled]:
    """Real inference servers."""
    yield from lived(Settled(tmp_path_factory.mktemp("settled"), settle_dev))


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settled]:
    """Deployments without processes, which come up at once."""
    yield from lived(Settled(tmp_path_factory.mktemp("simulated"), settle_dev, "--compute", "simulated"))


@pytest.fixture(scope="session")
def simulated_prod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settled]:
    """The same for prod, whose three instances would be three processes."""
    yield from lived(Settled(tmp_path_factory.mktemp("prod"), settle_prod, "--compute", "simulated"))


def lived(settled: Settled) -> Iterator[Settled]:
    """Run it to its end, after which nothing of it may be left."""
    before = repository_files()
    yield settled
    settled.azure.stop()
    assert repository_files() == before, "a rehearsal wrote into the work tree"
    wait_until(lambda: not processes_with(str(settled.azure.folder)), "processes that are left over")


@pytest.fixture
def azure(settled: Settled) -> Azure:
    """A local Azure with the dev stack settled and serving."""
    return settled.restored()


@pytest.fixture
def dev(azure: Azure) -> Stack:
    """The repository's dev stack: blue at 100 %, green at 0 %."""
    return Stack(azure, "dev")


@pytest.fixture
def two_colours(dev: Stack) -> Stack:
    """The same, for tests of green."""
    return dev


@pytest.fixture
def simulated_azure(simulated: Settled) -> Azure:
    """A local Azure without inference servers, with dev settled."""
    return simulated.restored()


@pytest.fixture
def prod(simulated_prod: Settled) -> Stack:
    """The repository's prod stack: blue at 100 %."""
    return Stack(simulated_prod.restored(), "prod", like="prod")

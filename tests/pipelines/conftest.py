"""The local Azure of the stories: both stacks settled, restored after each story."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import lived
from tests.integration.settled import Settled
from tests.pipelines.team import Team, settle_team


@pytest.fixture(scope="session")
def both_stacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settled]:
    """A local Azure without inference servers, on which dev and prod are settled."""
    yield from lived(Settled(tmp_path_factory.mktemp("delivery"), settle_team, "--compute", "simulated"))


@pytest.fixture
def team(both_stacks: Settled, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Team]]:
    """Makes a team on a git server."""
    made: list[Team] = []

    def make(system: str, **options: bool) -> Team:
        made.append(Team(both_stacks.restored(), system, tmp_path, **options))  # type: ignore[arg-type] # a parameter
        return made[-1]

    yield make
    for each in made:
        each.narrative.save(request.node.name)
        each.close()

"""`sluice ci deliver`: how a run gets onto the branch of its stack, where the stack before has to deploy first."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from cli.ci_deliver import entered
from command_errors import WaitingError
from delivery.run.deliver import BEHIND_POLL_SECONDS, BEHIND_SECONDS


@dataclass
class Own:
    """A stack's own branch that the stack before lets come after some syncs."""

    late: int
    there: bool = False
    time: float = 1000
    did: list[str] = field(default_factory=list)

    def sync(self) -> None:
        self.did.append("sync")
        if len(self.did) <= self.late:
            raise WaitingError("prod comes after dev")

    def is_there(self) -> bool:
        return self.there

    def enter(self) -> None:
        self.did.append("enter")

    def now(self) -> int:
        return int(self.time)

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def test_a_branch_that_does_not_exist_yet_is_waited_for() -> None:
    own = Own(late=2)
    assert entered(own, own, 3000) is None  # type: ignore[arg-type]  # as much as it asks
    assert own.did == ["sync", "sync", "sync", "enter"]
    assert own.time == 1000 + 2 * BEHIND_POLL_SECONDS


@pytest.mark.parametrize("seconds", [None, 45, 3000])
def test_a_stack_that_never_deploys_ends_the_run_of_the_next_one_without_a_failure(seconds: int | None) -> None:
    own = Own(late=1000)
    assert entered(own, own, seconds) == "prod comes after dev"  # type: ignore[arg-type]  # as much as it asks
    assert own.time - 1000 <= min(seconds or 0, BEHIND_SECONDS)


def test_a_branch_that_is_there_is_delivered_as_it_is_while_the_stack_before_is_late() -> None:
    own = Own(late=1000, there=True)
    assert entered(own, own, 3000) is None  # type: ignore[arg-type]  # as much as it asks
    assert own.did == ["sync", "enter"]

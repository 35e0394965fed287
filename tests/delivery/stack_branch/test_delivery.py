"""How a run gets onto the branch of its stack, where the stack before has to deploy first."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from command_errors import WaitingError
from delivery.run.deliver import BEHIND_POLL_SECONDS, BEHIND_SECONDS
from delivery.stack_branch.delivery import entered


@dataclass
class Own:
    """A stack's own branch that does not exist before the stack before lets it come, after some attempts."""

    late: int
    time: float = 1000
    attempts: int = 0

    def enter_synced(self) -> None:
        self.attempts += 1
        if self.attempts <= self.late:
            raise WaitingError("prod comes after dev")

    def now(self) -> int:
        return int(self.time)

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def test_a_branch_that_does_not_exist_yet_is_waited_for() -> None:
    own = Own(late=2)
    assert entered(own, own, 3000) is None  # type: ignore[arg-type]  # as much as it asks
    assert own.attempts == 3
    assert own.time == 1000 + 2 * BEHIND_POLL_SECONDS


@pytest.mark.parametrize("seconds", [None, 45, 3000])
def test_a_stack_that_never_deploys_ends_the_run_of_the_next_one_without_a_failure(seconds: int | None) -> None:
    own = Own(late=1000)
    assert entered(own, own, seconds) == "prod comes after dev"  # type: ignore[arg-type]  # as much as it asks
    assert own.time - 1000 <= min(seconds or 0, BEHIND_SECONDS)

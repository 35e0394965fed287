"""A delivery to a stack with a branch of its own: what `delivery/run/deliver.py` knows as its branch and its stack."""

from __future__ import annotations

from collections.abc import Callable

from command_errors import WaitingError
from delivery.run.deliver import BEHIND_POLL_SECONDS, BEHIND_SECONDS, Look, Stack
from delivery.run.source_checkout import SourceCheckout
from delivery.stack_branch.own_branch import OwnBranch
from rollout.ports import Clock


def entered(own: OwnBranch, clock: Clock, seconds: int | None) -> str | None:
    """Move the checkout to the stack's own branch.

    Return the reason if it is not there yet and the stack before this one is late, for as long as a run waits.
    """
    until = clock.now() + min(seconds or 0, BEHIND_SECONDS)
    while True:
        try:
            own.enter_synced()
        except WaitingError as waiting:
            if clock.now() + BEHIND_POLL_SECONDS > until:
                return str(waiting)
            clock.sleep(BEHIND_POLL_SECONDS)
        else:
            return None


class SyncedBranch:
    """`deliver.Branch`: the stack's branch follows the source branch first, then the checkout follows that."""

    def __init__(self, own: OwnBranch, checkout: SourceCheckout) -> None:
        self._own = own
        self._checkout = checkout
        self._behind: str | None = None

    def look(self) -> Look:
        """Sync, and let the checkout follow.

        A commit of the source branch that changes nothing for this stack is deployed too: others wait for it
        (`sluice:after`).
        """
        self._behind = None
        try:
            synced = self._own.sync()
        except WaitingError as waiting:
            self._behind = str(waiting)
            return self._checkout.look()
        found = self._checkout.look(synced.tip)
        return Look.MOVED if found is Look.SAME and synced.is_new else found

    def behind(self) -> str | None:
        """Why the last look did not take over what the source branch has."""
        return self._behind


class MarkedStack:
    """`deliver.Stack`: after an update, the branch says that its commit is deployed."""

    def __init__(self, stack: Stack, own: OwnBranch, checkout: SourceCheckout) -> None:
        self._stack = stack
        self._own = own
        self._checkout = checkout

    def problems(self) -> tuple[str, ...]:
        """Why no update may run now."""
        return self._stack.problems()

    def deploy(self, may_begin: Callable[[], bool]) -> bool:
        """Publish and update; then the commit that is checked out is deployed."""
        is_done = self._stack.deploy(may_begin)
        if is_done and self._own.mark_deployed():
            self._checkout.catch_up()
        return is_done

"""The changes of a run whose time is limited: none begins after it but a way back; what was begun is finished."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollout.decision.order import Changed, Direction, Ending, Order
from rollout.instances import Floor
from rollout.ports import Change, Clock, InstanceChange, Record

Closing = Mapping[str, Any] | None


class PunctualChange:
    """`ports.Change`: another one, limited."""

    def __init__(self, change: Change, clock: Clock, until: int) -> None:
        """`until` is seconds since 1970."""
        self._clock = clock
        self._until = until
        self._change = change
        self.resume = change.resume
        self.confirm = change.confirm
        self.withdraw = change.withdraw
        self.break_glass = change.break_glass
        self.reconcile = change.reconcile

    def make(self, record: Record, order: Order, closing: Closing, spent: Mapping[str, float] | None = None) -> Changed:
        """Carry an order out; one that does not lead back is left to the next run once the time is over."""
        if order.direction is not Direction.BACK and self._clock.now() >= self._until:
            return _left(Ending.REFUSED, f"{order.to.describe()} comes next")
        return self._change.make(record, order, closing, spent)


class PunctualInstanceChange:
    """`ports.InstanceChange`: another one, limited. A floor that the record says is being raised was begun."""

    def __init__(self, change: InstanceChange, clock: Clock, until: int) -> None:
        """`until` is seconds since 1970."""
        self._clock = clock
        self._until = until
        self._change = change
        self.problem = change.problem

    def raise_floor(self, record: Record, floor: Floor, *, restore: bool = False) -> Changed:
        """Raise the floor, or go on with it."""
        if self._is_over() and (restore or record.state.reserved is None):
            return _left(Ending.WITHDRAWN, f"{floor.deployment} is to keep its instances")
        return self._change.raise_floor(record, floor, restore=restore)

    def give_back(self, record: Record, floor: Floor) -> Changed:
        """Give the floor back."""
        if self._is_over():
            return _left(Ending.WITHDRAWN, "")
        return self._change.give_back(record, floor)

    def retire(self, record: Record, deployment: str, how: str) -> Changed:
        """Retire a colour, or go on with it."""
        if self._is_over() and record.state.retiring is None:
            return _left(Ending.WITHDRAWN, f"{deployment} is to be retired ({how.replace('_', ' ')})")
        return self._change.retire(record, deployment, how)

    def _is_over(self) -> bool:
        return self._clock.now() >= self._until


def _left(ending: Ending, what: str) -> Changed:
    over = "the time of this run is over, so the next run does it"
    return Changed(ending=ending, reason=f"{what}; {over}" if what else over)

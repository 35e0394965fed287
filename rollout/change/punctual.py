"""`ports.Change` for a run whose time is limited: no change forward begins after it, a way back always does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollout.decision.order import Changed, Direction, Ending, Order
from rollout.ports import Change, Clock, Record

Closing = Mapping[str, Any] | None


class Punctual:
    """Another `Change`, limited. What was begun before the end is finished, however long that takes."""

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
            return Changed(
                ending=Ending.REFUSED,
                reason=f"{order.to.describe()} comes next; the time of this run is over, so the next run does it",
            )
        return self._change.make(record, order, closing, spent)

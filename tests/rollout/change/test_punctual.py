"""A run whose time is over begins no change forward, and still goes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from rollout.change.punctual import PunctualChange
from rollout.decision.order import Changed, Direction, Ending, Order
from rollout.split import Split

ORDER = Order(
    start=Split(traffic={"blue": 100}),
    to=Split(traffic={"blue": 90, "green": 10}),
    direction=Direction.FORWARD,
    step=0,
    why="every gate passed",
)


@dataclass
class Fake:
    time: int = 100
    made: list[Order] = field(default_factory=list)

    def now(self) -> int:
        return self.time

    def sleep(self, seconds: float) -> None:
        """Not used."""

    def make(self, record: Any, order: Order, closing: Any, spent: Any = None) -> Changed:
        self.made.append(order)
        return Changed(ending=Ending.APPLIED)

    resume = confirm = withdraw = break_glass = reconcile = make


@pytest.mark.parametrize(
    ("time", "direction", "is_made"),
    [
        (99, Direction.FORWARD, True),
        (100, Direction.FORWARD, False),
        (100, Direction.RESTORE, False),
        (5000, Direction.BACK, True),
    ],
)
def test_only_a_way_back_begins_after_the_time(time: int, direction: Direction, is_made: bool) -> None:
    fake = Fake(time=time)
    order = Order(**{**vars(ORDER), "direction": direction})
    changed = PunctualChange(fake, fake, until=100).make(None, order, None)
    assert (fake.made == [order]) is is_made
    assert (changed.ending is Ending.APPLIED) is is_made
    assert is_made or "blue 90 %, green 10 % comes next; the time of this run is over" in changed.reason

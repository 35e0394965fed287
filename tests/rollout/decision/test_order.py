"""One change of weights, as the record holds it."""

from __future__ import annotations

import pytest

from rollout.decision.order import Direction, Intent, Order, Outcome
from rollout.split import Split

BLUE, TENTH = Split(traffic={"blue": 100}), Split(traffic={"blue": 90, "green": 10})
FORWARD = Order(
    start=BLUE, to=TENTH, direction=Direction.FORWARD, step=0, why="step 1", verdicts={"error_rate": "pass"}
)
BACK = Order(start=TENTH, to=BLUE, direction=Direction.BACK, step=-1, why="green failed", outcome=Outcome.ROLLED_BACK)


@pytest.mark.parametrize("order", [FORWARD, BACK])
def test_an_order_is_read_as_it_was_written(order: Order) -> None:
    assert Order.from_values(order.as_values()) == order


def test_an_intent_knows_the_way_back() -> None:
    assert Intent(seq=3, at=0, order=BACK).is_back
    assert not Intent(seq=3, at=0, order=FORWARD).is_back

"""How a fault is shown."""

from __future__ import annotations

from rehearsal.faults import describe


def test_a_fault_is_shown_in_one_line() -> None:
    fault = {"number": 3, "kind": "slow", "name": "fraud-dev/blue", "by_seconds": 0.5, "left": 2, "seen": 4, "hits": 1}
    assert describe(fault) == "3: slow, named fraud-dev/blue, by 0.5 s, 2 left, has hit 1 of 4"


def test_a_fault_that_holds_says_how_much_and_when() -> None:
    fault = {"number": 4, "kind": "hold", "when": "after", "left": 0, "held": 1, "seen": 1, "hits": 1}
    assert describe(fault) == "4: hold, after it takes effect, 0 left, holds 1 now, has hit 1 of 1"

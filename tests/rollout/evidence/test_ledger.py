"""The ledger counts an interval once, by step."""

import pytest

from rollout.evidence.intervals import Counts, Interval
from rollout.evidence.ledger import Ledger
from rollout_config import PlanSettings, StepSettings

PLAN = PlanSettings(steps=(StepSettings(weight=10, bake="5m"), StepSettings(weight=100, bake="5m")))


def ledger() -> Ledger:
    return Ledger(PLAN, colour="green", stable_colours=["blue"], grain_seconds=60)


def minute(at: int, requests: int = 10, errors: int = 0) -> Interval:
    counts = {"green": Counts(requests=requests, errors=errors), "blue": Counts(requests=90)}
    return Interval(start=60 * at, seconds=60, counts=counts)


def test_requests_and_errors_are_counted_by_step() -> None:
    book = ledger()
    book.feed(minute(0, errors=1), phase="live", step=0, alone=False, warm=False)
    book.feed(minute(1), phase="live", step=0, alone=False, warm=False)
    book.feed(minute(5, requests=100, errors=2), phase="live", step=1, alone=True, warm=False)
    assert (book.requests(0), book.errors(0)) == (20, 1)
    assert (book.requests(1), book.errors(1)) == (100, 2)
    assert (book.requests(2), book.errors(2)) == (0, 0)
    assert book.totals() == Counts(requests=120, errors=3)


@pytest.mark.parametrize("again", [minute(1), minute(0), Interval(start=61, seconds=60)])
def test_an_interval_counts_once(again: Interval) -> None:
    book = ledger()
    book.feed(minute(1), phase="live", step=0, alone=False, warm=False)
    book.feed(again, phase="live", step=0, alone=False, warm=False)
    assert book.requests(0) == 10

"""When an interval is complete."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rollout.evidence.intervals import Counts, Interval, Quantiles
from rollout.sources.metric_answer import Look
from rollout.sources.settle import has_complete, settle

START, GRAIN, SETTLE = 1_795_874_400, 60, 120


def look(number: int, requests: int, at: int, problem: str | None = None) -> Look:
    counts = {"green": Counts(requests=requests)} if requests else {}
    interval = Interval(start=START + number * GRAIN, seconds=GRAIN, counts=counts)
    return Look(at=START + at, interval=interval, problem=problem)


def reading(at: int, *requests: int) -> list[Look]:
    return [look(number, count, at) for number, count in enumerate(requests)]


def by_start(looks: list[Look]) -> dict[int, Look]:
    return {one.interval.start: one for one in looks}


def settled_counts(before: list[Look], now: list[Look]) -> list[int]:
    found = settle(by_start(before), now, SETTLE)
    assert found.problem is None
    return [interval.counts_of("green").requests for interval in found.intervals]


def test_two_equal_readings_after_settle_make_an_interval_complete():
    assert settled_counts(reading(181, 10), reading(211, 10)) == [10]


def test_an_interval_is_not_complete_before_settle():
    found = settle(by_start(reading(100, 10)), reading(179, 10), SETTLE)
    assert found.intervals == ()
    assert [one.counts_of("green").requests for one in found.young] == [10]


def test_a_different_value_waits_for_a_third_reading():
    assert settled_counts(reading(181, 9), reading(211, 10)) == []
    assert settled_counts(reading(211, 10), reading(241, 10)) == [10]


def test_one_reading_is_not_enough():
    assert settled_counts([], reading(500, 10)) == []


def test_an_interval_can_be_complete_when_it_has_ended_for_settle():
    assert not has_complete(START, START + GRAIN + SETTLE - 1, GRAIN, SETTLE)
    assert has_complete(START, START + GRAIN + SETTLE, GRAIN, SETTLE)
    assert not has_complete(START + 1, START + GRAIN + SETTLE, GRAIN, SETTLE)


def test_a_reading_of_the_counts_alone_confirms_counts_and_one_with_latencies_confirms_both():
    (now,) = reading(211, 10)
    now = replace(now, interval=replace(now.interval, quantiles={"green": Quantiles(p95=40.0)}))
    (counts,) = reading(181, 10)
    assert settled_counts([replace(counts, counts_only=True)], [now]) == [10]
    assert settled_counts([counts], [now]) == []
    assert settled_counts([replace(look(0, 9, 181), counts_only=True)], [now]) == []


def test_zero_before_settle_is_nothing():
    assert settled_counts(reading(120, 0), reading(185, 0)) == []
    assert settled_counts(reading(185, 0), reading(215, 0)) == [0]


def test_a_value_before_settle_agrees_with_the_same_value_after_it():
    assert settled_counts(reading(120, 10), reading(185, 10)) == [10]


def test_an_interval_that_is_not_complete_holds_back_the_later_ones():
    assert settled_counts(reading(400, 10, 4, 7), reading(430, 10, 5, 7)) == [10]


def test_an_old_interval_that_cannot_be_believed_is_a_problem():
    broken = [look(0, 0, 400, "not whole"), *reading(400, 0, 5)[1:]]
    found = settle(by_start(reading(370, 3, 5)), broken, SETTLE)
    assert found.intervals == ()
    assert found.problem == "not whole"


def test_a_young_interval_that_cannot_be_believed_waits():
    found = settle({}, [look(0, 0, 70, "total and split were read at different times")], SETTLE)
    assert found == settle({}, [], SETTLE)


def test_what_is_complete_before_a_problem_still_counts():
    now = [look(0, 10, 430), look(1, 0, 430, "not whole")]
    found = settle(by_start(reading(400, 10, 5)), now, SETTLE)
    assert [one.start for one in found.intervals] == [START]
    assert found.problem is None


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.lists(st.integers(1, 90), min_size=1, max_size=20))
def test_every_interval_counts_once_whenever_it_is_read(requests, pauses):
    """The truth is read at any times; what has counted is asked for no more, as the controller does."""
    taken: list[int] = []
    before: dict[int, Look] = {}
    at = 0
    for pause in pauses:
        at += pause
        ended = [number for number in range(len(requests)) if (number + 1) * GRAIN <= at]
        now = [look(number, requests[number], at) for number in ended[len(taken) :]]
        found = settle(before, now, SETTLE)
        taken += [interval.counts_of("green").requests for interval in found.intervals]
        before = by_start(now)
    assert taken == requests[: len(taken)]

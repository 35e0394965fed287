"""Do the counted requests fit the weights?"""

from __future__ import annotations

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.decision.observed_split import observe, two_sided
from rollout.evidence.intervals import Counts, Interval
from rollout.split import Split

TENTH = Split(traffic={"blue": 90, "green": 10})


def minute(**requests: int) -> Interval:
    counts = {name: Counts(requests=count) for name, count in requests.items()}
    return Interval(start=0, seconds=60, counts=counts)


@given(n=st.integers(1, 60), data=st.data(), p=st.floats(0.01, 0.99))
def test_the_chance_is_twice_the_smaller_tail(n: int, data: st.DataObject, p: float) -> None:
    x = data.draw(st.integers(0, n))
    terms = [comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    tail = sum(terms[x:]) if x > n * p else sum(terms[: x + 1])
    assert two_sided(n, x, p) == pytest.approx(min(1.0, 2 * tail), rel=1e-6)


@pytest.mark.parametrize(
    ("blue", "green", "fits"), [(540, 60, True), (520, 80, True), (600, 0, False), (300, 300, False), (9, 1, True)]
)
def test_a_split_that_cannot_be_chance_is_a_problem(blue: int, green: int, fits: bool) -> None:
    seen = observe([minute(blue=blue, green=green)], TENTH)
    assert seen is not None
    assert (seen.problem(TENTH) is None) is fits


def test_the_problem_says_both_sides() -> None:
    seen = observe([minute(blue=300, green=300)], TENTH)
    assert seen is not None
    problem = seen.problem(TENTH)
    assert problem is not None
    assert "observed blue 50.0 %, green 50.0 % of 600 requests, declared blue 90 %, green 10 %" in problem


def test_a_few_stragglers_at_100_percent_are_no_problem() -> None:
    green = Split(traffic={"green": 100})
    late, wrong = observe([minute(blue=3, green=1800)], green), observe([minute(blue=60, green=540)], green)
    assert late is not None
    assert late.problem(green) is None
    assert wrong is not None
    assert wrong.problem(green) is not None


def test_mirrored_copies_do_not_count_and_refused_requests_do() -> None:
    mirrored = Split(traffic={"blue": 100}, mirror={"green": 20})
    seen = observe([minute(blue=100, green=20)], mirrored)
    assert seen is not None
    assert seen.requests == 100
    throttled = Interval(start=0, seconds=60, counts={"blue": Counts(requests=90, throttled=10)})
    refused = observe([throttled], mirrored)
    assert refused is not None
    assert refused.requests == 100


def test_without_requests_there_is_nothing_to_say() -> None:
    assert observe([minute()], TENTH) is None

"""The factors of one interval: exact against the formulas, expected value at most 1 under the null hypothesis."""

from itertools import product
from math import comb, exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.evidence.count_tests import REFUTED, Ceiling, Chance, Versus
from rollout.evidence.e_process import MOST_OF_AN_INTERVAL

ALTERNATIVES = [(0.04, 0.2), (0.1, 0.3), (0.2, 0.4), (0.95, 0.1)]
GROUPS = st.integers(min_value=0, max_value=9)
RATES = st.floats(min_value=0.0, max_value=1.0)


def probability(n: int, x: int, p: float) -> float:
    return comb(n, x) * p**x * (1 - p) ** (n - x)


def ceiling(limit: float = 0.02) -> Ceiling:
    return Ceiling(limit, ALTERNATIVES, horizon=4, restart=0.1)


def versus(ratio: float = 1.5) -> Versus:
    return Versus(ratio, (2, 4, 10), horizon=4, restart=0.1)


def test_the_ceiling_is_the_mixture_of_likelihood_ratios() -> None:
    test = Ceiling(0.02, ALTERNATIVES, horizon=1, restart=0.1)
    test.update(30, 3)
    ratios = [(p, w, (p / 0.02) ** 3 * ((1 - p) / 0.98) ** 27) for p, w in ALTERNATIVES]
    assert test.evidence == pytest.approx(sum(w * min(ratio, MOST_OF_AN_INTERVAL) for _, w, ratio in ratios))


def test_the_comparison_is_the_mixture_of_conditional_likelihood_ratios() -> None:
    test = Versus(1.5, (2, 4, 10), horizon=1, restart=0.1)
    test.update(40, 3, 160, 2)
    s = 40 / 200
    expected = 0.0
    theta = {j: j * s / (j * s + 1 - s) for j in (1.5, 3.0, 6.0, 15.0)}
    for j in (3.0, 6.0, 15.0):
        expected += exp(3 * log(theta[j] / theta[1.5]) + 2 * log((1 - theta[j]) / (1 - theta[1.5]))) / 3
    assert test.evidence == pytest.approx(expected)


@given(GROUPS, st.floats(min_value=0.0, max_value=0.02))
def test_the_expected_factor_of_the_ceiling_is_at_most_one_below_it(n: int, rate: float) -> None:
    expected = 0.0
    for x in range(n + 1):
        test = ceiling()
        test.update(n, x)
        expected += probability(n, x, rate) * test.evidence
    assert expected <= 1.0 + 1e-9


@given(GROUPS, GROUPS, st.floats(min_value=1.0, max_value=4.0), RATES)
def test_the_expected_factor_of_the_comparison_is_at_most_one_at_any_rate(
    n: int, m: int, ratio: float, stable_rate: float
) -> None:
    """Exact, for binomial errors: also where the stable colour fails nearly always."""
    rate = min(1.0, ratio * stable_rate)
    expected = 0.0
    for x, y in product(range(n + 1), range(m + 1)):
        test = versus(ratio)
        test.update(n, x, m, y)
        expected += probability(n, x, rate) * probability(m, y, stable_rate) * test.evidence
    assert expected <= 1.0 + 1e-9


def test_evidence_is_a_supermartingale_over_intervals_too() -> None:
    """A canary exactly at its limit: after every history of three intervals, evidence is not expected to grow."""
    n, limit = 4, 0.02
    for history in product(range(n + 1), repeat=3):
        before = ceiling(limit)
        for x in history:
            before.update(n, x)
        expected = 0.0
        for x in range(n + 1):
            after = ceiling(limit)
            for past in (*history, x):
                after.update(n, past)
            expected += probability(n, x, limit) * after.evidence
        assert expected <= before.evidence * (1 + 1e-9)


@pytest.mark.parametrize(("stable", "used"), [((0, 0), True), ((100, 2), True), ((100, 9), False), ((1, 1), True)])
def test_an_interval_in_which_stable_alone_refutes_the_ceiling_is_not_used(stable: tuple[int, int], used: bool) -> None:
    test = ceiling()
    assert test.update(30, 30, stable[0], stable[1]) is used
    assert (test.evidence > 5) is used
    assert used or test.evidence == pytest.approx(1.0)
    assert REFUTED < 0.02


def test_skipping_keeps_the_expected_factor_at_most_one() -> None:
    """Stable's errors are independent of the canary's, so looking at them is allowed: exact, both at the limit."""
    expected = 0.0
    n, m, limit = 5, 6, 0.1
    for x, y in product(range(n + 1), range(m + 1)):
        test = Ceiling(limit, [(0.2, 0.5), (0.5, 0.5)], horizon=4, restart=0.1)
        test.update(n, x, m, y)
        expected += probability(n, x, limit) * probability(m, y, limit) * test.evidence
    assert expected <= 1.0 + 1e-9


@pytest.mark.parametrize("counts", [(0, 0, 50, 9), (50, 9, 0, 0), (50, 0, 50, 0), (0, 0, 0, 0)])
def test_a_comparison_without_two_colours_or_without_an_error_says_nothing(counts: tuple[int, int, int, int]) -> None:
    test = versus()
    test.update(*counts)
    assert test.evidence == pytest.approx(1.0)


def test_no_requests_say_nothing_about_the_ceiling() -> None:
    test = ceiling()
    assert test.update(0, 0)
    assert test.evidence == pytest.approx(1.0)


def test_alternatives_that_are_not_above_the_limit_are_left_out() -> None:
    test = Ceiling(0.1, [(0.1, 0.5), (0.25, 0.5)], horizon=1, restart=0.1)
    test.update(10, 3)
    assert test.evidence == pytest.approx((0.25 / 0.1) ** 3 * (0.75 / 0.9) ** 7)
    silent = Ceiling(0.97, [(0.95, 1.0)], horizon=1, restart=0.1)
    silent.update(10, 10)
    assert silent.evidence == 1.0


@given(st.lists(st.floats(min_value=0.02, max_value=0.8), min_size=1, max_size=3), st.data())
def test_the_expected_factor_of_events_is_at_most_one_at_or_below_their_chance(
    chances: list[float], data: st.DataObject
) -> None:
    truths = [data.draw(st.floats(min_value=0.0, max_value=chance)) for chance in chances]
    expected = 0.0
    for outcome in product([True, False], repeat=len(chances)):
        test = Chance(len(chances), (3.0, 10.0, 30.0), horizon=4, restart=0.3)
        test.update(list(zip(outcome, chances, strict=True)))
        weight = 1.0
        for happened, truth in zip(outcome, truths, strict=True):
            weight *= truth if happened else 1 - truth
        expected += weight * test.evidence
    assert expected <= 1.0 + 1e-9


def test_an_event_has_the_odds_of_its_alternative() -> None:
    test = Chance(1, (3.0,), horizon=1, restart=0.3)
    test.update([(True, 0.5)])
    assert test.evidence == pytest.approx(0.75 / 0.5)
    test = Chance(1, (3.0,), horizon=1, restart=0.3)
    test.update([(False, 0.5)])
    assert test.evidence == pytest.approx(0.25 / 0.5)
    test = Chance(2, (3.0,), horizon=1, restart=0.3)
    test.update([None, None])
    assert test.evidence == pytest.approx(1.0)

"""Binomial tails against exact fractions."""

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.evidence.binomial import at_least, at_most, upper_bound


def exact(n: int, x: int, p: Fraction) -> float:
    return float(sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(max(0, x), n + 1)))


@given(
    st.integers(min_value=0, max_value=80),
    st.integers(min_value=-2, max_value=82),
    st.integers(min_value=1, max_value=99),
)
def test_tails_are_exact(n: int, x: int, percent: int) -> None:
    p = Fraction(percent, 100)
    assert at_least(n, x, float(p)) == pytest.approx(exact(n, x, p), rel=1e-9, abs=1e-14)
    assert at_least(n, x, float(p)) + at_most(n, x - 1, float(p)) == pytest.approx(1.0)


def test_tails_of_many_requests_are_exact_too() -> None:
    assert at_least(800, 30, 0.02) == pytest.approx(exact(800, 30, Fraction(1, 50)), rel=1e-9)
    halves = at_least(1_000_000, 500_001, 0.5) + at_most(1_000_000, 500_000, 0.5)
    assert halves == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize(
    ("n", "x", "bound"),
    [(0, 0, 1.0), (5, 5, 1.0), (300, 0, 1 - 0.05 ** (1 / 300)), (100, 1, 0.04656), (20, 3, 0.34366)],
)
def test_the_upper_bound_is_that_of_clopper_and_pearson(n: int, x: int, bound: float) -> None:
    assert upper_bound(n, x, 0.95) == pytest.approx(bound, rel=1e-3)


@given(st.integers(min_value=1, max_value=60), st.data())
def test_the_upper_bound_is_where_the_tail_is_one_minus_the_confidence(n: int, data: st.DataObject) -> None:
    x = data.draw(st.integers(min_value=0, max_value=n - 1))
    assert at_most(n, x, upper_bound(n, x, 0.95)) == pytest.approx(0.05, rel=1e-6)

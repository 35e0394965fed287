"""The confidence sequence contains the true rate at every moment at once, and shrinks."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.evidence.bounds import confidence_sequence

pytestmark = pytest.mark.slow


@given(st.integers(min_value=0, max_value=100_000), st.floats(min_value=0, max_value=1))
def test_the_bounds_enclose_the_observed_rate(requests: int, rate: float) -> None:
    errors = int(requests * rate)
    low, high = confidence_sequence(requests, errors)
    assert 0 <= low <= (errors / requests if requests else 0) <= high <= 1


def test_nothing_is_known_without_requests_and_more_with_more() -> None:
    assert confidence_sequence(0, 0) == (0.0, 1.0)
    widths = [high - low for low, high in (confidence_sequence(n, n // 100) for n in (100, 1000, 10_000, 100_000))]
    assert widths == sorted(widths, reverse=True)
    assert confidence_sequence(10, 0)[0] == 0.0
    assert confidence_sequence(10, 10)[1] == 1.0


def test_the_edges_solve_the_equation_of_the_beta_binomial_mixture() -> None:
    """B(x+1, n-x+1) = 20 p^x (1-p)^(n-x) at both edges; for one error of two requests, B = 1/6."""
    for edge in confidence_sequence(2, 1):
        assert 20 * edge * (1 - edge) == pytest.approx(1 / 6, rel=1e-6)


def test_it_holds_at_every_moment_with_its_confidence() -> None:
    chance, missed = random.Random(20261128), 0
    for _ in range(300):
        requests = errors = 0
        for _ in range(60):
            requests += 10
            errors += sum(chance.random() < 0.05 for _ in range(10))
            low, high = confidence_sequence(requests, errors)
            if not low <= 0.05 <= high:
                missed += 1
                break
    assert missed <= 0.05 * 300

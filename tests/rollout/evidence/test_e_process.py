"""One e-process: its formula, its bounds, and the restart that later troubles need."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.evidence.e_process import MOST, MOST_OF_AN_INTERVAL, EProcess

LOGS = st.floats(min_value=-1e6, max_value=1e6)
HISTORIES = st.lists(st.tuples(LOGS, LOGS, LOGS), max_size=60)


def process(horizon: int = 10, restart: float = 0.1) -> EProcess:
    return EProcess([0.2, 0.3, 0.5], horizon=horizon, restart=restart)


def test_evidence_is_the_mixture_over_alternatives_and_starts() -> None:
    """E = sum over starts t of a_t * sum over alternatives of w * product of the factors since t, written out."""
    horizon, restart = 4, 0.1
    history = [(0.5, -0.2, 1.0), (-1.0, 0.3, 9.0), (0.1, 0.2, 0.3), (0.0, 0.7, -0.4), (0.4, -0.1, 0.2)]
    told = process(horizon, restart)
    starts = [1 - restart + restart / horizon] + [restart / horizon] * (horizon - 1)
    for count in range(1, len(history) + 1):
        told.update(history[count - 1])
        expected = sum(starts[count:])
        for start, share in enumerate(starts[:count]):
            for at, prior in enumerate((0.2, 0.3, 0.5)):
                factors = [min(math.exp(row[at]), MOST_OF_AN_INTERVAL) for row in history[start:count]]
                expected += share * prior * math.prod(factors)
        assert told.evidence == pytest.approx(expected, rel=1e-12)


def test_nothing_is_known_before_the_first_interval_and_after_empty_ones() -> None:
    told = process()
    assert told.evidence == 1.0
    for _ in range(30):
        told.update([0.0, 0.0, 0.0])
        assert told.evidence == pytest.approx(1.0)


def test_one_interval_multiplies_by_at_most_twenty() -> None:
    told = process()
    told.update([1e9, 1e9, 1e9])
    assert told.evidence == pytest.approx(MOST_OF_AN_INTERVAL, rel=0.1)
    assert told.evidence < MOST_OF_AN_INTERVAL


@given(HISTORIES, st.integers(min_value=-3, max_value=50))
def test_evidence_is_bounded_and_never_negative(history: list[tuple[float, float, float]], horizon: int) -> None:
    told = process(horizon)
    before = told.evidence
    for increments in history:
        told.update(increments)
        assert 0.0 <= told.evidence <= MOST + 1.0
        assert told.evidence <= MOST_OF_AN_INTERVAL * (before + 1.0)
        before = told.evidence


def test_a_trouble_that_begins_late_is_found_in_spite_of_a_good_past() -> None:
    with_restart, without = process(horizon=100), process(horizon=100, restart=0.0)
    for told in (with_restart, without):
        for _ in range(60):
            told.update([-0.5, -0.5, -0.5])
        for _ in range(10):
            told.update([1.0, 1.0, 1.0])
    assert with_restart.evidence > 20
    assert without.evidence < 1e-6


def test_after_the_planned_intervals_no_new_start_is_tried() -> None:
    told = process(horizon=5)
    for _ in range(50):
        told.update([-10.0, -10.0, -10.0])
    assert told.evidence == pytest.approx(0.0, abs=1e-12)


def test_a_test_without_alternatives_cannot_say_anything() -> None:
    told = EProcess([], horizon=5, restart=0.1)
    told.update([])
    assert told.evidence == 1.0

"""The latency gate: from published percentiles alone, and silent where they say nothing."""

import random
from itertools import product
from math import comb

import pytest

from rollout.evidence.intervals import Quantiles
from rollout.evidence.latency import Latency, Said
from rollout.evidence.wording import Names

NAMES = Names(canary="green", stable="blue")
FAST = Quantiles(p50=100.0, p90=150.0, p95=200.0, p99=300.0)
SLOW = Quantiles(p50=200.0, p90=300.0, p95=400.0, p99=600.0)
NONE = Quantiles()


def gate(percent: int = 95, max_ms: float | None = None, vs_stable: float | None = None) -> Latency:
    return Latency(percent, max_ms=max_ms, vs_stable=vs_stable, horizon=40, names=NAMES)


def test_slower_than_the_limit_fails_when_stable_is_not() -> None:
    told = gate(max_ms=250.0)
    minutes = 0
    while told.finding().failure is None and minutes < 40:
        told.update((60, SLOW), [(60, FAST)], alone=False)
        minutes += 1
    assert minutes < 40
    failure = told.finding().failure
    assert failure is not None
    assert failure.startswith(
        "green took more than 250 ms for at least 30 of 300 requests (10 %), blue at most 15 of 300 (5 %): evidence "
    )


def test_a_percentile_just_above_the_limit_is_not_enough_to_show_that_more_requests_are_slow() -> None:
    """P95 above and P90 below: five percent are slower, which is what the limit allows."""
    told = gate(max_ms=350.0)
    for _ in range(200):
        told.update((60, SLOW), [(60, FAST)], alone=False)
    assert told.finding().failure is None


@pytest.mark.parametrize("percent", [50, 90, 95, 99])
def test_a_limit_of_each_percentile_can_fail(percent: int) -> None:
    told = gate(percent, max_ms=50.0)
    fast = Quantiles(p50=10.0, p90=20.0, p95=30.0, p99=40.0)
    for _ in range(40):
        told.update((60, SLOW), [(60, fast)], alone=False)
    failure = told.finding().failure
    assert failure is not None
    assert f"for a P{percent} above 50 ms" in failure


@pytest.mark.parametrize("percent", [50, 90, 95, 99])
def test_both_slow_is_an_incident_and_alone_it_is_a_failure(percent: int) -> None:
    told = gate(percent, max_ms=50.0)
    for _ in range(20):
        told.update((60, SLOW), [(60, SLOW)], alone=False)
    assert told.finding().failure is None
    assert told.finding().incident is not None
    for _ in range(20):
        assert told.update((60, SLOW), [(30, SLOW)], alone=True).measured is True
    assert told.finding().failure is not None
    assert told.finding().incident is None


def test_twice_as_slow_as_stable_fails() -> None:
    told = gate(vs_stable=1.3)
    for _ in range(20):
        told.update((30, SLOW), [(270, FAST)], alone=False)
    failure = told.finding().failure
    assert failure is not None
    assert failure.startswith("P50, P90, P95 of green were above 1.3 times the P95 of blue in ")


def test_of_several_stable_colours_the_busiest_is_compared_and_all_can_be_slow() -> None:
    told = gate(vs_stable=1.3)
    for _ in range(30):
        told.update((30, SLOW), [(10, FAST), (200, SLOW)], alone=False)
    assert told.finding().failure is None
    for _ in range(30):
        told.update((30, SLOW), [(200, FAST), (10, SLOW)], alone=False)
    assert told.finding().failure is not None


@pytest.mark.parametrize(
    ("canary", "stable", "said"),
    [
        ((60, FAST), [(60, FAST)], Said(measured=True, compared=True)),
        ((60, FAST), [], Said(measured=True, compared=False)),
        ((60, FAST), [(60, NONE)], Said(measured=True, compared=False)),
        ((60, FAST), [(0, FAST)], Said(measured=True, compared=False)),
        ((60, NONE), [(60, FAST)], Said(measured=False, compared=False)),
        ((0, FAST), [(60, FAST)], Said(measured=False, compared=False)),
        ((0, NONE), [], Said(measured=False, compared=False)),
        ((60, Quantiles(p50=100.0)), [(60, FAST)], Said(measured=False, compared=True)),
        ((60, Quantiles(p99=100.0)), [(60, FAST)], Said(measured=False, compared=False)),
    ],
)
def test_what_is_missing_is_said_and_is_no_evidence(
    canary: tuple[int, Quantiles], stable: list[tuple[int, Quantiles]], said: Said
) -> None:
    told = gate(max_ms=1000.0, vs_stable=1.3)
    assert told.update(canary, stable, alone=False) == said
    finding = told.finding()
    assert (finding.failure, finding.incident) == (None, None)
    assert finding.ceiling is not None
    assert finding.ceiling <= 1.0 + 1e-9


def test_a_limit_that_stable_alone_breaks_measures_nothing() -> None:
    told = gate(max_ms=50.0)
    fast = Quantiles(p50=10.0, p90=20.0, p95=30.0, p99=40.0)
    for _ in range(2):
        assert told.update((60, fast), [(600, SLOW)], alone=False).measured is False
    assert told.finding().incident == "blue alone had a P95 above 50 ms in each of the last 2 intervals"


def test_the_comparison_of_equal_latencies_is_no_evidence_on_average() -> None:
    """Every order of three and four continuous values, both colours alike: the expected evidence is at most 1."""
    expected, count = 0.0, 0
    chance = random.Random(7)
    for _ in range(4000):
        values = [chance.random() for _ in range(9)]
        told = gate(vs_stable=1.0)
        told.update((4, _of(values[:4])), [(5, _of(values[4:]))], alone=False)
        versus = told.finding().versus
        assert versus is not None
        expected += versus
        count += 1
    assert expected / count <= 1.02


def _of(values: list[float]) -> Quantiles:
    """The percentiles as numpy gives them (linear between ranks)."""
    values = sorted(values)

    def at(q: float) -> float:
        place = q * (len(values) - 1)
        low = int(place)
        high = min(low + 1, len(values) - 1)
        return values[low] + (place - low) * (values[high] - values[low])

    return Quantiles(p50=at(0.5), p90=at(0.9), p95=at(0.95), p99=at(0.99))


def test_the_limit_is_no_evidence_on_average_where_exactly_five_percent_are_slow() -> None:
    """Exact over the number of slow requests of both colours, whose percentiles are as numpy gives them."""
    n, m = 6, 4
    expected = 0.0
    for slow, stable_slow in product(range(n + 1), range(m + 1)):
        weight = _probability(n, slow) * _probability(m, stable_slow)
        told = gate(max_ms=50.0)
        told.update(
            (n, _of([10.0] * (n - slow) + [1000.0] * slow)),
            [(m, _of([10.0] * (m - stable_slow) + [1000.0] * stable_slow))],
            alone=False,
        )
        ceiling = told.finding().ceiling
        assert ceiling is not None
        expected += weight * ceiling
    assert expected <= 1.0 + 1e-9


def _probability(n: int, x: int) -> float:
    return comb(n, x) * 0.05**x * 0.95 ** (n - x)

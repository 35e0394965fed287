"""The latency gate: from published percentiles alone, and silent where they say nothing."""

import random
from itertools import product
from math import comb, exp, log

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rollout.evidence.intervals import Quantiles
from rollout.evidence.latency import Latency, Said
from rollout.evidence.wording import Names

NAMES = Names(canary="green", stable="blue")
FAST = Quantiles(p50=100.0, p90=150.0, p95=200.0, p99=300.0)
SLOW = Quantiles(p50=200.0, p90=300.0, p95=400.0, p99=600.0)
NONE = Quantiles()


def gate(percent: int = 95, max_ms: float | None = None, vs_stable: float | None = None) -> Latency:
    return Latency(percent, max_ms=max_ms, vs_stable=vs_stable, horizon=40, names=NAMES)


class Reference:
    """The P95 gate as written down with its definition, in another style: the real one must agree in every digit."""

    def __init__(self, max_ms: float, ratio: float, horizon: int) -> None:
        self.max_ms, self.ratio, self.horizon, self.minutes = max_ms, ratio, horizon, 0
        self.masses = {"ceiling": [0.0] * 4, "versus": [0.0] * 9}

    def step(self, n: int, mine: Quantiles, m: int, theirs: Quantiles) -> None:
        slow = next((n - q * n // 100 for q, v in self._sorted(mine) if v > self.max_ms and n), 0)
        stable_slow = next((m - q * m // 100 for q, v in self._sorted(theirs) if v > self.max_ms and m), 0)
        tail = sum(comb(m, k) * 0.05**k * 0.95 ** (m - k) for k in range(stable_slow, m + 1))
        refuted = stable_slow > 0.05 * m and tail <= 0.001
        shares = (0.1, 0.25, 0.5, 0.9)
        ceiling = [0.0 if refuted else slow * log(p / 0.05) + (n - slow) * log((1 - p) / 0.95) for p in shares]
        versus = []
        for q, value in self._sorted(mine)[:3]:
            chance = self._chance(n, q, m) if n and m else 1.0
            assume(abs(chance - 0.8) > 1e-9)  # rounding may decide either way
            if chance > 0.8:
                versus += [0.0] * 3
                continue
            floor = max(chance, 0.5 if q == 95 else 0.02)
            for odds in (3, 10, 30):
                alternative = odds * floor / (1 - floor + odds * floor)
                above = theirs.p95 is not None and value > self.ratio * theirs.p95
                versus.append(log(alternative / floor) if above else log((1 - alternative) / (1 - floor)))
        start = (0.7 if self.minutes == 0 else 0) + (0.3 / self.horizon if self.minutes < self.horizon else 0)
        for name, values in (("ceiling", ceiling), ("versus", versus)):
            self.masses[name] = [
                min((mass + start) * min(exp(min(i, 700)), 20), 1e12)
                for mass, i in zip(self.masses[name], values, strict=True)
            ]
        self.minutes += 1

    def evidence(self, name: str) -> float:
        masses = self.masses[name]
        return sum(masses) / len(masses) + 0.3 * max(0, 1 - self.minutes / self.horizon)

    @staticmethod
    def _sorted(latencies: Quantiles) -> list[tuple[int, float]]:
        values = {50: latencies.p50, 90: latencies.p90, 95: latencies.p95, 99: latencies.p99}
        return [(q, value) for q, value in values.items() if value is not None]

    @staticmethod
    def _chance(n: int, q: int, m: int) -> float:
        k, j = min(n, q * n // 100 + 1), max(1, 95 * m // 100)
        ways = sum(comb(k - 1 + b, b) * comb(n - k + m - b, m - b) for b in range(j, m + 1))
        return ways / comb(n + m, m)


STEADY = st.floats(min_value=50, max_value=400)
SIDE = st.tuples(st.integers(min_value=0, max_value=80), STEADY)


@given(st.lists(st.tuples(SIDE, SIDE), min_size=1, max_size=15))
def test_it_is_the_gate_of_the_definition(minutes: list[tuple[tuple[int, float], tuple[int, float]]]) -> None:
    real, reference = Latency(95, max_ms=300.0, vs_stable=1.3, horizon=12, names=NAMES), Reference(300.0, 1.3, 12)
    for (n, p50), (m, stable_p50) in minutes:
        mine, theirs = (
            Quantiles(p50=value, p90=value * 1.4, p95=value * 1.7, p99=value * 2.5) for value in (p50, stable_p50)
        )
        real.update((n, mine), [(m, theirs)], alone=False)
        reference.step(n, mine, m, theirs)
        finding = real.finding()
        assert finding.ceiling == pytest.approx(reference.evidence("ceiling"))
        assert finding.versus == pytest.approx(reference.evidence("versus"))


@pytest.mark.parametrize("limits", [{"max_ms": 250.0}, {"vs_stable": 1.2}])
def test_it_fails_at_fifty(limits: dict[str, float]) -> None:
    told, before = gate(**limits), 0.0
    while told.finding().failure is None:
        before = max(told.finding().ceiling or 0.0, told.finding().versus or 0.0)
        told.update((30, SLOW), [(270, FAST)], alone=False)
    assert before < 50 <= max(told.finding().ceiling or 0.0, told.finding().versus or 0.0)
    assert before > 20


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

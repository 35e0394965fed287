"""The gates on errors: when they fail, when both suffer, and what they say."""

from itertools import product
from math import exp, lgamma, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.evidence.error_rate import ClientErrorRate, ErrorRate
from rollout.evidence.intervals import Counts
from rollout.evidence.wording import Names

NAMES = Names(canary="green", stable="blue")


def counts(requests: int, errors: int = 0, client_errors: int = 0) -> Counts:
    return Counts(requests=requests, errors=errors, client_errors=client_errors)


def gate(max: float | None = 0.01, vs_stable: float | None = 1.5, horizon: int = 40) -> ErrorRate:
    return ErrorRate(max=max, vs_stable=vs_stable, horizon=horizon, alone_horizon=10, names=NAMES)


class Reference:
    """The gate as written down with its proof, in another style: the real one must agree in every digit."""

    def __init__(self, max: float, ratio: float, horizon: int) -> None:
        self.max, self.ratio, self.horizon, self.minutes = max, ratio, horizon, 0
        self.shares = [min(k * max, 0.95) for k in (2, 5, 10, 50)]
        self.masses = {"ceiling": [0.0] * 4, "guard": [0.0] * 3, "versus": [0.0] * 3}
        self.weights = {"ceiling": (0.2, 0.3, 0.4, 0.1), "guard": (1 / 3,) * 3, "versus": (1 / 3,) * 3}

    def step(self, nc: int, xc: int, ns: int, xs: int) -> None:
        def tail(n: int, x: int, p: float) -> float:
            def term(k: int) -> float:
                return exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log(1 - p))

            return sum(term(k) for k in range(x, n + 1)) if x else 1.0

        def comparison(ratio0: float, ratio1: float) -> float:
            if not nc or not ns:
                return 0.0
            s = nc / (nc + ns)
            a, b = ratio0 * s / (ratio0 * s + 1 - s), ratio1 * s / (ratio1 * s + 1 - s)
            return xc * log(b / a) + xs * log((1 - b) / (1 - a))

        incident = ns and xs > self.max * ns and tail(ns, xs, self.max) <= 0.001
        ceiling = [
            0.0 if incident else xc * log(p / self.max) + (nc - xc) * log((1 - p) / (1 - self.max)) for p in self.shares
        ]
        start = (0.9 if self.minutes == 0 else 0) + (0.1 / self.horizon if self.minutes < self.horizon else 0)
        increments = {
            "ceiling": ceiling,
            "guard": [comparison(1, r) for r in (2, 5, 10)],
            "versus": [comparison(self.ratio, self.ratio * r) for r in (2, 4, 10)],
        }
        for name, values in increments.items():
            self.masses[name] = [
                min((m + start) * exp(min(i, log(20))), 1e12) for m, i in zip(self.masses[name], values, strict=True)
            ]
        self.minutes += 1

    def evidence(self, name: str) -> float:
        rest = 0.1 * max(0, 1 - self.minutes / self.horizon)
        return sum(w * m for w, m in zip(self.weights[name], self.masses[name], strict=True)) + rest


SIDES = st.tuples(st.integers(min_value=0, max_value=400), st.floats(min_value=0, max_value=1))
MINUTES = st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=25)


@given(MINUTES)
def test_it_is_the_gate_of_the_proof(minutes: list[tuple[tuple[int, float], tuple[int, float]]]) -> None:
    real, reference = gate(horizon=20), Reference(0.01, 1.5, 20)
    for (nc, rate), (ns, stable_rate) in minutes:
        xc, xs = int(nc * rate**3), int(ns * stable_rate**3)
        real.update(counts(nc, xc), counts(ns, xs), alone=False)
        reference.step(nc, xc, ns, xs)
        finding = real.finding()
        assert finding.ceiling == pytest.approx(reference.evidence("ceiling"))
        assert finding.guard == pytest.approx(reference.evidence("guard"))
        assert finding.versus == pytest.approx(reference.evidence("versus"))


def test_a_failure_names_the_counts_and_the_evidence() -> None:
    gated = gate(vs_stable=None)
    for errors, stable_errors in ((1, 1), (3, 1), (5, 1)):
        gated.update(counts(10, errors), counts(90, stable_errors), alone=False)
    assert gated.finding().failure == (
        "green failed 4 of 20 requests (20 %), blue 2 of 180 (1.1 %): evidence 52:1 against 20:1 for more than 1 %"
    )


def test_a_failure_stays() -> None:
    gated = gate()
    for _ in range(3):
        gated.update(counts(10, 10), counts(90), alone=False)
    failure = gated.finding().failure
    assert failure is not None
    for _ in range(200):
        gated.update(counts(1000), counts(1000, 5), alone=False)
    assert gated.finding().failure == failure


def test_a_late_failure_is_explained_by_the_minutes_in_which_evidence_grew() -> None:
    gated = gate(horizon=100)
    for _ in range(60):
        gated.update(counts(100), counts(100), alone=False)
    for _ in range(3):
        gated.update(counts(100, 20), counts(100), alone=False)
        if gated.finding().failure:
            break
    failure = gated.finding().failure
    assert failure is not None
    assert "green failed 40 of 200 requests (20 %), blue 0 of 200 (0 %)" in failure


def test_both_above_the_ceiling_is_an_incident_until_the_canary_is_shown_to_be_the_worse_one() -> None:
    gated = gate()
    for _ in range(20):
        gated.update(counts(100, 5), counts(40, 2), alone=False)
    finding = gated.finding()
    assert finding.failure is None
    assert finding.ceiling is not None
    assert finding.ceiling >= 20
    assert finding.incident is not None
    assert "both suffer" in finding.incident
    assert "that green is the worse one" in finding.incident
    for _ in range(20):
        gated.update(counts(100, 15), counts(40, 1), alone=False)
    assert gated.finding().failure is not None
    assert gated.finding().incident is None


def test_stable_alone_above_the_ceiling_for_two_intervals_is_an_incident_until_it_ends() -> None:
    gated = gate()
    assert gated.update(counts(30, 9), counts(270, 81), alone=False) is False
    assert gated.finding().incident is None
    assert gated.update(counts(30, 9), counts(270, 81), alone=False) is False
    assert gated.finding().incident == "blue alone failed more than 1 % in each of the last 2 intervals"
    assert gated.finding().ceiling == pytest.approx(1.0)
    assert gated.update(counts(30), counts(270, 1), alone=False) is True
    assert gated.finding().incident is None


def test_at_all_requests_the_ceiling_needs_no_guard() -> None:
    gated = gate()
    for _ in range(3):
        gated.update(counts(100, 10), counts(0), alone=True)
    finding = gated.finding()
    assert finding.failure is not None
    assert finding.failure.startswith("green failed 20 of 200 requests (10 %): evidence ")
    assert finding.guard == pytest.approx(1.0)


def test_a_few_requests_that_name_stable_do_not_excuse_a_colour_that_has_all_requests() -> None:
    gated = gate()
    for _ in range(3):
        assert gated.update(counts(100, 10), counts(3, 3), alone=True) is True
    assert gated.finding().failure is not None


def test_without_a_ceiling_all_requests_are_held_to_a_multiple_of_stables_upper_bound() -> None:
    gated = gate(max=None, vs_stable=1.5)
    for _ in range(10):
        gated.update(counts(100), counts(100, 1), alone=False)
    assert gated.finding().ceiling is None
    for _ in range(2):
        gated.update(counts(200, 3), counts(0), alone=True)
    assert gated.finding().failure is None
    assert gated.finding().silent is None
    for _ in range(10):
        gated.update(counts(200, 20), counts(0), alone=True)
    failure = gated.finding().failure
    assert failure is not None
    # The upper bound of 10 of 1000 is 1.69 % (Clopper-Pearson, one-sided, 95 %).
    assert "for more than 2.5 %, 1.5 times the highest rate that fits blue" in failure


@pytest.mark.parametrize("stable", [0, 1])
def test_without_a_ceiling_and_without_stable_requests_all_requests_cannot_be_judged(stable: int) -> None:
    gated = gate(max=None, vs_stable=1.5)
    if stable:
        gated.update(counts(9), counts(stable), alone=False)
    gated.update(counts(200, 190), counts(0), alone=True)
    silent = gated.finding().silent
    assert silent is not None
    assert f"blue had too few requests in this rollout ({stable}) to say which error rate is too high" in silent
    assert gated.finding().failure is None


@given(MINUTES)
def test_evidence_is_finite_and_never_negative(minutes: list[tuple[tuple[int, float], tuple[int, float]]]) -> None:
    gated = gate()
    for (nc, rate), (ns, stable_rate) in minutes:
        gated.update(counts(nc, int(nc * rate)), counts(ns, int(ns * stable_rate)), alone=ns == 0)
        finding = gated.finding()
        for evidence in (finding.ceiling, finding.guard, finding.versus):
            assert evidence is not None
            assert 0 <= evidence <= 1e12 + 1


def test_a_gate_of_one_bound_has_the_evidence_of_one() -> None:
    for gated, missing in ((gate(max=None), "ceiling"), (gate(vs_stable=None), "versus")):
        gated.update(counts(10), counts(90), alone=False)
        assert getattr(gated.finding(), missing) is None


def test_the_false_alarm_of_a_failure_is_bounded_exactly_for_a_short_rollout() -> None:
    """Every outcome of three intervals, canary at its limit and stable alike: P(fail) is far below 5 % + 2 %."""
    n, m, rate = 4, 4, 0.05

    def probability(x: int) -> float:
        return exp(lgamma(n + 1) - lgamma(x + 1) - lgamma(n - x + 1)) * rate**x * (1 - rate) ** (n - x)

    failed = 0.0
    for outcome in product(range(n + 1), range(m + 1), range(n + 1), range(m + 1), range(n + 1), range(m + 1)):
        weight = 1.0
        for x in outcome:
            weight *= probability(x)
        if weight < 1e-9:
            continue
        gated = gate(max=rate, horizon=3)
        for xc, xs in zip(outcome[::2], outcome[1::2], strict=True):
            gated.update(counts(n, xc), counts(m, xs), alone=False)
        failed += weight * (gated.finding().failure is not None)
    assert failed <= 0.05


def test_refused_requests_are_compared_with_stable_only() -> None:
    gated = ClientErrorRate(vs_stable=1.5, horizon=40, names=NAMES)
    for _ in range(20):
        gated.update(counts(30, client_errors=10), counts(270, client_errors=90))
    finding = gated.finding()
    assert (finding.failure, finding.ceiling, finding.guard) == (None, None, None)
    assert finding.versus is not None
    assert finding.versus < 3
    for _ in range(4):
        gated.update(counts(30, client_errors=30), counts(270, client_errors=9))
    failure = gated.finding().failure
    assert failure is not None
    assert failure.startswith("green refused 120 of 120 requests (100 %), blue 36 of 1,080 (3.3 %)")
    assert failure.endswith("against 50:1 for more than 1.5 times the rate of blue")
    assert "as the caller's error: evidence " in failure

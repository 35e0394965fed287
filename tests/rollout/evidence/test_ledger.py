"""The ledger: an interval counts once, in any portions, and only evidence passes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.evidence.intervals import Counts, GateResult, Interval, Quantiles, Verdict
from rollout.evidence.ledger import Ledger
from rollout_config import PlanSettings

FAST = Quantiles(p50=100.0, p90=150.0, p95=200.0, p99=300.0)
SLOW = Quantiles(p50=300.0, p90=450.0, p95=600.0, p99=900.0)
GATES = {
    "error_rate": {"max": 0.01, "vs_stable": 1.5},
    "client_error_rate": {"vs_stable": 2.0},
    "latency_p95": {"max_ms": 400.0, "vs_stable": 1.3},
}


def plan(gates: dict[str, Any] | None = None, **other: Any) -> PlanSettings:
    steps = [{"mirror": 20, "bake": "5m"}, {"weight": 10, "bake": "5m"}, {"weight": 100, "bake": "5m"}]
    return PlanSettings.from_values({"steps": steps, "gates": GATES if gates is None else gates, **other})


def ledger(gates: dict[str, Any] | None = None, **other: Any) -> Ledger:
    return Ledger(plan(gates, **other), colour="green", stable_colours=["blue"], grain_seconds=60)


def minute(
    at: int,
    green: Counts | None = None,
    blue: Counts | None = None,
    latencies: tuple[Quantiles, Quantiles] = (FAST, FAST),
) -> Interval:
    return Interval(
        start=60 * at,
        seconds=60,
        counts={"green": green or Counts(requests=40), "blue": blue or Counts(requests=360, errors=1)},
        quantiles={"green": latencies[0], "blue": latencies[1]},
    )


def feed(book: Ledger, *intervals: Interval, step: int = 1, **other: Any) -> None:
    for interval in intervals:
        given_ = {"phase": "mirror" if step == 0 else "live", "alone": step == 2, "warm": False, **other}
        book.feed(interval, step=step, **given_)


def by_name(book: Ledger, step: int = 1) -> dict[str, GateResult]:
    return {result.gate: result for result in book.results(step)}


def verdicts(book: Ledger, step: int = 1) -> dict[str, Verdict]:
    return {name: result.verdict for name, result in by_name(book, step).items()}


def test_requests_and_errors_are_counted_by_step() -> None:
    book = ledger()
    feed(book, minute(0, Counts(requests=10, errors=1)), minute(1, Counts(requests=10)))
    feed(book, minute(5, Counts(requests=100, errors=2, throttled=3)), step=2)
    assert (book.requests(1), book.errors(1)) == (20, 1)
    assert (book.requests(2), book.errors(2)) == (100, 2)
    assert (book.requests(0), book.errors(0)) == (0, 0)
    assert book.totals() == Counts(requests=120, errors=3, throttled=3)


@pytest.mark.parametrize("again", [minute(1), minute(0), Interval(start=61, seconds=60)])
def test_an_interval_counts_once(again: Interval) -> None:
    book = ledger()
    feed(book, minute(1))
    before = book.results(1)
    feed(book, again)
    assert book.requests(1) == 40
    assert book.results(1) == before


def test_a_good_step_passes_with_every_gate_in_the_order_of_the_plan() -> None:
    book = ledger()
    feed(book, *(minute(at) for at in range(5)))
    assert list(verdicts(book).items()) == [
        ("error_rate", Verdict.PASS),
        ("client_error_rate", Verdict.PASS),
        ("latency_p95", Verdict.PASS),
    ]
    assert by_name(book)["error_rate"].reason.startswith("200 requests, evidence ")


def test_nothing_measured_is_inconclusive_in_every_phase() -> None:
    for step in (0, 1, 2):
        assert set(verdicts(ledger(), step).values()) == {Verdict.INCONCLUSIVE}
        book = ledger()
        feed(book, *(Interval(start=60 * at, seconds=60) for at in range(40)), step=step)
        assert set(verdicts(book, step).values()) == {Verdict.INCONCLUSIVE}


def test_too_few_requests_are_inconclusive_and_say_how_many_are_missing() -> None:
    book = ledger()
    feed(book, *(minute(at) for at in range(3)))
    assert set(verdicts(book).values()) == {Verdict.INCONCLUSIVE}
    assert by_name(book)["error_rate"].reason == "green has had 120 of 150 requests in this step"
    book = ledger(min_requests=100)
    feed(book, *(minute(at) for at in range(3)))
    assert set(verdicts(book).values()) == {Verdict.PASS}


def test_requests_of_an_earlier_step_do_not_count() -> None:
    book = ledger()
    feed(book, *(minute(at) for at in range(5)))
    feed(book, minute(5), step=2)
    assert by_name(book, 2)["error_rate"].reason == "green has had 40 of 150 requests in this step"


def test_evidence_runs_on_over_the_live_steps() -> None:
    book = ledger({"error_rate": {"max": 0.01}})
    feed(book, *(minute(at, Counts(requests=40, errors=2)) for at in range(2)))
    assert verdicts(book)["error_rate"] is not Verdict.FAIL
    feed(book, minute(2, Counts(requests=40, errors=4), Counts()), step=2)
    assert verdicts(book, 2)["error_rate"] is Verdict.FAIL


def test_mirror_steps_have_processes_of_their_own() -> None:
    book = ledger()
    feed(book, *(minute(at, Counts(requests=40, errors=20)) for at in range(5)), step=0)
    assert verdicts(book, 0)["error_rate"] is Verdict.FAIL
    feed(book, *(minute(at) for at in range(5, 10)), step=1)
    assert verdicts(book, 1)["error_rate"] is Verdict.PASS
    assert verdicts(book, 0)["error_rate"] is Verdict.FAIL


def test_the_planned_intervals_are_those_of_the_phase() -> None:
    """After one empty interval, the prior of later starts is 0.1 * (1 - 1/H); a good interval leaves only that."""
    steps = [{"mirror": 20, "bake": "2m"}, {"weight": 10, "bake": "8m"}, {"weight": 100, "bake": "2m"}]
    for step, horizon in ((0, 2), (1, 10)):
        settings = PlanSettings.from_values({"steps": steps, "gates": {"error_rate": {"max": 0.01}}})
        book = Ledger(settings, colour="green", stable_colours=["blue"], grain_seconds=60)
        feed(book, minute(0, Counts(requests=100_000)), step=step)
        assert by_name(book, step)["error_rate"].ceiling == pytest.approx(0.1 * (1 - 1 / horizon))


def test_the_planned_intervals_at_all_requests_are_those_of_that_step() -> None:
    book = ledger({"error_rate": {"vs_stable": 1.5}})
    feed(book, *(minute(at) for at in range(5)))
    feed(book, minute(5, Counts(requests=100_000)), step=2)
    assert by_name(book, 2)["error_rate"].ceiling == pytest.approx(0.1 * (1 - 1 / 5))


def test_evidence_that_is_neither_weak_nor_strong_holds() -> None:
    book = ledger()
    feed(book, *(minute(at, Counts(requests=40, errors=at % 2)) for at in range(12)))
    result = by_name(book)["error_rate"]
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "too weak to fail and not below 3.0:1" in result.reason


def test_the_guard_alone_does_not_hold_a_colour_that_keeps_its_limits() -> None:
    """0.5 % against stable's 0.02 %, with a ceiling of 1 % only: worse, and allowed."""
    book = ledger({"error_rate": {"max": 0.01}})
    for at in range(30):
        feed(book, minute(at, Counts(requests=400, errors=2), Counts(requests=4000, errors=1)))
    result = by_name(book)["error_rate"]
    assert result.guard is not None
    assert result.guard > 1000
    assert result.verdict is Verdict.PASS


def test_minutes_in_which_stable_alone_breaks_the_ceiling_hold_and_do_not_count() -> None:
    book = ledger()
    sick = Counts(requests=360, errors=100)
    feed(book, *(minute(at, Counts(requests=40, errors=11), sick) for at in range(5)))
    result = by_name(book)["error_rate"]
    assert result.verdict is Verdict.INCIDENT
    feed(book, minute(5))
    assert by_name(book)["error_rate"].reason == (
        "green has had 40 of 150 requests in this step, not counting 200 while blue alone failed"
    )
    feed(book, *(minute(at) for at in range(6, 9)))
    assert verdicts(book)["error_rate"] is Verdict.PASS


def test_warm_up_is_for_latency_only() -> None:
    for warm, verdict in ((True, Verdict.INCONCLUSIVE), (False, Verdict.FAIL)):
        book = ledger({"latency_p95": {"max_ms": 400.0}})
        slow = (minute(at, latencies=(SLOW, FAST)) for at in range(30))
        feed(book, *slow, warm=warm)
        assert verdicts(book)["latency_p95"] is verdict
        book = ledger({"error_rate": {"max": 0.01}})
        feed(book, *(minute(at, Counts(requests=40, errors=20)) for at in range(3)), warm=warm)
        assert verdicts(book)["error_rate"] is Verdict.FAIL


def test_percentiles_that_are_missing_hold_their_gate_only() -> None:
    book = ledger()
    feed(book, *(minute(at, latencies=(Quantiles(), FAST)) for at in range(5)))
    assert by_name(book)["latency_p95"].reason == "no interval of this step has a P95 of green"
    assert verdicts(book)["error_rate"] is Verdict.PASS
    book = ledger({"latency_p95": {"vs_stable": 1.3}})
    feed(book, *(minute(at, latencies=(FAST, Quantiles())) for at in range(5)))
    assert by_name(book)["latency_p95"].reason == (
        "no interval of this step has enough requests to compare the latencies of green and blue"
    )


def test_a_comparison_needs_requests_of_stable_unless_green_has_all() -> None:
    gates = {"client_error_rate": {"vs_stable": 1.5}, "latency_p95": {"vs_stable": 1.3}}
    book = ledger(gates)
    feed(book, *(minute(at, blue=Counts()) for at in range(5)))
    assert by_name(book)["client_error_rate"].reason == "blue has had no requests in this step to compare with"
    assert set(verdicts(book).values()) == {Verdict.INCONCLUSIVE}
    feed(book, *(minute(at, blue=Counts()) for at in range(5, 10)), step=2)
    assert set(verdicts(book, 2).values()) == {Verdict.PASS}


def test_dry_run_is_reported_with_its_verdict() -> None:
    book = ledger({"error_rate": {"max": 0.01, "dry_run": True}})
    feed(book, *(minute(at, Counts(requests=40, errors=20)) for at in range(3)))
    result = by_name(book)["error_rate"]
    assert (result.verdict, result.dry_run) == (Verdict.FAIL, True)


def test_a_plan_without_gates_has_no_results() -> None:
    assert ledger({}).results(1) == ()


def test_saturation_and_checks_are_not_the_ledgers() -> None:
    gates = {"saturation": {"cpu": 85.0}, "checks": {"smoke": {"url": "https://example.org/health"}}}
    assert ledger(gates).results(1) == ()


COUNTS = st.builds(
    lambda good, bad, refused: Counts(requests=good + bad + refused, errors=bad, client_errors=refused),
    st.integers(min_value=0, max_value=200),
    st.integers(min_value=0, max_value=30),
    st.integers(min_value=0, max_value=30),
)
LATENCIES = st.sampled_from([FAST, SLOW, Quantiles(), Quantiles(p50=90.0, p99=1000.0)])
MINUTES = st.lists(
    st.tuples(COUNTS, COUNTS, LATENCIES, LATENCIES, st.sampled_from([0, 1, 2]), st.booleans()), max_size=20
)


@given(MINUTES, st.data())
def test_one_by_one_all_at_once_and_again_give_the_same(minutes: list[Any], data: st.DataObject) -> None:
    rows = sorted(minutes, key=lambda row: row[4])
    intervals = [minute(at, row[0], row[1], (row[2], row[3])) for at, row in enumerate(rows)]
    at_once, looking, repeating = ledger(), ledger(), ledger()
    for at, (interval, row) in enumerate(zip(intervals, rows, strict=True)):
        for book in (at_once, looking, repeating):
            feed(book, interval, step=row[4], warm=row[5])
        for step in (0, 1, 2):
            looking.results(step)
        earlier = data.draw(st.integers(min_value=0, max_value=at))
        feed(repeating, intervals[earlier], step=rows[earlier][4])
    for step in (0, 1, 2):
        assert at_once.results(step) == looking.results(step) == repeating.results(step)
    assert at_once.totals() == repeating.totals() == sum((row[0] for row in rows), Counts())


@given(MINUTES)
def test_evidence_is_bounded_and_a_failure_is_for_ever(minutes: list[Any]) -> None:
    book = ledger()
    failed: set[str] = set()
    for at, row in enumerate(minutes):
        feed(book, minute(at, row[0], row[1], (row[2], row[3])), step=1)
        for result in book.results(1):
            for evidence in (result.ceiling, result.guard, result.versus):
                assert evidence is None or 0.0 <= evidence <= 1e12 + 1
            assert result.gate not in failed or result.verdict is Verdict.FAIL
            if result.verdict is Verdict.FAIL:
                failed.add(result.gate)

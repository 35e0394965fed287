"""What of an answer becomes an interval, and what is refused."""

from __future__ import annotations

import math

import pytest

from rollout.evidence.intervals import Counts, Quantiles
from rollout.sources.metric_answer import Answer, Series, classify, look_at

START = 1_795_874_400


def series(value: float | None, deployment: str = "green", status: str = "200", model: str = "200") -> Series:
    labels = {"deployment": deployment, "statuscode": status, "modelstatuscode": model}
    return Series(labels=labels, values={START: value})


def look(total: float | None, *split: Series, grain: int = 60, **latencies: float | None):
    answer = Answer(
        total=[Series(values={START: total})] if total is not None else [Series(values={})],
        split=split,
        latencies={
            f"RequestLatency_{name}": [Series(labels={"deployment": "green"}, values={START: value})]
            for name, value in latencies.items()
        },
    )
    (found,) = look_at(answer, [START], grain, START + 100)
    return found


@pytest.mark.parametrize(
    ("status", "model", "counts"),
    [
        ("200", "200", Counts(requests=1)),
        ("204", "-", Counts(requests=1)),
        ("302", "", Counts(requests=1)),
        ("400", "400", Counts(requests=1, client_errors=1)),
        ("413", "-", Counts(requests=1, client_errors=1)),
        ("401", "-", Counts()),
        ("404", "-", Counts()),
        ("408", "-", Counts(requests=1, errors=1)),
        ("424", "500", Counts(requests=1, errors=1)),
        ("424", "-", Counts(requests=1, errors=1)),
        ("424", "200", Counts(requests=1, errors=1)),
        ("424", "422", Counts(requests=1, client_errors=1)),
        ("429", "-", Counts(throttled=1)),
        ("500", "-", Counts(requests=1, errors=1)),
        ("503", "-", Counts(requests=1, errors=1)),
        ("504", "200", Counts(requests=1, errors=1)),
    ],
)
def test_a_status_counts_as_the_gates_count_it(status, model, counts):
    assert classify(status, model, 1) == counts


def test_counts_are_added_by_deployment():
    found = look(11.0, series(7.0), series(2.0, status="424", model="500"), series(2.0, deployment="blue"))
    assert found.problem is None
    assert found.interval.counts == {"green": Counts(requests=9, errors=2), "blue": Counts(requests=2)}


def test_an_average_per_minute_of_one_second_is_divided():
    found = look(180.0, series(180.0), grain=1)
    assert found.interval.counts == {"green": Counts(requests=3)}


def test_requests_that_reached_no_deployment_are_in_the_total_and_nobodys():
    found = look(5.0, series(2.0), series(3.0, deployment="", status="404", model="-"))
    assert found.problem is None
    assert found.interval.counts == {"green": Counts(requests=2)}


@pytest.mark.parametrize("nothing", [None, 0.0])
def test_nothing_and_zero_are_an_interval_without_requests(nothing):
    found = look(nothing, *([] if nothing is None else [series(0.0)]))
    assert found.problem is None
    assert not found.has_requests
    assert found.interval.counts == {}


@pytest.mark.parametrize(
    ("total", "split", "said"),
    [
        (10.5, 10.5, "not a whole number"),
        (20 / 3, 20 / 3, "average, not a count"),
        (math.nan, 3.0, "not a number of requests"),
        (math.inf, 3.0, "not a number of requests"),
        (-1.0, -1.0, "not a number of requests"),
        (10.0, 9.0, "shows 10 requests, and 9 when it is split"),
        (10.0, None, "shows 10 requests, and 0 when it is split"),
        (None, 9.0, "shows 0 requests, and 9 when it is split"),
    ],
)
def test_what_is_no_count_is_no_evidence(total, split, said):
    found = look(total, series(split))
    assert said in (found.problem or "")
    assert found.interval.counts == {}


def test_a_fraction_in_one_series_is_found_though_the_total_is_whole():
    assert "not a whole number" in (look(10.0, series(9.5), series(0.5, deployment="blue")).problem or "")


def test_an_unknown_status_is_not_taken_for_a_success():
    assert "statusCode 'Unknown'" in (look(1.0, series(1.0, status="Unknown")).problem or "")


def test_series_that_were_left_out_are_missed():
    """Eleven status codes, of which the service shows ten: the errors would vanish."""
    split = [series(10.0, status="200"), *(series(1.0, status=str(500 + number)) for number in range(9))]
    assert "time series are missing" in (look(20.0, *split).problem or "")


def test_latencies_are_read_and_zero_or_nothing_is_no_latency():
    found = look(10.0, series(10.0), P50=12.5, P95=40.0, P99=0.0, P90=None)
    assert found.interval.quantiles == {"green": Quantiles(p50=12.5, p95=40.0)}


@pytest.mark.parametrize("value", [math.nan, -1.0, math.inf])
def test_what_is_no_latency_is_refused(value):
    assert "not a latency" in (look(10.0, series(10.0), P50=value).problem or "")

"""The source with Azure's own client: what it asks, and how it takes the answers."""

from __future__ import annotations

import pytest

from rollout.errors import MetricsError
from rollout.evidence.intervals import Counts, Quantiles
from rollout.sources import azure_monitor
from tests.rollout.sources.monitor_answers import ENDPOINT, START, definitions, metric, monitor_with

GREEN = {"deployment": "green", "statusCode": "200", "modelStatusCode": "200"}
BROKEN = GREEN | {"statusCode": "424", "modelStatusCode": "500"}
PERCENTILES = ("RequestLatency_P50", "RequestLatency_P90", "RequestLatency_P95", "RequestLatency_P99")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(azure_monitor.time, "sleep", lambda seconds: None)


def answering(*, total=None, split=(), latencies=None, grains=None):
    """Azure Monitor with these values at START and one minute after it."""

    def answer(path, query):
        if path.endswith("metricDefinitions"):
            return 200, definitions(grains or {"PT1M": "P93D", "PT5M": "P93D"}), {}
        names = query["metricnames"].split(",")
        if names != ["RequestsPerMinute"]:
            rows = latencies or {}
            return 200, {"value": [metric(name, rows.get(name, [])) for name in names]}, {}
        rows = split if "$filter" in query else [({}, total if total is not None else {START: None})]
        return 200, {"value": [metric("RequestsPerMinute", rows)]}, {}

    return answer


def test_the_finest_grain_is_the_one_that_the_definitions_name():
    monitor, _ = monitor_with(answering(grains={"PT1M": "P93D", "PT1S": "PT5M", "PT1H": "P93D"}))
    assert monitor.grain == azure_monitor.Grain(seconds=1, reach_seconds=300)
    monitor, transport = monitor_with(answering())
    assert monitor.grain == azure_monitor.Grain(seconds=60, reach_seconds=93 * 86400)
    assert monitor.grain.seconds == 60
    assert len(transport.asked) == 1  # asked once


def test_one_reading_takes_three_queries_at_the_scope_of_the_endpoint():
    rows = [(GREEN, {START: 9.0, START + 60: None}), (BROKEN, {START: 1.0})]
    latencies = {"RequestLatency_P95": [({"deployment": "green"}, {START: 41.5, START + 60: None})]}
    monitor, transport = monitor_with(answering(total={START: 10.0, START + 60: None}, split=rows, latencies=latencies))
    assert monitor.grain.seconds == 60
    first, second = monitor.looks(START - 7, START + 125, 60)
    assert (first.interval.start, second.interval.start) == (START, START + 60)
    assert first.interval.counts == {"green": Counts(requests=10, errors=1)}
    assert first.interval.quantiles == {"green": Quantiles(p95=41.5)}
    assert not second.has_requests
    asked = transport.asked[1:]
    assert {path for path, _ in asked} == {f"{ENDPOINT}/providers/Microsoft.Insights/metrics"}
    total, split, latency = (query for _, query in asked)
    assert "$filter" not in total
    assert "top" not in total
    assert split["$filter"] == "deployment eq '*' and statusCode eq '*' and modelStatusCode eq '*'"
    assert split["top"] == latency["top"] == "1000"
    assert latency["metricnames"] == ",".join(PERCENTILES)
    assert {query["interval"] for query in (total, split, latency)} == {"PT1M"}
    assert {query["aggregation"] for query in (total, split, latency)} == {"Average"}
    assert {query["timespan"] for query in (total, split, latency)} == {"2026-11-28T14:00:00Z/2026-11-28T14:02:00Z"}


def test_the_counts_alone_take_one_query():
    monitor, transport = monitor_with(answering(split=[(GREEN, {START: 9.0}), (BROKEN, {START: 1.0})]))
    assert monitor.grain.seconds == 60
    (look,) = monitor.looks(START, START + 60, 60, counts_only=True)
    assert (look.counts_only, look.problem) == (True, None)
    assert look.interval.counts == {"green": Counts(requests=10, errors=1)}
    assert not look.interval.quantiles
    assert len(transport.asked) == 2


def test_hours_are_read_in_parts():
    monitor, transport = monitor_with(answering())
    looks = monitor.looks(START, START + 1200 * 60, 60)
    assert [look.interval.start for look in looks] == list(range(START, START + 1200 * 60, 60))
    assert len(transport.asked) == 1 + 3 * 3


def test_what_the_metric_no_longer_has_is_left_out_and_not_zero():
    monitor, _ = monitor_with(answering(grains={"PT1S": "PT5M"}))
    looks = monitor.looks(START, START + 1000, 1)
    assert looks[0].interval.start == START + 1000 - 300 + 1


def test_nothing_is_asked_before_an_interval_has_ended():
    monitor, transport = monitor_with(answering())
    assert monitor.looks(START, START + 59, 60) == ()
    assert [path for path, _ in transport.asked if path.endswith("/metrics")] == []


def test_an_answer_with_too_many_series_is_refused():
    rows = [({**GREEN, "statusCode": str(100 + number % 400)}, {START: 1.0}) for number in range(1000)]
    monitor, _ = monitor_with(answering(total={START: 1000.0}, split=rows))
    with pytest.raises(MetricsError, match="1000 or more time series"):
        monitor.looks(START, START + 60, 60)


def test_numbers_that_are_no_json_numbers_are_refused():
    """Azure Monitor has answered NaN (Azure/azure-sdk-for-net issues); JSON's extension lets it through."""
    monitor, _ = monitor_with(answering(total={START: float("nan")}, split=[(GREEN, {START: float("nan")})]))
    (look,) = monitor.looks(START, START + 60, 60)
    assert "not a number of requests" in (look.problem or "")


def test_a_metric_with_an_error_of_its_own_is_no_zero():
    def answer(path, query):
        if path.endswith("metricDefinitions"):
            return 200, definitions({"PT1M": "P93D"}), {}
        return 200, {"value": [metric("RequestsPerMinute", [], code="InternalError")]}, {}

    monitor, _ = monitor_with(answer)
    with pytest.raises(MetricsError, match="cannot read RequestsPerMinute: InternalError"):
        monitor.looks(START, START + 60, 60)


def test_a_metric_that_is_left_out_is_no_zero():
    monitor, _ = monitor_with(lambda path, query: (200, {"value": []}, {}))
    with pytest.raises(MetricsError, match="offers no metric RequestsPerMinute"):
        _ = monitor.grain
    monitor, _ = monitor_with(
        lambda path, query: (200, definitions({"PT1M": "P93D"}) if "Definitions" in path else {"value": []}, {})
    )
    with pytest.raises(MetricsError, match="left out RequestsPerMinute"):
        monitor.looks(START, START + 60, 60)


def test_a_dimension_that_is_missing_is_named():
    monitor, _ = monitor_with(lambda path, query: (200, definitions({"PT1M": "P93D"}, ["deployment"]), {}))
    with pytest.raises(MetricsError, match="by statusCode, modelStatusCode"):
        _ = monitor.grain


@pytest.mark.parametrize("status", [429, 500, 503, 529])
def test_a_refusal_is_repeated_on_its_own_budget(status):
    refusals = [(status, {"code": "TooManyRequests", "message": "slow down"}, {"Retry-After": "1"})] * 2
    good = answering()
    monitor, transport = monitor_with(lambda path, query: refusals.pop() if refusals else good(path, query))
    assert monitor.grain.seconds == 60
    assert len(transport.asked) == 3
    monitor, transport = monitor_with(lambda path, query: (status, {"code": "X", "message": "no"}, {}))
    with pytest.raises(MetricsError, match=f"did not answer for metric definitions: {status}"):
        _ = monitor.grain
    assert len(transport.asked) == azure_monitor.ATTEMPTS


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_refusal_that_stays_is_said_at_once(status):
    monitor, transport = monitor_with(lambda path, query: (status, {"code": "X", "message": "no such thing"}, {}))
    with pytest.raises(MetricsError, match="no such thing"):
        _ = monitor.grain
    assert len(transport.asked) == 1


def test_an_answer_that_is_not_json_is_an_error_of_the_source():
    monitor, _ = monitor_with(lambda path, query: (200, "<html>sign in</html>", {}))
    with pytest.raises(MetricsError):
        _ = monitor.grain


def test_the_peak_is_the_busiest_minute():
    monitor, _ = monitor_with(answering(total={START: 40.0, START + 60: 75.0, START + 120: None}))
    assert monitor.peak_per_minute(START, START + 180) == 75.0
    monitor, _ = monitor_with(answering())
    assert monitor.peak_per_minute(START, START + 180) == 0.0

"""What faults make of metrics, and which metric queries a fault on requests reaches; no server."""

from __future__ import annotations

from typing import Any

import pytest

from localazure.faults.fault import NEEDS_BY, Fault, Kind, read_fault
from localazure.faults.metrics import MetricFaults
from localazure.faults.registry import Faults
from localazure.faults.subjects import metrics_subject, request_subject
from localazure.monitor.definitions import ENDPOINTS, definitions
from localazure.monitor.measures import Measured, Series, Span

NOW = 1_800_000_000
COUNTS, LATENCY = (definitions(ENDPOINTS)[name] for name in ("requestsperminute", "requestlatency_p95"))
WORKSPACE = "/subscriptions/s/resourceGroups/rg1/providers/Microsoft.MachineLearningServices/workspaces/ws1"
FRAUD, OTHER = f"{WORKSPACE}/onlineEndpoints/fraud-dev", f"{WORKSPACE}/onlineEndpoints/other"
SPAN = Span(NOW - 300, NOW, 60, NOW)
OLD, YOUNG = NOW - 240, NOW - 60
TRUTH: Series = {("green",): {OLD: {"average": 30.0}, YOUNG: {"average": 15.0}}}


def seen(*faults: dict[str, Any], definition: Any = COUNTS, endpoint: str = "fraud-dev", span: Span = SPAN) -> Series:
    active = Faults()
    for document in faults:
        active.add(read_fault(document, ()))
    return MetricFaults(active)(Measured(endpoint), definition, span, TRUTH)


def values(series: Series) -> dict[int, float]:
    return {slot: point["average"] for slot, point in series["green",].items()}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "metrics-late", "by_seconds": 120}, {OLD: 30.0}),
        ({"kind": "metrics-zero", "by_seconds": 120}, {OLD: 30.0, YOUNG: 0.0}),
        ({"kind": "metrics-zero"}, {OLD: 30.0, YOUNG: 0.0}),
        ({"kind": "metrics-partial", "by_seconds": 120}, {OLD: 30.0, YOUNG: 7.0}),
        ({"kind": "metrics-partial", "by_seconds": 1000}, {OLD: 15.0, YOUNG: 7.0}),
        ({"kind": "metrics-missing"}, {}),
        ({"kind": "metrics-averaged"}, {OLD: 10.0, YOUNG: 5.0}),
    ],
)
def test_each_kind_distorts_the_counts(fault, expected):
    assert values(seen(fault | {"name": "fraud-dev"})) == expected
    assert seen(fault | {"name": "other"}) == TRUTH


@pytest.mark.parametrize("kind", ["metrics-partial", "metrics-averaged"])
def test_latencies_are_no_counts(kind):
    assert seen({"kind": kind}, definition=LATENCY) == TRUTH


def test_latencies_are_late_too():
    assert values(seen({"kind": "metrics-late", "by_seconds": 120}, definition=LATENCY)) == {OLD: 30.0}


def test_a_second_counts_whole_requests():
    span = Span(NOW - 300, NOW, 1, NOW)
    truth: Series = {("green",): {NOW - 5: {"average": 180.0}}}
    active = Faults()
    active.add(Fault(kind=Kind.METRICS_PARTIAL, by_seconds=120.0))
    assert values(MetricFaults(active)(Measured("fraud-dev"), COUNTS, span, truth)) == {NOW - 5: 60.0}


def test_several_faults_act_together():
    both = seen({"kind": "metrics-averaged"}, {"kind": "metrics-late", "by_seconds": 120})
    assert values(both) == {OLD: 10.0}


def test_without_a_fault_the_series_are_as_they_are():
    assert MetricFaults(Faults())(Measured("fraud-dev"), COUNTS, SPAN, TRUTH) is TRUTH


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind.startswith("metrics-")])
def test_faults_on_metrics_are_about_endpoints_and_take_no_method(kind):
    document: dict[str, Any] = {"kind": str(kind)}
    if kind in NEEDS_BY:
        document["by_seconds"] = 1
    assert read_fault(document | {"type": "onlineEndpoints"}, ()).kind is kind
    with pytest.raises(Exception, match="does not take method"):
        read_fault(document | {"method": "GET"}, ())
    with pytest.raises(Exception, match="affects onlineendpoints only"):
        read_fault(document | {"type": "workspaces"}, ())


@pytest.mark.parametrize("what", ["metrics", "metricDefinitions"])
def test_a_fault_on_requests_reaches_the_metrics_of_one_endpoint_by_both_routes(what):
    fault = Fault(kind=Kind.ERROR, type=what, name="fraud-dev")
    route = f"providers/Microsoft.Insights/{what}"
    assert fault.matches(request_subject("GET", f"{FRAUD}/{route}"))
    assert fault.matches(request_subject("GET", f"{FRAUD}/deployments/green/{route}"))
    assert not fault.matches(request_subject("GET", f"{OTHER}/{route}"))
    if what == "metrics":
        assert fault.matches(metrics_subject("POST", [OTHER, f"{FRAUD}/deployments/green"]))
        assert not fault.matches(metrics_subject("POST", [OTHER]))


def test_a_fault_on_an_endpoint_is_not_used_up_by_reading_its_metrics():
    subject = request_subject("GET", f"{FRAUD}/providers/Microsoft.Insights/metrics")
    assert not Fault(kind=Kind.ERROR, name="fraud-dev").matches(subject)
    assert Fault(kind=Kind.ERROR, type="metrics").matches(subject)
    assert Fault(kind=Kind.ERROR, type="metrics", name="fraud-dev/green").matches(
        request_subject("GET", f"{FRAUD}/deployments/green/providers/Microsoft.Insights/metrics")
    )

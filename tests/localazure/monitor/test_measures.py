"""What becomes of requests and samples: buckets, percentiles, time series, within bounded memory."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localazure.monitor import metrics as metrics_module
from localazure.monitor.buckets import KEPT_SECONDS, Bucket, PackedBucket, RequestSeries
from localazure.monitor.definitions import DEPLOYMENTS, ENDPOINTS, definitions
from localazure.monitor.filters import parse_filter
from localazure.monitor.measures import Measured, Span, measure
from localazure.monitor.metrics import Metrics
from localazure.scoring.served import ServedRequest

START = 1_800_000_000 // 60 * 60
FRAUD = Measured("fraud")
BLUE = Measured("fraud", "blue")


def served(at: float, deployment: str = "blue", seconds: float = 0.01, status: int = 200, **more) -> ServedRequest:
    """A request that ended `at` seconds after START."""
    values = {"model_status": 200 if status == 200 else 500, "request_bytes": 40, "response_bytes": 60} | more
    return ServedRequest(
        endpoint=values.pop("endpoint", "fraud"),
        deployment=deployment,
        request_id="id",
        method="POST",
        path="/score",
        started=START + at - seconds,
        seconds=seconds,
        status=status,
        **values,
    )


def observed(*requests: ServedRequest) -> Metrics:
    metrics = Metrics(lambda: START)
    for request in requests:
        metrics.observe(request)
    return metrics


def series(metrics, name, *, resource=FRAUD, wanted="", start=0, end=120, grain=60, now=1000):
    """{group: [value per grain]} with None for no value, averages only."""
    definition = definitions(DEPLOYMENTS if resource.deployment else ENDPOINTS)[name.lower()]
    span = Span(START + start, START + end, grain, START + now)
    found = measure(metrics, definition, resource, span, parse_filter(wanted, definition.dimensions, name))
    return {
        group: [points[slot]["average"] if slot in points else None for slot in span.slots()]
        for group, points in found.items()
    }


def test_requests_are_counted_in_the_minute_they_ended_in():
    metrics = observed(served(10), served(59.9), served(60.1), served(61))
    assert series(metrics, "RequestsPerMinute") == {(): [2.0, 2.0]}


def test_a_minute_counts_when_it_is_over_and_an_empty_one_has_no_value():
    metrics = observed(served(10), served(130))
    assert series(metrics, "RequestsPerMinute", end=180, now=179) == {(): [1.0, None, None]}
    assert series(metrics, "RequestsPerMinute", end=180, now=180) == {(): [1.0, None, 1.0]}


def test_a_second_is_given_as_a_rate_per_minute():
    metrics = observed(served(10.2), served(10.8), served(12.1))
    rate = series(metrics, "RequestsPerMinute", start=10, end=13, grain=1, now=13)
    assert rate == {(): [120.0, None, 60.0]}


def test_requests_split_by_deployment_and_status():
    metrics = observed(
        served(1), served(2, "green"), served(3, "green", status=424), served(4, "green", status=429, model_status=None)
    )
    by_deployment = series(metrics, "RequestsPerMinute", wanted="deployment eq '*'", end=60)
    assert by_deployment == {("blue",): [1.0], ("green",): [3.0]}
    errors = series(metrics, "RequestsPerMinute", wanted="Deployment eq 'GREEN' and statusCodeClass eq '4xx'", end=60)
    assert errors == {("green", "4xx"): [2.0]}
    models = series(metrics, "RequestsPerMinute", wanted="statusCode eq '*' and modelStatusCode eq '*'", end=60)
    assert models == {("200", "200"): [2.0], ("424", "500"): [1.0], ("429", "-"): [1.0]}
    envoy = series(
        metrics, "RequestsPerMinute", resource=Measured("fraud", "green"), wanted="envoy_response_code ne '200'", end=60
    )
    assert envoy == {("424",): [1.0], ("429",): [1.0]}


def test_a_mirrored_copy_shows_in_the_metrics_of_its_shadow():
    metrics = observed(served(1), served(1.1, "green", mirrored=True))
    assert series(metrics, "RequestsPerMinute", resource=Measured("fraud", "green"), end=60) == {(): [1.0]}


def test_refusals_before_a_deployment_was_chosen_count_as_requests_without_latency():
    metrics = observed(served(1, "", status=401, model_status=None), served(2, seconds=0.5))
    assert series(metrics, "RequestsPerMinute", wanted="statusCode eq '401'", end=60) == {("401",): [1.0]}
    assert series(metrics, "RequestLatency", end=60) == {(): [pytest.approx(500)]}


def test_names_are_compared_without_case():
    metrics = observed(served(1, "Blue", endpoint="Fraud"), served(2, "blue"))
    assert series(metrics, "RequestsPerMinute", resource=BLUE, end=60) == {(): [2.0]}


def test_percentiles_are_within_two_percent_of_the_true_ones():
    chance = random.Random(3)
    latencies = [chance.lognormvariate(-4, 0.7) for _ in range(5000)]
    metrics = observed(*(served(30, seconds=latency) for latency in latencies))
    ordered = sorted(latencies)
    for name, share in (("P50", 0.5), ("P90", 0.9), ("P95", 0.95), ("P99", 0.99)):
        value = series(metrics, f"RequestLatency_{name}", resource=BLUE, end=60)[()][0]
        assert value == pytest.approx(ordered[int(share * 5000) - 1] * 1000, rel=0.02)
    mean = series(metrics, "RequestLatency", end=60)[()][0]
    assert mean == pytest.approx(sum(latencies) / 5, rel=1e-3)


@given(st.lists(st.floats(1e-5, 180), min_size=1, max_size=60), st.floats(0.01, 1))
def test_a_percentile_lies_near_a_latency_that_was_there(latencies, share):
    bucket = Bucket(0)
    for latency in latencies:
        bucket.add(served(0, seconds=latency))
    value = bucket.percentile_seconds(share)
    assert value is not None
    assert any(value == pytest.approx(latency, rel=0.02) for latency in latencies)
    packed = Bucket(0)
    packed.merge(PackedBucket.of(bucket))
    assert packed.percentile_seconds(share) == value


@given(st.lists(st.tuples(st.integers(0, 4000), st.sampled_from((200, 424))), max_size=80))
def test_nothing_is_lost_or_counted_twice_between_seconds_and_minutes(events):
    one = RequestSeries("fraud", "blue")
    for second, status in sorted(events):
        one.add(served(second, status=status), START + second)
    read = one.minutes(START, START + 4200, START + 5000)
    assert sum(sum(bucket.statuses.values()) for bucket in read) == len(events)


def test_a_larger_grain_adds_up_and_an_unfinished_one_counts_whole_minutes():
    metrics = observed(*(served(second) for second in range(0, 300, 10)))
    assert series(metrics, "RequestsPerMinute", end=300, grain=300) == {(): [6.0]}
    assert series(metrics, "RequestsPerMinute", end=300, grain=300, now=130) == {(): [6.0]}


def test_a_clock_that_is_set_back_loses_no_request():
    metrics = observed(served(50), served(20), served(51))
    assert series(metrics, "RequestsPerMinute", end=60) == {(): [3.0]}


def test_bytes_and_connections_belong_to_the_endpoint():
    metrics = observed(served(1), served(2))
    assert series(metrics, "NetworkBytes", end=60) == {(): [pytest.approx(200 / 60)]}
    metrics.record_connections("fraud", START + 0, 2)
    metrics.record_connections("fraud", START + 30, 4)
    assert series(metrics, "ConnectionsActive", end=60) == {(): [3.0]}


def test_usage_is_an_average_over_instances_with_extremes():
    metrics = Metrics(lambda: START)
    for second in range(60):
        metrics.record_usage("fraud", "blue", "a", START + second, cpu=20.0, memory=5.0)
        metrics.record_usage("fraud", "blue", "b", START + second, cpu=60.0, memory=5.0)
    assert series(metrics, "CpuUtilizationPercentage", resource=BLUE, end=60) == {(): [40.0]}
    split = series(metrics, "CpuUtilizationPercentage", resource=BLUE, wanted="instanceId eq '*'", end=60)
    assert split == {("a",): [20.0], ("b",): [60.0]}
    definition = definitions(DEPLOYMENTS)["cpuutilizationpercentage"]
    span = Span(START, START + 60, 60, START + 60)
    point = measure(metrics, definition, BLUE, span, parse_filter("", (), "x"))[()][START]
    assert point == {"average": 40.0, "minimum": 20.0, "maximum": 60.0}


def test_capacity_is_weighted_by_time_and_split_by_state():
    metrics = Metrics(lambda: START)
    metrics.record_instances("fraud", "blue", START + 0, (("a", "Ready"),))
    metrics.record_instances("fraud", "blue", START + 30, (("a", "Ready"), ("b", "NotReady")))
    assert series(metrics, "DeploymentCapacity", resource=BLUE, end=60) == {(): [1.5]}
    by_state = series(metrics, "DeploymentCapacity", resource=BLUE, wanted="State eq '*'", end=60)
    assert by_state == {("Ready",): [1.0], ("NotReady",): [0.5]}


def test_memory_is_bounded(monkeypatch):
    one = RequestSeries("fraud", "blue")
    for second in range(0, 7200, 5):
        one.add(served(second), START + second)
    one.limit(10, START + 7200)
    assert len(list(one.minutes(START, START + 9000, START + 9000))) <= 12
    kept = [bucket.start for bucket in one.seconds(START, START + 9000, START + 9000)]
    assert kept == list(range(START + 7200 - KEPT_SECONDS, START + 7200, 5))
    one.limit(10, START + 7200 + KEPT_SECONDS)
    assert list(one.seconds(START, START + 7195, START + 9000)) == [], "of a deployment that is quiet as well"
    monkeypatch.setattr(metrics_module, "MAX_SERIES", 3)
    metrics = observed(*(served(number, f"d{number}") for number in range(6)))
    metrics.limit(START + 6)
    assert [one.deployment for one in metrics.requests("fraud")] == ["d3", "d4", "d5"]
    metrics.observe(served(7, "d0"))
    assert [one.deployment for one in metrics.requests("fraud", "d0")] == ["d0"]

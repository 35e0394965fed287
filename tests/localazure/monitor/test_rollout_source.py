"""The source of evidence on a running local Azure, which it asks through azure.mgmt.monitor; compute is simulated."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.credentials import AccessToken

from endpoint_client.address import EndpointAddress
from localazure import identity
from resource_manager.client import ArmClient
from resource_manager.operations import ArmOperations
from rollout.errors import MetricsError
from rollout.sources.azure_monitor import ArmMetricsRoute, AzureMonitor, Grain
from rollout.sources.live import ArmEndpoint
from rollout.sources.metric_answer import Look
from rollout.sources.metrics import AzureMetrics
from rollout.sources.verify import DirectProbes
from rollout.split import Split
from tests.rollout.sources.reading_state import State
from tests.waiting import HANGS, wait_until

pytestmark = pytest.mark.integration

GROUP = "rg1"


class Login:
    """The local Azure checks no login."""

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        return AccessToken("x", int(time.time()) + 3600)


@pytest.fixture
def at(monkeypatch) -> Callable[[Any], None]:
    """Puts this process into the shell of a local Azure."""

    def enter(azure: Any) -> None:
        for name, value in {
            "ARM_CLOUD_METADATA_URL": f"{azure.http}/metadata/endpoints?api-version=2022-09-01",
            "NO_PROXY": "localhost",
            "REQUESTS_CA_BUNDLE": str(azure.home / "ca.pem"),
            "SSL_CERT_FILE": str(azure.home / "ca.pem"),
        }.items():
            monkeypatch.setenv(name, value)

    return enter


def monitor_of(endpoint: str) -> AzureMonitor:
    return AzureMonitor(endpoint, ArmMetricsRoute(ArmClient(Login()), identity.SUBSCRIPTION_ID))


def totals(looks: tuple[Look, ...]) -> dict[str, tuple[int, int]]:
    """Requests and errors by deployment."""
    found: dict[str, tuple[int, int]] = {}
    for look in looks:
        assert look.problem is None
        for name, counts in look.interval.counts.items():
            requests_so_far, errors = found.get(name, (0, 0))
            found[name] = (requests_so_far + counts.requests, errors + counts.errors)
    return found


def fault(azure: Any, kind: str, **scope: Any) -> None:
    answer = requests.post(
        f"{azure.http}/_local/faults",
        json={"kind": kind, **scope},
        headers={"X-Local-Token": (azure.home / "control.token").read_text()},
        timeout=HANGS,
    )
    assert answer.status_code == 201, answer.text


def clear(azure: Any) -> None:
    headers = {"X-Local-Token": (azure.home / "control.token").read_text()}
    assert requests.delete(f"{azure.http}/_local/faults", headers=headers, timeout=HANGS).ok


def seconds_of(azure: Any, endpoint: str, count: int) -> int:
    """Sends requests to the endpoint; returns when they began, once their seconds have ended."""
    start = int(time.time())
    for _ in range(count):
        assert azure.score(endpoint.rpartition("/")[2]).status_code == 200
    time.sleep(2)
    return start


def test_counts_and_latencies_by_colour(azure, at):
    at(azure)
    endpoint = azure.serve("source", {"blue": 50, "green": 50}, blue=1, green=1)
    monitor = monitor_of(endpoint)
    assert monitor.grain == Grain(seconds=1, reach_seconds=300)
    start = seconds_of(azure, endpoint, 60)
    fault(azure, "errors", name="source/green")
    for _ in range(5):
        assert azure.score("source", **{"azureml-model-deployment": "green"}).status_code == 424
    assert azure.score("source", key="wrong").status_code == 401
    clear(azure)
    time.sleep(2)
    looks = monitor.looks(start, int(time.time()), 1)
    found = totals(looks)
    assert found["blue"][0] + found["green"][0] == 65
    assert (found["blue"][1], found["green"][1]) == (0, 5)
    latencies = [look.interval.quantiles_of("blue") for look in looks if look.interval.counts_of("blue").requests]
    assert all(one.p50 and one.p99 and one.p50 <= one.p99 for one in latencies)
    assert monitor.peak_per_minute(start, int(time.time())) >= 0


@pytest.mark.proves(
    "faults",
    honours=["metrics-late", "metrics-zero", "metrics-partial", "metrics-missing", "metrics-averaged"],
    client="azure-mgmt",
)
def test_metrics_go_wrong_on_command_and_are_right_again_afterwards(azure, at):
    at(azure)
    endpoint = azure.serve("distorted", {"blue": 100}, blue=1)
    monitor = monitor_of(endpoint)
    start = seconds_of(azure, endpoint, 31)

    def seen() -> tuple[dict[str, tuple[int, int]], list[str]]:
        looks = monitor.looks(start, int(time.time()), 1)
        good = tuple(look for look in looks if look.problem is None)
        return totals(good), [look.problem for look in looks if look.problem]

    assert seen() == ({"blue": (31, 0)}, [])
    for kind in ("metrics-late", "metrics-zero", "metrics-missing"):
        fault(azure, kind, name="distorted", **({} if kind == "metrics-missing" else {"by_seconds": 200}))
        assert seen() == ({}, [])
        clear(azure)
    fault(azure, "metrics-partial", name="distorted", by_seconds=200)
    assert 0 < seen()[0]["blue"][0] < 31
    clear(azure)
    fault(azure, "metrics-averaged", name="distorted")
    assert any("not a whole number" in problem for problem in seen()[1]) or seen()[0]["blue"][0] < 31
    clear(azure)
    fault(azure, "metrics-missing", name="another-endpoint")
    assert seen() == ({"blue": (31, 0)}, [])
    clear(azure)


def test_what_is_late_zero_or_partial_at_first_counts_once_and_rightly(azure, at):
    """Requests are sent while readings are taken every half second, as a rollout does with the local grain."""
    at(azure)
    kinds = ("metrics-late", "metrics-zero", "metrics-partial")
    endpoints = {kind: azure.serve(kind, {"blue": 100}, blue=1) for kind in kinds}
    for kind in kinds:
        fault(azure, kind, name=kind, by_seconds=3)
    start = int(time.time())
    states = {kind: State(grain_seconds=1, settle_seconds=4, read_until=start) for kind in kinds}
    sources = {kind: AzureMetrics(monitor_of(endpoints[kind]), Path("."), time.sleep) for kind in kinds}
    counted = dict.fromkeys(kinds, 0)
    sent, last_sent = 0, start
    while min(state.read_until for state in states.values()) <= last_sent:
        is_sending = time.time() < start + 5
        sent += is_sending
        for kind in kinds:
            if is_sending:
                assert azure.score(kind).status_code == 200
                last_sent = int(time.time())
            reading = sources[kind].read(states[kind], int(time.time()))
            assert reading.problem is None
            assert [one.start for one in reading.settled] == list(range(states[kind].read_until, reading.settled_until))
            states[kind].read_until = reading.settled_until
            counted[kind] += sum(one.counts_of("blue").requests for one in reading.settled)
        time.sleep(0.5)
    clear(azure)
    assert counted == dict.fromkeys(kinds, sent)


def test_a_fault_on_the_route_is_an_error_of_the_source(azure, at, monkeypatch):
    at(azure)
    endpoint = azure.serve("unreadable", {"blue": 100}, blue=1)
    monitor = monitor_of(endpoint)
    assert monitor.grain.seconds == 1
    monkeypatch.setattr("rollout.sources.azure_monitor.time.sleep", lambda seconds: None)
    fault(azure, "429", type="metrics", name="unreadable", count=2)
    now = int(time.time())
    assert totals(monitor.looks(now - 5, now, 1)) == {}  # repeated until it was answered
    fault(azure, "500", type="metrics", name="unreadable", status=503)
    with pytest.raises(MetricsError, match="did not answer for RequestsPerMinute: 503"):
        monitor.looks(now - 5, now, 1)
    clear(azure)


def test_the_endpoint_is_read_and_its_weights_are_set_without_the_engine(azure, at):
    at(azure)
    endpoint = azure.serve("broken-glass", {"blue": 90, "green": 10}, blue=1, green=2)
    live = ArmEndpoint(ArmOperations(lambda text: None, HANGS, Login()), endpoint)
    before = live.endpoint()
    assert (before.traffic, before.deployments["green"].instances) == ({"blue": 90, "green": 10}, 2)
    live.set_split(Split(traffic={"blue": 100}))
    after = live.endpoint()
    assert (after.traffic, after.mirror, after.state) == ({"blue": 100}, {}, "succeeded")
    assert after.identity_ids == before.identity_ids
    assert ArmEndpoint(live.arm, endpoint + "-absent").endpoint() is None


def test_probes_by_header_are_counted_exactly(azure, at, tmp_path):
    at(azure)
    (tmp_path / "sample-request.json").write_text("[1]")
    endpoint = azure.serve("probed", {"blue": 100}, blue=1, green=1)
    address = EndpointAddress(identity.SUBSCRIPTION_ID, GROUP, "ws1", "probed")
    assert address.id == endpoint
    probes = DirectProbes(ArmClient(Login()), address, tmp_path, lambda: int(time.time()))
    probed = probes.send("green", "blue")
    assert (probed.sent, probed.problem) == (20, None)
    monitor = monitor_of(endpoint)
    wait_until(lambda: totals(monitor.looks(probed.start, int(time.time()), 1)).get("green") == (20, 0))
    fault(azure, "errors", name="probed/green")
    failed = probes.send("green", None)
    assert failed.sent == 1
    assert "model green answered 500" in (failed.problem or "")
    clear(azure)


@pytest.mark.proves(
    "switches", honours=["--metric-grain", "--mirrored-copies", "--name-last-writer"], client="azure-mgmt"
)
def test_a_stricter_local_azure(start_azure, at, tmp_path: Path):
    azure = start_azure(
        *(tmp_path / "home", "--compute", "simulated", "--metric-grain", "PT1M"),
        *("--mirrored-copies", "left-out", "--name-last-writer"),
    )
    azure.make_workspace()
    at(azure)
    endpoint = azure.serve("strict", {"blue": 100}, {"green": 50}, blue=1, green=1)
    monitor = monitor_of(endpoint)
    assert monitor.grain == Grain(seconds=60, reach_seconds=12 * 3600)
    now = int(time.time())
    with pytest.raises(MetricsError, match="interval must be one of PT1M"):
        monitor.looks(now - 10, now, 1)
    for _ in range(20):
        assert azure.score("strict").status_code == 200
    wait_until(lambda: azure.arm("GET", "/_local/status")["scoring"]["strict"]["deployments"]["green"]["mirrored"])
    served = azure.arm("GET", "/_local/live")["endpoints"]
    (shown,) = [one for one in served if one["name"] == "strict"]
    counted = {one["name"]: one["requests"] for one in shown["deployments"]}
    assert counted.get("green", 0) == 0
    body = azure.arm("GET", endpoint)
    assert body["systemData"]["lastModifiedBy"]
    assert body["systemData"]["lastModifiedByType"] == "User"

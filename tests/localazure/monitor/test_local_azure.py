"""The monitor of a running local Azure, asked by Azure's own clients; compute is simulated."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from localazure import identity
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

ENDPOINTS = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
GROUP = f"/subscriptions/{identity.SUBSCRIPTION_ID}/resourceGroups/rg1"


def mirrored(azure: Any, endpoint: str, deployment: str) -> int:
    """Copies that a shadow deployment has answered, as the router counts them."""
    return int(azure.arm("GET", "/_local/status")["scoring"][endpoint]["deployments"][deployment]["mirrored"])


@pytest.fixture
def credential(azure, monkeypatch):
    """What `DefaultAzureCredential` finds in the environment of `sluice local env`."""
    from azure.identity import DefaultAzureCredential

    for name, value in {
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        "IDENTITY_ENDPOINT": f"{azure.http}/msi/token",
        "IDENTITY_HEADER": "local",
        "NO_PROXY": "localhost",
        "REQUESTS_CA_BUNDLE": str(azure.home / "ca.pem"),
    }.items():
        monkeypatch.setenv(name, value)
    with DefaultAzureCredential() as found:
        yield found


def averages(metric: Any) -> dict[str, list[float]]:
    """By the first dimension's value: the values that are there."""
    return {
        next(iter(series.metadata_values.values()), ""): [one.average for one in series.data if one.average is not None]
        for series in metric.timeseries
    }


@pytest.mark.proves(
    "Insights/metrics",
    honours=["?metricnames", "?timespan", "?interval", "?aggregation", "?$filter"],
    client="azure-monitor-query",
)
@pytest.mark.proves("onlineEndpoints", honours=["properties.traffic", "properties.mirrorTraffic"], client="HTTP")
@pytest.mark.proves("Insights/metrics", drives=["list"], client="azure-monitor-query")
@pytest.mark.proves("metricDefinitions", drives=["list"], client="azure-monitor-query")
@pytest.mark.proves("metricNamespaces", drives=["list"], client="azure-monitor-query")
def test_azure_monitors_clients_read_what_was_served(azure, credential):
    from azure.monitor.query import MetricsQueryClient
    from azure.monitor.querymetrics import MetricsClient

    endpoint = azure.serve("clients", {"blue": 100}, {"green": 50}, blue=1, green=1)
    for _ in range(40):
        assert azure.score("clients").json()["deployment"] == "blue"
    assert azure.score("clients", key="wrong").status_code == 401
    with MetricsQueryClient(credential, endpoint=azure.https) as client:

        def counts() -> dict[str, float]:
            answer = client.query_resource(
                endpoint,
                ["RequestsPerMinute"],
                timespan=timedelta(minutes=4),
                granularity=timedelta(seconds=1),
                filter="deployment eq '*'",
            )
            return {name: sum(values) / 60 for name, values in averages(answer.metrics["RequestsPerMinute"]).items()}

        # A second is shown when it has ended, and copies come later than the requests that they copy.
        wait_until(lambda: counts() == {"blue": 40, "green": mirrored(azure, "clients", "green"), "": 1})
        copies = mirrored(azure, "clients", "green")
        assert 0 < copies < 40  # by chance; tests/localazure/scoring counts exactly
        latency = client.query_resource(
            f"{endpoint}/deployments/blue",
            ["RequestLatency_P95"],
            timespan=timedelta(minutes=4),
            granularity=timedelta(seconds=1),
        )
        assert max(averages(latency.metrics[0])[""]) > 0
        names = {one.name for one in client.list_metric_definitions(endpoint)}
        assert {"RequestLatency", "RequestLatency_P99", "RequestsPerMinute", "ConnectionsActive"} <= names
        assert [one.fully_qualified_namespace for one in client.list_metric_namespaces(endpoint)] == [ENDPOINTS]
    with MetricsClient(azure.https, credential, audience=azure.https) as batch:

        def results() -> list[Any]:
            return batch.query_resources(
                resource_ids=[f"{endpoint}/deployments/{colour}" for colour in ("blue", "green")],
                metric_namespace=f"{ENDPOINTS}/deployments",
                metric_names=["RequestsPerMinute", "DeploymentCapacity"],
                timespan=timedelta(minutes=4),
                granularity=timedelta(seconds=1),
                aggregations=["Average"],
            )

        def capacity() -> list[float]:
            return averages(results()[0].metrics["DeploymentCapacity"]).get("", [])

        wait_until(capacity, "no sample of DeploymentCapacity")  # it is sampled every few seconds
        blue, green = (sum(averages(result.metrics["RequestsPerMinute"])[""]) / 60 for result in results())
        assert (blue, green) == (40, copies)
        assert max(capacity()) == 1


@pytest.mark.proves(
    "autoscalesettings",
    honours=[
        "properties.targetResourceUri",
        "properties.profiles.rules.metricTrigger",
        "properties.profiles.rules.scaleAction",
    ],
    client="HTTP",
)
@pytest.mark.proves("switches", honours=["--autoscale-speed"], client="HTTP")
def test_load_scales_a_deployment_out_and_silence_scales_it_in(azure):
    endpoint = azure.serve("scaled", {"blue": 100}, blue=1)
    blue = f"{endpoint}/deployments/blue"

    def rule(direction: str, operator: str, threshold: float) -> dict[str, Any]:
        trigger = {"metricName": "RequestsPerMinute", "metricResourceUri": blue, "dividePerInstance": True}
        trigger |= {"timeGrain": "PT1M", "timeWindow": "PT5M", "statistic": "Average", "timeAggregation": "Average"}
        action = {"direction": direction, "type": "ChangeCount", "value": "1", "cooldown": "PT1M"}
        return {"metricTrigger": trigger | {"operator": operator, "threshold": threshold}, "scaleAction": action}

    capacity = {"minimum": "1", "maximum": "2", "default": "1"}
    rules = [rule("Increase", "GreaterThan", 60), rule("Decrease", "LessThan", 20)]
    profiles = [{"name": "default", "capacity": capacity, "rules": rules}]
    body = {"location": "westeurope", "properties": {"targetResourceUri": blue, "profiles": profiles}}
    azure.arm("PUT", f"{GROUP}/providers/Microsoft.Insights/autoscalesettings/scaled", body)

    def count() -> int:
        return int(azure.arm("GET", blue)["sku"]["capacity"])

    azure.load("scaled", lambda: count() == 2)
    wait_until(lambda: count() == 1)
    assert count() == 1, "the minimum"


@pytest.mark.proves("diagnosticSettings", honours=["properties.logs"], client="HTTP")
def test_requests_are_recorded_when_the_diagnostic_setting_asks(azure):
    endpoint = azure.serve("recorded", {"blue": 100}, blue=1)
    azure.score("recorded")
    workspace = f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/la1"
    logs = [{"category": "AmlOnlineEndpointTrafficLog", "enabled": True}]
    setting = f"{endpoint}/providers/Microsoft.Insights/diagnosticSettings/logs"
    azure.arm("PUT", setting, {"properties": {"workspaceId": workspace, "logs": logs}})
    file = azure.home / "logs/traffic/recorded.jsonl"

    def recorded() -> bool:
        azure.score("recorded", **{"User-Agent": "test", "x-request-id": "9c4d50ee-2d56-4cd3-8152-34347dc9f2b0"})
        return file.exists()

    wait_until(recorded)
    row = json.loads(file.read_text().splitlines()[-1])
    assert (row["EndpointName"], row["DeploymentName"], row["ResponseCode"]) == ("recorded", "blue", 200)
    request_id = "9c4d50ee-2d56-4cd3-8152-34347dc9f2b0"
    assert (row["XRequestId"], row["UserAgent"], row["AzureMLWorkspaceName"]) == (request_id, "test", "ws1")
    assert azure.keys["recorded"] not in file.read_text()
    assert not (azure.home / "logs/traffic/clients.jsonl").exists()


def test_the_root_is_a_page_and_its_facts_are_json(azure):
    import requests

    azure.serve("shown", {"blue": 100}, blue=2)
    azure.score("shown")
    for base, verify in ((azure.http, True), (azure.https, str(azure.home / "ca.pem"))):
        with requests.Session() as session:
            session.trust_env = False
            page = session.get(base + "/", verify=verify)
        assert page.headers["Content-Type"].startswith("text/html")
        assert "Local Azure" in page.text

    def facts() -> dict[str, Any]:
        with requests.Session() as session:
            session.trust_env = False
            live = session.get(f"{azure.http}/_local/live").json()
        return next(one for one in live["endpoints"] if one["name"] == "shown")["deployments"][0]

    wait_until(lambda: facts()["requests"] == 1)
    shown = facts()
    assert (shown["name"], shown["instances"], shown["weight"], shown["simulated"]) == ("blue", 2, 100, True)


@pytest.mark.proves("switches", honours=["--compute"], client="HTTP")
def test_hundreds_of_simulated_deployments_fit(azure):
    """And none of them is a process."""
    from concurrent.futures import ThreadPoolExecutor

    children = f"/proc/{azure.process.pid}/task/{azure.process.pid}/children"

    def make(number: int) -> None:
        azure.serve(f"many-{number}", {"blue": 50, "green": 50}, blue=2, green=2)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, range(50)))
    for number in range(50):
        assert azure.score(f"many-{number}").status_code == 200
    try:
        with open(children) as file:
            assert file.read().strip() == ""
    except FileNotFoundError:
        pass  # no /proc here
    status = azure.arm("GET", "/_local/status")
    assert status["memory_mib"] < 120


def requests_in(file: Path) -> int:
    """How many requests the minutes on disk count."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as metrics:
        return sum(count for (row,) in metrics.execute("SELECT statuses FROM minutes") for *_, count in json.loads(row))


def test_metrics_are_there_after_the_server_was_killed(start_azure, tmp_path):
    azure = start_azure(tmp_path / "home", "--compute", "simulated")
    azure.make_workspace()
    endpoint = azure.serve("survivor", {"blue": 100}, blue=1)
    for _ in range(25):
        assert azure.score("survivor").status_code == 200
    wait_until(lambda: requests_in(tmp_path / "home" / "metrics.db") == 25)  # what is lost is the last second
    azure.process.kill()
    azure.process.wait()
    with closing(sqlite3.connect(tmp_path / "home" / "metrics.db")) as file, file:
        file.execute("UPDATE minutes SET start = start - 60")  # instead of waiting for the end of the minute
    again = start_azure(tmp_path / "home", "--compute", "simulated")
    end = int(time.time()) // 60 * 60
    span = "/".join(datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for at in (end - 600, end))
    query = f"metricnames=RequestsPerMinute&interval=PT1M&timespan={span}"
    answer = again.arm("GET", f"{endpoint}/deployments/blue/providers/Microsoft.Insights/metrics?{query}")
    counts = [point.get("average", 0.0) for each in answer["value"][0]["timeseries"] for point in each["data"]]
    assert sum(counts) == 25.0

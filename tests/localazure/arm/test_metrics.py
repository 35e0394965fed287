"""Azure Monitor's metric routes in ARM: answers in the shape that its clients read, and what is refused."""

from __future__ import annotations

import pytest

from localazure.scoring.served import ServedRequest
from tests.localazure.arm.conftest import BLUE, ENDPOINT, SUBSCRIPTION, WORKSPACE

NAMESPACE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
METRICS = "providers/Microsoft.Insights/metrics"


@pytest.fixture
def serving(arm):
    """Two minutes ago: three requests to blue, one to green that failed."""
    arm.make_serving_endpoint()
    for deployment, status in (("blue", 200), ("blue", 200), ("blue", 200), ("green", 424)):
        request = ServedRequest(
            "fraud-dev", deployment, "id", "POST", "/score", arm.now - 120, 0.02, status, status, 10, 20
        )
        arm.plane.metrics.observe(request)
    return arm


def data(metric) -> list[float]:
    """The values that are there, of all time series of a metric."""
    return [point["average"] for series in metric["timeseries"] for point in series["data"] if "average" in point]


@pytest.mark.proves("Insights/metrics", honours=["?metricnames", "?$filter"])
def test_metrics_of_an_endpoint_split_by_deployment(serving):
    filter_ = "deployment eq '*'"
    answer = serving.get(f"{ENDPOINT}/{METRICS}?metricnames=RequestsPerMinute,RequestLatency&$filter={filter_}")
    assert answer.status == 200
    assert answer.body["interval"] == "PT1M"
    assert answer.body["namespace"] == NAMESPACE
    assert answer.body["resourceregion"] == "westeurope"
    requests, latency = answer.body["value"]
    assert requests["id"] == f"{ENDPOINT}/providers/Microsoft.Insights/metrics/RequestsPerMinute"
    assert (requests["type"], requests["unit"], requests["errorCode"]) == (
        "Microsoft.Insights/metrics",
        "Count",
        "Success",
    )
    blue = requests["timeseries"][0]
    assert blue["metadatavalues"] == [
        {"name": {"value": "deployment", "localizedValue": "deployment"}, "value": "blue"}
    ]
    assert (data(requests), len(blue["data"])) == ([3.0, 1.0], 61)
    assert latency["unit"] == "MilliSeconds"
    assert data(latency) == [20.0, 20.0]


@pytest.mark.proves("Insights/metrics", honours=["?metricnames", "?timespan", "?aggregation"])
def test_a_deployment_has_its_own_metrics_and_the_path_is_read_without_case(serving):
    path = f"{BLUE}/{METRICS}".replace("Microsoft.Insights", "microsoft.insights").replace("blue", "BLUE")
    answer = serving.get(f"{path}?metricnames=requestsperminute&aggregation=average&timespan=PT10M")
    assert data(answer.body["value"][0]) == [3.0]


def test_the_batch_route_answers_for_several_resources(serving):
    query = f"metricnamespace={NAMESPACE}/deployments&metricnames=RequestsPerMinute&filter=envoy_response_code eq '*'"
    resources = {"resourceids": [BLUE, f"{ENDPOINT}/deployments/green"]}
    answer = serving.post(f"{SUBSCRIPTION}/metrics:getBatch?{query}", resources)
    assert answer.status == 200
    blue, green = answer.body["values"]
    assert (blue["resourceid"], data(blue["value"][0])) == (BLUE, [3.0])
    assert green["value"][0]["timeseries"][0]["metadatavalues"][0]["value"] == "424"
    assert {"starttime", "endtime", "interval", "namespace", "resourceregion"} <= set(blue)


@pytest.mark.parametrize(
    ("query", "status", "code", "said"),
    [
        (
            "metricnames=Latency",
            400,
            "BadRequest",
            "Failed to find metric configuration for provider: Microsoft.Machine",
        ),
        ("metricnames=RequestLatency&aggregation=Total", 400, "BadRequest", "no aggregation Total"),
        ("metricnames=RequestLatency&$filter=statusCode eq '200'", 400, "BadRequest", "supported ones are: deployment"),
        ("metricnames=RequestLatency&interval=PT7M", 400, "BadRequest", "interval must be"),
        ("metricnames=RequestLatency&metricnamespace=Other", 400, "BadRequest", "metricnamespace"),
        ("metricnames=NewConnectionsPerSecond", 501, "NotEmulated", "NewConnectionsPerSecond"),
    ],
)
@pytest.mark.proves(
    "Insights/metrics", refuses=["?metricnames", "?metricnamespace", "?interval", "?aggregation", "?$filter"]
)
def test_refusals(serving, query, status, code, said):
    answer = serving.get(f"{ENDPOINT}/{METRICS}?{query}")
    error = answer.body.get("error", answer.body)
    assert (answer.status, error["code"]) == (status, code)
    assert said in error["message"]


def test_metrics_of_what_is_not_there_and_of_what_has_none(serving):
    assert serving.get(f"{ENDPOINT}x/{METRICS}?metricnames=RequestLatency").code == "ResourceNotFound"
    assert serving.get(f"{WORKSPACE}/{METRICS}?metricnames=RequestLatency").status == 501
    batch = f"{SUBSCRIPTION}/metrics:getBatch?metricnamespace={NAMESPACE}&metricnames=RequestLatency"
    assert serving.post(batch, {"resourceids": []}).status == 400
    assert serving.post(batch, {"resourceids": [BLUE]}).status == 400
    assert serving.post(batch, {"resourceids": ["/x"]}).status == 400


def test_definitions_and_namespaces(serving):
    found = serving.get(f"{BLUE}/providers/Microsoft.Insights/metricDefinitions").body["value"]
    by_name = {one["name"]["value"]: one for one in found}
    cpu = by_name["CpuUtilizationPercentage"]
    assert cpu["unit"] == "Percent"
    assert [one["value"] for one in cpu["dimensions"]] == ["instanceId"]
    assert cpu["supportedAggregationTypes"] == ["Minimum", "Maximum", "Average"]
    assert "RequestLatency" not in by_name
    assert [one["timeGrain"] for one in cpu["metricAvailabilities"]][:2] == ["PT1S", "PT1M"]
    spaces = serving.get(f"{ENDPOINT}/providers/microsoft.insights/metricNamespaces").body["value"]
    assert [one["name"] for one in spaces] == [NAMESPACE]

"""The metrics of online endpoints and their deployments, as Microsoft's reference lists them (read 2026-07).

`METRICS` are served here; `NOT_SERVED` are further metrics of Azure. Names, units, aggregations and dimensions are
those of the reference; display names and descriptions are our own.
"""

from __future__ import annotations

from dataclasses import dataclass

from localazure.resource_id import ResourceId

ENDPOINTS = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
DEPLOYMENTS = f"{ENDPOINTS}/deployments"
DEPLOYMENT, STATUS, STATUS_CLASS, MODEL_STATUS = "deployment", "statusCode", "statusCodeClass", "modelStatusCode"
INSTANCE, STATE, ENVOY_STATUS = "instanceId", "State", "envoy_response_code"

_ONLY_AVERAGE = ("Average",)
_SPREAD = ("Minimum", "Maximum", "Average")


@dataclass(frozen=True)
class Definition:
    """One metric of one namespace."""

    namespace: str
    name: str
    unit: str
    """The spelling of the API: MilliSeconds where the portal shows Milliseconds."""
    aggregations: tuple[str, ...]
    dimensions: tuple[str, ...]
    category: str
    display: str


def _endpoint(name: str, unit: str, dimensions: tuple[str, ...], display: str) -> Definition:
    return Definition(ENDPOINTS, name, unit, _ONLY_AVERAGE, dimensions, "Traffic", display)


def _resource(name: str, unit: str, dimensions: tuple[str, ...], display: str) -> Definition:
    return Definition(DEPLOYMENTS, name, unit, _SPREAD, dimensions, "Resource", display)


PERCENTILES = {"RequestLatency_P50": 0.50, "RequestLatency_P90": 0.90, "RequestLatency_P95": 0.95} | {
    "RequestLatency_P99": 0.99
}
METRICS = (
    _endpoint("ConnectionsActive", "Count", (), "Connections that are open"),
    _endpoint("NetworkBytes", "BytesPerSecond", (), "Bytes of requests and answers per second"),
    _endpoint("RequestLatency", "MilliSeconds", (DEPLOYMENT,), "Time to answer a request"),
    *(_endpoint(name, "MilliSeconds", (DEPLOYMENT,), f"Request latency, {name[-3:]}") for name in PERCENTILES),
    _endpoint("RequestsPerMinute", "Count", (DEPLOYMENT, STATUS, STATUS_CLASS, MODEL_STATUS), "Requests in a minute"),
    _resource("CpuMemoryUtilizationPercentage", "Percent", (INSTANCE,), "Memory in use by an instance"),
    _resource("CpuUtilizationPercentage", "Percent", (INSTANCE,), "Processor time used by an instance"),
    _resource("DeploymentCapacity", "Count", (INSTANCE, STATE), "Instances"),
    *(
        Definition(DEPLOYMENTS, name, "MilliSeconds", _ONLY_AVERAGE, (), "Traffic", f"Request latency, {name[-3:]}")
        for name in PERCENTILES
    ),
    Definition(
        DEPLOYMENTS, "RequestsPerMinute", "Count", _ONLY_AVERAGE, (ENVOY_STATUS,), "Traffic", "Requests in a minute"
    ),
)
NOT_SERVED = {
    ENDPOINTS: ("DataCollectionErrorsPerMinute", "DataCollectionEventsPerMinute", "NewConnectionsPerSecond"),
    DEPLOYMENTS: (
        "DataCollectionErrorsPerMinute",
        "DataCollectionEventsPerMinute",
        "DiskUtilization",
        "GpuEnergyJoules",
        "GpuMemoryUtilizationPercentage",
        "GpuUtilizationPercentage",
    ),
}


def definitions(namespace: str) -> dict[str, Definition]:
    """The metrics of a namespace by lower-cased name; empty for one without metrics here."""
    return {one.name.lower(): one for one in METRICS if one.namespace.lower() == namespace.lower()}


def definition_of(resource_id: ResourceId, metric: str) -> Definition | None:
    """A metric of a resource; None when it is not served here."""
    return definitions(resource_id.type).get(metric.lower())

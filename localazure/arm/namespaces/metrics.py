"""Microsoft.Insights, metrics: values, definitions and namespaces of a resource, and the batch route.

The batch route has its own host in Azure, one per region; here it has the same address as everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from localazure.arm.behaviour import Action, Behaviour
from localazure.arm.reply import Reply, Request
from localazure.arm.resource_body import Shape
from localazure.errors import ArmError, NotEmulated
from localazure.monitor.definitions import DEPLOYMENTS, ENDPOINTS
from localazure.monitor.errors import NotServed, QueryError
from localazure.monitor.measures import Measured
from localazure.monitor.query import QueriedResource, Query, answer, definition_bodies, moment_text, read_query
from localazure.resource_id import ResourceId

MAX_BATCH = 50
_NAMESPACES = {kind.lower(): kind for kind in (ENDPOINTS, DEPLOYMENTS)}


class MetricsRefused(ArmError):
    """A query that Azure Monitor refuses; its body has no `error` around code and message (users' reports)."""

    def body(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message}


class _OfResource(Behaviour):
    read_only = True

    def target(self, resource_id: ResourceId, namespace: str = "") -> QueriedResource:
        """The subject of a query; raises for resources without metrics here, and for another type's namespace."""
        resource = self.plane.behaviour(resource_id.type).find(resource_id, "read")
        kind = _NAMESPACES.get(resource_id.type)
        if kind is None:
            raise NotEmulated(f"A metric of {resource.resource_id.type_as_written}")
        if namespace and namespace.lower() != kind.lower():
            raise MetricsRefused("BadRequest", f"metricnamespace of this resource is {kind}, got {namespace[:120]!r}.")
        return QueriedResource(resource.id, kind, self.plane.location_for(resource), Measured.of(resource.resource_id))


class MetricValues(_OfResource):
    """Metric values of an endpoint or a deployment, also by `metrics:getBatch`; reach back twelve hours"""

    lists_only = True
    honoured: ClassVar[Mapping[str, str]] = {
        "?metricnames": "which metrics; without it the first one that the resource has",
        "?timespan": "which time",
        "?interval": "the grain of the values",
        "?aggregation": "which of a metric's aggregations",
        "?$filter": "which dimensions, and by which to split",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "?metricnames": "a metric that there is not; one that Azure has and this does not (501)",
        "?metricnamespace": "another than the resource's",
        "?interval": "a grain that Azure does not have",
        "?aggregation": "one that the metric does not have",
        "?$filter": "a dimension that the metric does not have",
    }

    def list_children(self, parent_id: str, request: Request) -> Reply:
        target = self.target(request.id, request.query.get("metricnamespace", ""))

        def ask() -> Reply:
            query = self._read(request)
            timespan = f"{moment_text(query.span.start)}/{moment_text(query.span.end)}"
            return Reply(200, {"cost": 0, "timespan": timespan} | self._answer(query, target))

        return _translated(ask)

    def _read(self, request: Request) -> Query:
        return read_query(request.query, self.plane.clock(), self.plane.options.finest_grain)

    def _answer(self, query: Query, target: QueriedResource) -> dict[str, Any]:
        return answer(self.plane.metrics, query, target, self.plane.distort_metrics)

    def _get_batch(self, request: Request) -> Reply:
        ids = request.body.get("resourceids")
        if not isinstance(ids, list) or not 0 < len(ids) <= MAX_BATCH or not all(isinstance(one, str) for one in ids):
            raise MetricsRefused("BadRequest", f"resourceids must be a list of 1 to {MAX_BATCH} resource ids.")
        namespace = request.query.get("metricnamespace", "")
        if not namespace:
            raise MetricsRefused("BadRequest", "metricnamespace is required.")
        if not request.query.get("metricnames", "").strip(" ,"):
            raise MetricsRefused("BadRequest", "metricnames must name at least one metric.")
        targets = [self.target(ResourceId.parse(one), namespace) for one in ids]
        if len({target.region for target in targets}) > 1:
            raise MetricsRefused("BadRequest", "All resources of a batch must be in one region.")

        def ask() -> Reply:
            query = self._read(request)
            span = {"starttime": moment_text(query.span.start), "endtime": moment_text(query.span.end)}
            values = [span | self._answer(query, target) | {"resourceid": target.id} for target in targets]
            return Reply(200, {"values": values})

        return _translated(ask)

    routes: ClassVar[Mapping[str, Action]] = {"POST /subscriptions/{subscription}/metrics:getBatch": _get_batch}


class MetricDefinitions(_OfResource):
    """Which metrics an endpoint or a deployment has"""

    lists_only = True

    def list_children(self, parent_id: str, request: Request) -> Reply:
        target = self.target(request.id, request.query.get("metricnamespace", ""))
        return Reply(200, {"value": definition_bodies(target, self.plane.options.finest_grain)})


class MetricNamespaces(_OfResource):
    """The one metric namespace of an endpoint or a deployment"""

    lists_only = True

    def list_children(self, parent_id: str, request: Request) -> Reply:
        target = self.target(request.id)
        body = {
            "id": f"{target.id}/providers/microsoft.insights/metricNamespaces/{target.namespace}",
            "type": "Microsoft.Insights/metricNamespaces",
            "name": target.namespace,
            "classification": "Platform",
            "properties": {"metricNamespaceName": target.namespace},
        }
        return Reply(200, {"value": [body]})


def _translated(ask: Callable[[], Reply]) -> Reply:
    try:
        return ask()
    except NotServed as refused:
        raise NotEmulated(str(refused)) from refused
    except QueryError as refused:
        raise MetricsRefused("BadRequest", str(refused)) from refused


BEHAVIOURS: dict[str, type[Behaviour]] = {
    "Microsoft.Insights/metrics": MetricValues,
    "Microsoft.Insights/metricDefinitions": MetricDefinitions,
    "Microsoft.Insights/metricNamespaces": MetricNamespaces,
}

EXTRA_SHAPES: tuple[Shape, ...] = (
    Shape("Microsoft.Insights/metrics"),
    Shape("Microsoft.Insights/metricDefinitions"),
    Shape("Microsoft.Insights/metricNamespaces"),
)

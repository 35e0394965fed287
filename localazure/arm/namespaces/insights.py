"""Microsoft.Insights: Application Insights, autoscale settings and diagnostic settings.

Autoscale and diagnostic settings are checked and stored; they do not act yet. Application Insights receives nothing.
"""

from __future__ import annotations

from typing import Any

from localazure.arm.behaviour import Behaviour, Shape
from localazure.arm.control_plane import new_guid
from localazure.arm.errors import BadRequest
from localazure.arm.reply import Request
from localazure.arm.store import Resource
from localazure.monitor.routes import MetricDefinitions, MetricNamespaces, Metrics


class Components(Behaviour):
    """An Application Insights component."""

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        properties = {"IngestionMode": "LogAnalytics", "Flow_Type": "Bluefield"} | super().properties(request, existing)
        before = existing.properties if existing else {}
        key = before.get("InstrumentationKey") or new_guid()
        app = before.get("AppId") or new_guid()
        ingestion = f"{self.plane.base_url}/ingestion/"
        return properties | {
            "InstrumentationKey": key,
            "AppId": app,
            "ApplicationId": request.id.name,
            "Name": request.id.name,
            "ConnectionString": f"InstrumentationKey={key};IngestionEndpoint={ingestion};ApplicationId={app}",
        }


class AutoscaleSettings(Behaviour):
    """Rules by which the number of instances of a deployment follows its load."""

    def check(self, request: Request, existing: Resource | None) -> None:
        sent = request.sent_properties
        profiles = sent.get("profiles")
        if not isinstance(profiles, list) or not profiles:
            raise BadRequest("InvalidRequestContent", "properties.profiles must hold at least one profile.")
        for profile in profiles:
            self._check_capacity(profile)
        target = sent.get("targetResourceUri")
        if isinstance(target, str) and self.store.get(target) is None:
            raise BadRequest("ResourceNotFound", f"properties.targetResourceUri names {target}, which does not exist.")

    def _check_capacity(self, profile: Any) -> None:
        capacity = profile.get("capacity") if isinstance(profile, dict) else None
        try:
            # Azure Monitor writes these numbers as text.
            low, default, high = (int(capacity[key]) for key in ("minimum", "default", "maximum"))  # type: ignore[index]  # checked below
        except (TypeError, KeyError, ValueError) as exc:
            raise BadRequest(
                "InvalidRequestContent",
                f"A profile's capacity needs whole minimum, maximum and default, got {capacity!r}.",
            ) from exc
        if not 0 <= low <= default <= high:
            raise BadRequest(
                "InvalidRequestContent",
                f"A profile's capacity must have minimum <= default <= maximum, got {low}, {default}, {high}.",
            )

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        defaults = {"enabled": True, "name": request.id.name, "targetResourceLocation": request.body.get("location")}
        return defaults | super().properties(request, existing)

    def mark_provisioned(self, resource: Resource) -> None:
        """Autoscale settings have no provisioning state."""


class DiagnosticSettings(Behaviour):
    """Where logs and metrics of a resource go."""

    tracked = False

    def check(self, request: Request, existing: Resource | None) -> None:
        sent = request.sent_properties
        targets = ("workspaceId", "storageAccountId", "eventHubAuthorizationRuleId", "marketplacePartnerId")
        if not any(sent.get(target) for target in targets):
            raise BadRequest("BadRequest", f"A diagnostic setting needs a destination: one of {', '.join(targets)}.")
        workspace = sent.get("workspaceId")
        if isinstance(workspace, str) and self.store.get(workspace) is None:
            raise BadRequest("ResourceNotFound", f"properties.workspaceId names {workspace}, which does not exist.")

    def mark_provisioned(self, resource: Resource) -> None:
        """Diagnostic settings have no provisioning state."""


BEHAVIOURS: dict[str, type[Behaviour]] = {
    "Microsoft.Insights/components": Components,
    "Microsoft.Insights/autoscalesettings": AutoscaleSettings,
    "Microsoft.Insights/diagnosticSettings": DiagnosticSettings,
    "Microsoft.Insights/metrics": Metrics,
    "Microsoft.Insights/metricDefinitions": MetricDefinitions,
    "Microsoft.Insights/metricNamespaces": MetricNamespaces,
}

EXTRA_SHAPES: tuple[Shape, ...] = (
    Shape("Microsoft.Insights/metrics"),
    Shape("Microsoft.Insights/metricDefinitions"),
    Shape("Microsoft.Insights/metricNamespaces"),
)

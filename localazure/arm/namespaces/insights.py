"""Microsoft.Insights: Application Insights, autoscale settings and diagnostic settings; metrics are in `metrics`.

Settings are checked and stored here; `localazure.monitor` applies them. Application Insights receives nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from localazure.arm.behaviour import Behaviour
from localazure.arm.control_plane import new_guid
from localazure.arm.namespaces.monitor_scopes import refuse_in_scope, show_scopes
from localazure.arm.patching import Patched
from localazure.arm.reply import Request
from localazure.arm.timing import time_text
from localazure.errors import BadRequest, Conflict, NotEmulated, Unwrapped
from localazure.monitor.autoscale_setting import Setting, read_setting
from localazure.monitor.definitions import DEPLOYMENTS, definition_of
from localazure.monitor.errors import SettingError, SettingNotEmulated
from localazure.resource import Resource
from localazure.resource_id import ResourceId


class Components(Patched):
    """An Application Insights component."""

    created_status = 200  # the only one that its clients know
    refused: ClassVar[Mapping[str, str]] = {"name": "it is in a private link scope, so it cannot be deleted (409)"}

    def check_delete(self, resource: Resource) -> None:
        refuse_in_scope(self.store, resource)

    def read(self, resource: Resource, request: Request) -> dict[str, Any]:
        scopes = show_scopes(self.store, resource, "PrivateLinkScopedResources", ("ResourceId", "ScopeId"))
        return resource.body | {"properties": resource.properties | scopes}

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        defaults = {
            "IngestionMode": "LogAnalytics",
            "Flow_Type": "Bluefield",
            "publicNetworkAccessForIngestion": "Enabled",
            "publicNetworkAccessForQuery": "Enabled",
        }
        properties = defaults | super().properties(request, existing)
        before = existing.properties if existing else {}
        key = before.get("InstrumentationKey") or new_guid()
        app = before.get("AppId") or new_guid()
        ingestion = f"{self.plane.base_url}/ingestion/"
        return properties | {
            "InstrumentationKey": key,
            "AppId": app,
            "ApplicationId": request.id.name,
            "Name": request.id.name,
            "CreationDate": before.get("CreationDate") or time_text(self.plane.clock()),
            "ConnectionString": f"InstrumentationKey={key};IngestionEndpoint={ingestion};ApplicationId={app}",
        }


class AutoscaleSettings(Patched):
    """Rules by which the number of instances of a deployment follows its load."""

    dated = True
    patchable: ClassVar[frozenset[str]] = frozenset({"tags", "properties"})

    honoured: ClassVar[Mapping[str, str]] = {
        "properties.enabled": "false: the setting does nothing",
        "properties.targetResourceUri": "the online deployment whose capacity follows",
        "properties.profiles.capacity": "bounds bind at once; the default holds when metrics cannot be read",
        "properties.profiles.rules.metricTrigger": "metric and its namespace, dimensions, grain, window, "
        "statistic, aggregation, threshold, dividePerInstance",
        "properties.profiles.rules.scaleAction": "ChangeCount, PercentChangeCount, ExactCount; cool-down",
        "properties.profiles.fixedDate": "when the profile holds, in its time zone",
        "properties.profiles.recurrence": "weekly moments at which the profile begins",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "properties.targetResourceUri": "missing; names nothing that exists; a second setting of a deployment "
        "(409); anything but an online deployment is not emulated (501)",
        "properties.profiles": "none or more than 20, two without a schedule",
        "properties.profiles.capacity": "not minimum <= default <= maximum",
        "properties.profiles.rules.metricTrigger": "values out of Azure's ranges; a metric that is not served, or "
        "of another namespace than the resource's type (501)",
        "properties.profiles.rules.scaleAction": "values out of Azure's ranges; ServiceAllowedNextValue (501)",
        "properties.profiles.recurrence": "an unknown zone, day or hour; another frequency than Week (501)",
    }

    def check(self, request: Request, existing: Resource | None) -> None:
        if not request.sent_properties.get("targetResourceUri"):
            # Verbatim, without an `error` object around it: Azure/azure-sdk-for-net#43948.
            raise Unwrapped("UnsupportedRequestContent", "Request content is not well formed or supported.")
        try:
            setting = read_setting(request.sent_properties)
        except SettingNotEmulated as refused:
            raise NotEmulated(str(refused)) from refused
        except SettingError as refused:
            raise BadRequest("InvalidRequestContent", str(refused)) from refused
        if self.store.get(setting.target_id) is None:
            raise BadRequest(
                "ResourceNotFound", f"properties.targetResourceUri names {setting.target_id!r}, which does not exist."
            )
        if ResourceId.parse(setting.target_id).type != DEPLOYMENTS.lower():
            raise NotEmulated(f"Autoscale of {setting.target_id}")
        for other in self.store.of_type(self.shape.arm):
            if other.key != request.id.key and other.properties.get("targetResourceUri", "").lower() == (
                setting.target_id.lower()
            ):
                # The rule is documented, the wording is ours.
                raise Conflict("Conflict", f"{setting.target_id} has an autoscale setting already: {other.id}.")
        self._check_metrics(setting)

    def _check_metrics(self, setting: Setting) -> None:
        for trigger in (rule.trigger for profile in setting.profiles for rule in profile.rules):
            if self.store.get(trigger.resource_id) is None:
                raise BadRequest(
                    "ResourceNotFound", f"metricResourceUri names {trigger.resource_id!r}, which does not exist."
                )
            resource_id = ResourceId.parse(trigger.resource_id)
            # Whether Azure refuses another namespace or finds no values in it is not known.
            known = trigger.namespace is None or trigger.namespace.lower() == resource_id.type
            if not known or definition_of(resource_id, trigger.metric) is None:
                namespace = "" if known else f" in the namespace {str(trigger.namespace)[:100]}"
                raise NotEmulated(f"Autoscale by the metric {trigger.metric[:100]}{namespace} of {trigger.resource_id}")

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        defaults = {"enabled": True, "name": request.id.name, "targetResourceLocation": request.body.get("location")}
        return defaults | super().properties(request, existing)

    def mark_provisioned(self, resource: Resource) -> None:
        """Autoscale settings have no provisioning state."""


class DiagnosticSettings(Behaviour):
    """The destination of a resource's logs and metrics."""

    created_status = 200  # the only one that its clients know

    honoured: ClassVar[Mapping[str, str]] = {
        "properties.logs": "AmlOnlineEndpointTrafficLog or allLogs of an endpoint: its requests are recorded in a file",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "properties.workspaceId": "names nothing that exists, or there is no destination at all",
    }

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
}

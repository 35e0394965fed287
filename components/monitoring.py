"""Log Analytics and a workspace-based Application Insights for the platform and its endpoints.

Both keep taking data over public addresses in a private stack too: Microsoft documents no way from a managed network to
them through a private link scope (`monitor_scope.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import applicationinsights, operationalinsights

from components.lock import lock_against_deletion
from components.placement import GroupPlacement

__all__ = ["Monitoring", "MonitoringArgs"]

RETENTION_DAYS = 30
"""What Log Analytics keeps without extra charge."""


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """Inputs of a `Monitoring`."""

    placement: GroupPlacement
    """*Required.* Names, region and tags, and the group."""
    lock: bool = False
    """*Optional.* Lock a Log Analytics workspace that is created against deletion; no by default."""
    log_analytics_id: str | None = None
    """*Optional.* ARM id of a Log Analytics workspace that exists; by default one is created."""
    application_insights_id: str | None = None
    """*Optional.* ARM id of an Application Insights component that exists; by default one is created."""


class Monitoring(pulumi.ComponentResource):
    """Where logs and telemetry go."""

    log_analytics_id: pulumi.Input[str]
    """ARM id of the Log Analytics workspace."""
    application_insights_id: pulumi.Input[str]
    """ARM id of the Application Insights component."""

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Monitoring", name, {}, opts)
        self._name, self._args = name, args
        self.log_analytics_id = args.log_analytics_id or self._log_analytics()
        self.application_insights_id = args.application_insights_id or self._application_insights()
        self.register_outputs(
            {"logAnalyticsId": self.log_analytics_id, "applicationInsightsId": self.application_insights_id}
        )

    def _log_analytics(self) -> pulumi.Output[str]:
        placement = self._args.placement
        logs = operationalinsights.Workspace(
            f"{self._name}-logs",
            workspace_name=placement.names.log_analytics,
            resource_group_name=placement.resource_group_name,
            location=placement.location,
            sku=operationalinsights.WorkspaceSkuArgs(name=operationalinsights.WorkspaceSkuNameEnum.PER_GB2018),
            retention_in_days=RETENTION_DAYS,
            tags=placement.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        if self._args.lock:
            lock_against_deletion(f"{self._name}-logs", logs, parent=self)
        created: pulumi.Output[str] = logs.id
        return created

    def _application_insights(self) -> pulumi.Output[str]:
        placement = self._args.placement
        insights = applicationinsights.Component(
            f"{self._name}-insights",
            resource_name_=placement.names.application_insights,
            resource_group_name=placement.resource_group_name,
            location=placement.location,
            kind="web",
            application_type=applicationinsights.ApplicationType.WEB,
            ingestion_mode=applicationinsights.IngestionMode.LOG_ANALYTICS,
            workspace_resource_id=self.log_analytics_id,
            tags=placement.tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                # Anyone who has them may write telemetry, and azure-native marks neither as secret.
                additional_secret_outputs=["connection_string", "instrumentation_key"],
            ),
        )
        created: pulumi.Output[str] = insights.id
        return created

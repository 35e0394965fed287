"""Log Analytics and a workspace-based Application Insights for the platform and its endpoints.

Both keep taking data over public addresses in a private stack too: closing them needs an Azure Monitor private link
scope, which this first form of the network does not have.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import applicationinsights, operationalinsights

from components.placement import GroupPlacement

__all__ = ["Monitoring", "MonitoringArgs"]

RETENTION_DAYS = 30
"""What Log Analytics keeps without extra charge."""


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """Inputs of a `Monitoring`."""

    placement: GroupPlacement
    """*Required.* Names, region and tags, and the group."""


class Monitoring(pulumi.ComponentResource):
    """Where logs and telemetry go."""

    log_analytics_id: pulumi.Output[str]
    """ARM id of the Log Analytics workspace."""
    application_insights_id: pulumi.Output[str]
    """ARM id of the Application Insights component."""

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Monitoring", name, {}, opts)
        names = args.placement.names
        logs = operationalinsights.Workspace(
            f"{name}-logs",
            workspace_name=names.log_analytics,
            resource_group_name=args.placement.resource_group_name,
            location=args.placement.location,
            sku=operationalinsights.WorkspaceSkuArgs(name=operationalinsights.WorkspaceSkuNameEnum.PER_GB2018),
            retention_in_days=RETENTION_DAYS,
            tags=args.placement.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        insights = applicationinsights.Component(
            f"{name}-insights",
            resource_name_=names.application_insights,
            resource_group_name=args.placement.resource_group_name,
            location=args.placement.location,
            kind="web",
            application_type=applicationinsights.ApplicationType.WEB,
            ingestion_mode=applicationinsights.IngestionMode.LOG_ANALYTICS,
            workspace_resource_id=logs.id,
            tags=args.placement.tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                # Anyone who has them may write telemetry, and azure-native marks neither as secret.
                additional_secret_outputs=["connection_string", "instrumentation_key"],
            ),
        )
        self.log_analytics_id = logs.id
        self.application_insights_id = insights.id
        self.register_outputs(
            {"logAnalyticsId": self.log_analytics_id, "applicationInsightsId": self.application_insights_id}
        )

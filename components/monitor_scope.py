"""Puts the stack's Log Analytics and Application Insights into a private link scope of Azure Monitor.

The scope is the stack's own, or one that a hub shares. Both access modes of an own one are open: resources that are
not in it keep their public addresses.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import monitor

from arm_id import ArmId
from components.placement import GroupPlacement

__all__ = ["MonitorScope", "MonitorScopeArgs"]


@dataclass(frozen=True, kw_only=True)
class MonitorScopeArgs:
    """Inputs of a `MonitorScope`."""

    placement: GroupPlacement
    """*Required.* Names and tags, and the group."""
    log_analytics_id: pulumi.Input[str]
    """*Required.* ARM id of the Log Analytics workspace."""
    application_insights_id: pulumi.Input[str]
    """*Required.* ARM id of the Application Insights component."""
    given_id: str | None = None
    """*Optional.* ARM id of a scope that somebody else connects with networks; the stack has its own by default."""
    given_provider: pulumi.ProviderResource | None = None
    """*Optional.* What acts in the subscription of the given scope; the default provider by default."""


class MonitorScope(pulumi.ComponentResource):
    """A private link scope with the stack's telemetry; depend on it to wait until both are in it."""

    id: pulumi.Input[str]
    """ARM id of the scope."""

    def __init__(self, name: str, args: MonitorScopeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:MonitorScope", name, {}, opts)
        group: pulumi.Input[str]
        scope: pulumi.Input[str]
        if args.given_id is None:
            own = self._own_scope(name, args)
            self.id, group, scope = own.id, args.placement.resource_group_name, own.name
        else:
            given = ArmId.parse(args.given_id)
            self.id, group, scope = args.given_id, given.resource_group, given.name
        names = args.placement.names
        last: pulumi.Resource | None = None
        for purpose, linked, linked_name in (
            ("logs", args.log_analytics_id, names.log_analytics),
            ("insights", args.application_insights_id, names.application_insights),
        ):
            last = monitor.PrivateLinkScopedResource(
                f"{name}-{purpose}",
                name=names.in_monitor_scope(linked_name),
                scope_name=scope,
                resource_group_name=group,
                linked_resource_id=linked,
                # One after another: a scope refuses a change while it carries out another one
                # (hashicorp/terraform-provider-azurerm#22236).
                opts=pulumi.ResourceOptions(
                    parent=self, provider=args.given_provider, depends_on=[last] if last else []
                ),
            )
        self.register_outputs({"id": self.id})

    def _own_scope(self, name: str, args: MonitorScopeArgs) -> monitor.PrivateLinkScope:
        return monitor.PrivateLinkScope(
            f"{name}-scope",
            scope_name=args.placement.names.monitor_scope,
            resource_group_name=args.placement.resource_group_name,
            location="global",
            access_mode_settings=monitor.AccessModeSettingsArgs(
                ingestion_access_mode=monitor.AccessMode.OPEN, query_access_mode=monitor.AccessMode.OPEN
            ),
            tags=args.placement.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )

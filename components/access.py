"""The roles of Entra groups on a stack: who publishes, who operates, who looks. People are in groups, never here."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import authorization

from components.placement import EndpointHost, Scope
from components.role_assignment import assign, grants
from identity_config import Access
from roles import Place

__all__ = ["GroupAccess", "GroupAccessArgs"]


@dataclass(frozen=True, kw_only=True)
class GroupAccessArgs:
    """Inputs of a `GroupAccess`."""

    host: EndpointHost
    """*Required.* The platform that they get roles on."""
    access: Access
    """*Required.* The groups by what they get."""


class GroupAccess(pulumi.ComponentResource):
    """The role assignments of all groups."""

    def __init__(self, name: str, args: GroupAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:GroupAccess", name, {}, opts)
        placement = args.host.placement
        places = {
            Place.WORKSPACE: args.host.workspace,
            Place.STORAGE: args.host.associated.storage,
            Place.GROUP: Scope(id=placement.resource_group_id, name=placement.names.resource_group),
        }
        for holder, group in args.access.groups():
            for grant in grants(holder, places):
                assign(
                    grant,
                    names=placement.names,
                    prefix=f"{name}-{holder.rpartition('.')[2]}-{group}",
                    holder_name=group,
                    principal_id=group,
                    principal_type=authorization.PrincipalType.GROUP,
                    parent=self,
                )
        self.register_outputs({})

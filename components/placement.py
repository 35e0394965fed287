"""What travels together through the components: a placement with its group and workspace, and what those stand on.

`assessment/placement.py` has the plain names and tags. Here they are joined by outputs of what is declared already,
through which the engine knows that a group comes before what is in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from assessment.placement import Placement

__all__ = ["AssociatedResources", "EndpointHost", "GroupPlacement", "WorkspacePlacement"]


@dataclass(frozen=True, kw_only=True)
class GroupPlacement(Placement):
    """A placement with the resource group that is declared for it."""

    resource_group_name: pulumi.Input[str]
    """*Required.* Name of the group."""
    resource_group_id: pulumi.Input[str]
    """*Required.* ARM id of the group."""

    @classmethod
    def of(cls, placement: Placement, *, name: pulumi.Input[str], id: pulumi.Input[str]) -> GroupPlacement:
        """The placement, and its group by name and ARM id."""
        return cls(**vars(placement), resource_group_name=name, resource_group_id=id)


@dataclass(frozen=True, kw_only=True)
class WorkspacePlacement(GroupPlacement):
    """A placement with the group, and the Azure ML workspace that is declared in it."""

    workspace_name: pulumi.Input[str]
    """*Required.* Name of the workspace."""

    @classmethod
    def within(cls, group: GroupPlacement, *, workspace_name: pulumi.Input[str]) -> WorkspacePlacement:
        """The placement of what is in this workspace of the group."""
        return cls(**vars(group), workspace_name=workspace_name)


@dataclass(frozen=True, kw_only=True)
class AssociatedResources:
    """The associated resources of a workspace, as Azure ML calls them, by ARM ids."""

    storage_account_id: pulumi.Input[str]
    """*Required.* Account of the default datastores: models and code; Azure cannot change it later."""
    key_vault_id: pulumi.Input[str]
    """*Required.* Vault for the workspace's secrets; Azure cannot change it later."""
    container_registry_id: pulumi.Input[str]
    """*Required.* Registry for built images."""
    application_insights_id: pulumi.Input[str]
    """*Required.* Where deployments send telemetry."""


@dataclass(frozen=True, kw_only=True)
class EndpointHost:
    """What an endpoint needs to know of the platform that it stands on."""

    placement: WorkspacePlacement
    """*Required.* Names, region and tags, and the workspace that the endpoint belongs to."""
    workspace_id: pulumi.Input[str]
    """*Required.* ARM id of that workspace."""
    associated: AssociatedResources
    """*Required.* What models are read and images are pulled from."""
    log_analytics_id: pulumi.Input[str]
    """*Required.* ARM id of the Log Analytics workspace that gets the endpoint's logs."""

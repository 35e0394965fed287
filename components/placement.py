"""What travels together through the components: a placement with its group and workspace, and what those stand on.

`assessment/placement.py` has the plain names and tags. Here they are joined by outputs of what is declared already,
through which the engine knows that a group comes before what is in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from assessment.placement import Placement

__all__ = ["AssociatedResources", "EndpointHost", "GroupPlacement", "Scope", "WorkspacePlacement"]


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
    """A placement with the group, and the Azure ML workspace that the endpoints are in."""

    workspace_name: pulumi.Input[str]
    """*Required.* Name of the workspace."""
    workspace_group_name: pulumi.Input[str]
    """*Required.* Name of its group, which is another one where the workspace was given."""

    @classmethod
    def within(
        cls,
        group: GroupPlacement,
        *,
        workspace_name: pulumi.Input[str],
        workspace_group_name: pulumi.Input[str] | None = None,
    ) -> WorkspacePlacement:
        """The placement of what is in this workspace, which is in the group unless another is named."""
        return cls(
            **vars(group),
            workspace_name=workspace_name,
            workspace_group_name=workspace_group_name or group.resource_group_name,
        )


@dataclass(frozen=True, kw_only=True)
class Scope:
    """A resource on which roles are assigned."""

    id: pulumi.Input[str]
    """*Required.* Its ARM id."""
    name: str
    """*Required.* What names it in the names of assignments, known before it exists: the Azure name of a resource of
    this stack, the ARM id of one that was given."""

    @classmethod
    def given(cls, resource_id: str) -> Scope:
        """A resource that this stack uses and does not create."""
        return cls(id=resource_id, name=resource_id)


@dataclass(frozen=True, kw_only=True)
class AssociatedResources:
    """The associated resources of a workspace, as Azure ML calls them."""

    storage: Scope
    """*Required.* Account of the default datastores: models and code; Azure cannot change it later."""
    vault: Scope
    """*Required.* Vault for the workspace's secrets; Azure cannot change it later."""
    registry: Scope
    """*Required.* Registry for built images."""
    insights: Scope
    """*Required.* Where deployments send telemetry."""


@dataclass(frozen=True, kw_only=True)
class EndpointHost:
    """What an endpoint needs to know of the platform that it stands on."""

    placement: WorkspacePlacement
    """*Required.* Names, region and tags, and the workspace that the endpoint belongs to."""
    workspace: Scope
    """*Required.* That workspace."""
    associated: AssociatedResources
    """*Required.* What models are read and images are pulled from."""
    log_analytics_id: pulumi.Input[str]
    """*Required.* ARM id of the Log Analytics workspace that gets the endpoint's logs."""

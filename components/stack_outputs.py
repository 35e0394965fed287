"""The outputs of a stack, for people and scripts: their keys and types are a contract.

They are dictionaries, because the engine stores them as they are. The program reads none of them, except the ids of
endpoints when nothing is found under today's names (`assessment/live.py`). None is a secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict
from urllib.parse import quote

import pulumi

from private_zones import PUBLIC

__all__ = [
    "DeploymentOutputs",
    "EndpointOutputs",
    "IdentityOutputs",
    "NetworkOutputs",
    "PlatformOutputs",
    "WorkspaceOutputs",
    "cost_url",
]


_PORTALS = {
    PUBLIC: "https://portal.azure.com",
    "usgovernment": "https://portal.azure.us",
    "china": "https://portal.azure.cn",
}
_COSTS = "#view/Microsoft_Azure_CostManagement/Menu/~/costanalysis/scope"


def cost_url(scope_id: str, cloud: str) -> str:
    """The page of the Azure portal with the cost of a resource group; unverified, see docs/not-verified.md."""
    return f"{_PORTALS[cloud]}/{_COSTS}/{quote(scope_id, safe='')}"


class DeploymentOutputs(TypedDict):
    """One deployment of this update."""

    id: pulumi.Output[str]
    """ARM id."""
    weight: pulumi.Output[int]
    """Percent of live requests that it gets."""
    mirror: pulumi.Output[int]
    """Percent of live requests that are mirrored to it."""
    instances: int
    """How many instances; with autoscale the first count only."""
    sku: str
    """VM size; on Kubernetes the instance type."""
    release: str
    """Digest of what it serves, as its tag says it."""


class IdentityOutputs(TypedDict):
    """An identity of the stack, for those who give it rights."""

    client_id: pulumi.Output[str]
    """What code asks for a token with."""
    principal_id: pulumi.Output[str]
    """What roles are assigned to."""


class EndpointOutputs(TypedDict):
    """One endpoint of the stack."""

    id: pulumi.Output[str]
    """ARM id."""
    scoring_uri: pulumi.Output[str]
    """Where clients send requests."""
    auth_mode: str
    """Key, AMLToken or AADToken."""
    deployments: Mapping[str, DeploymentOutputs]
    """The deployments by name, in the order of the stack file."""
    identity: IdentityOutputs | None
    """What it acts as, if this stack creates that; null if endpoint.yml names another one."""
    settled: pulumi.Output[bool]
    """Whether Azure matches the stack file."""
    waiting: list[str]
    """What this update holds back, and why."""
    next: pulumi.Output[str | None]
    """The command that continues; null when there is nothing to do. `transitions.py` chooses it."""


class NetworkOutputs(TypedDict):
    """The virtual network of a private stack."""

    id: pulumi.Output[str]
    """ARM id."""
    subnets: Mapping[str, pulumi.Output[str]]
    """ARM ids of its subnets: `endpoints` and `runners`."""
    peerings: Mapping[str, pulumi.Output[str]]
    """By ARM id of the other network, the command that makes the other half of the peering."""
    records: Mapping[str, pulumi.Output[Sequence[Mapping[str, object]]]]
    """By private endpoint, the names and addresses to write into DNS, where this stack does not write them."""


class PlatformOutputs(TypedDict):
    """What the workspace stands on; addresses are null for what the stack does not create."""

    resource_group_id: pulumi.Input[str]
    """ARM id of the group."""
    log_analytics_id: pulumi.Input[str]
    """ARM id of the workspace with the logs."""
    storage_container: pulumi.Output[str] | None
    """Address of the container that models and code are published to."""
    registry_login_server: pulumi.Output[str] | None
    """Host name of the container registry."""
    vault_uri: pulumi.Output[str] | None
    """Address of the key vault."""
    cost_url: pulumi.Output[str]
    """The cost of the group in the Azure portal, which can be grouped by tag, such as `sluice:endpoint`."""


class WorkspaceOutputs(TypedDict):
    """The stack's workspace."""

    id: pulumi.Output[str]
    """ARM id."""
    name: pulumi.Output[str]
    """Name in Azure."""
    studio_url: pulumi.Output[str]
    """Its page in Azure ML studio."""
    network: NotRequired[NetworkOutputs]
    """Of a private stack."""

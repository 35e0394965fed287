"""The outputs of a stack, for people and scripts: their keys and types are a contract.

They are dictionaries, because the engine stores them as they are. The program reads none of them, except the ids of
endpoints when nothing is found under today's names (`assessment/live.py`). None is a secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import pulumi

__all__ = ["DeploymentOutputs", "EndpointOutputs", "NetworkOutputs", "WorkspaceOutputs"]


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

"""What one update declares, as plain frozen values: the seam between checking a change and declaring its resources.

`stack.py` and `endpoint.py` fill these in, the components act on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from assessment.data_protection import DataProtection
from assessment.existing import ExistingResources
from assessment.placement import Placement
from autoscale_config import AutoscaleSettings
from endpoint_state import LiveDeployment, LiveEndpoint, Transition
from models.spec import DeploymentSpec, Model
from network_plan import NetworkPlan

__all__ = ["DIGEST_DIGITS", "DeploymentDeclaration", "EndpointDeclaration", "StackDeclaration"]

DIGEST_DIGITS = 16
"""How much of a digest goes into tags and asset versions: enough to distinguish all releases of a team."""


@dataclass(frozen=True, kw_only=True)
class DeploymentDeclaration:
    """One deployment as this update declares it."""

    name: str
    """Name in Azure."""
    spec: DeploymentSpec
    """Its az ml file."""
    release: str
    """Digest of what it serves, as its tag says it."""
    content: str | None = None
    """Digest of what it serves whatever the stack, as its tag says it; None for a deployment that an earlier version
    created without that tag and that this update does not change."""
    instance_type: str
    """VM size; on Kubernetes the instance type."""
    instances: int
    """How many instances; with autoscale the first count only."""
    autoscale: AutoscaleSettings | None
    """Its autoscale settings; None: a fixed number of instances."""
    published: Mapping[str, str]
    """Where its local content lies: URI by digest."""
    attempt: int
    """How many times it was recreated because its creation had failed."""
    serving: bool
    """It has live or mirror weight, now or after this update."""
    weight: int
    """Percent of live requests after this update."""
    mirror: int
    """Percent of live requests mirrored to it after this update."""
    kept: LiveDeployment | None
    """The deployment as it was at the program's start; None if this update creates it, or replaces it."""


@dataclass(frozen=True, kw_only=True)
class EndpointDeclaration:
    """One endpoint as this update declares it."""

    key: str
    """Key in the stack config; also the folder in models/."""
    name: str
    """Name in Azure."""
    model: Model
    """Its az ml files."""
    transition: Transition
    """What this update may do."""
    live: LiveEndpoint | None
    """What the program read at its start; None: it does not exist."""
    role_delay_seconds: float
    """How long its identity's roles need until they are in effect; 0 for an endpoint that exists."""
    protect: bool
    """The engine must not delete it: the stack is private, or gives it a weight. Live weights do not count: the update
    after an endpoint is set to 0 can remove it. Weights that this update holds back count: under another team, stack or
    subscription nothing is found and everything waits, and the engine would delete the endpoint under the old name."""
    registries: Mapping[str, str]
    """Azure ML registries that its deployments take assets from and that the stack file lists: ARM id by name in lower
    case."""
    next: str | None
    """Command that continues when something waits."""
    secret_vaults: tuple[str, ...] = ()
    """ARM ids of the vaults whose secrets its identity may read."""
    connection_secrets: bool = False
    """Its identity may read the secrets of the workspace's connections."""
    tags_of_others: frozenset[str] = frozenset()
    """Keys of the tags that others have added to it."""
    deployments: tuple[DeploymentDeclaration, ...]
    """The deployments of this update, in the order of the stack file."""


@dataclass(frozen=True, kw_only=True)
class StackDeclaration:
    """All that one update declares."""

    placement: Placement
    """Where everything goes, and under which names and tags."""
    network: NetworkPlan
    """Who reaches the platform, and the layout of a private stack's network."""
    existing: ExistingResources
    """What this stack uses and does not create."""
    protection: DataProtection
    """What Azure ML takes only when it creates the workspace."""
    undeclared_rules: frozenset[str]
    """Names of the outbound rules that the managed network has and the stack file does not: Azure ML's own, and those
    of earlier updates."""
    monitor_scope_provider: pulumi.ProviderResource | None
    """What acts in the subscription of a given private link scope; None for the stack's own subscription."""
    record_tags: Mapping[str, str]
    """Tags of the stack's identity that say what this update declares."""
    group_tags: Mapping[str, str]
    """Tags of the group by which an earlier version recorded its endpoints; the update after the one that creates the
    identity removes them."""
    role_delay_seconds: float
    """How long the roles of the workspace's identity need until they are in effect; 0 for a workspace that exists."""
    tags_of_others: frozenset[str]
    """Keys of the tags that others have added to group, stack identity and workspace."""
    locks: frozenset[str]
    """What gets a lock: `logs`, and `vault` unless an endpoint has a role on it, which may have to go."""
    tags_are_written: bool
    """The last update has written the same tags on every resource."""
    recreates: bool
    """The stack gets another generation: everything is recreated, so no resource keeps its tags."""
    protect: bool
    """The engine must not delete what all endpoints stand on: the stack is private, or an endpoint is protected."""
    endpoints: tuple[EndpointDeclaration, ...]
    """The endpoints, in the order of the stack file."""

"""An endpoint with its deployments: as Azure has it, as it is declared, and what an update may declare.

Plain frozen values; `transitions.py` compares them, `assessment/` fills them in, and `components/` acts on the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

RELEASE_TAG = "sluice:release"
"""Tag of a deployment: the digest of what it serves."""
CONTENT_TAG = "sluice:content"
"""Tag of a deployment: the digest of what it serves that is the same in every stack."""
ATTEMPT_TAG = "sluice:attempt"
"""Tag of a deployment: how many times it was recreated because its creation had failed."""
BODY_TAG = "sluice:body"
"""Tag of a deployment with autoscale: the digest of its whole declaration except the instance count."""

Resource = Mapping[str, Any]
"""A resource as Resource Manager returns it, and azure-native's functions after it."""


@dataclass(frozen=True, kw_only=True)
class LiveDeployment:
    """A deployment as Azure describes it; `release` is its `sluice:release` tag, None when it has none.

    `content` is its `sluice:content` tag, None for one that an earlier version created. `attempt` says how many times
    it was recreated because its creation had failed; `body` is its `sluice:body` tag; `tags` are all of them.
    """

    name: str
    provisioning_state: str
    release: str | None = None
    content: str | None = None
    instances: int | None = None
    attempt: int = 0
    body: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_resource(cls, name: str, deployment: Resource) -> Self:
        """What Azure returned about it."""
        tags = deployment.get("tags") or {}
        capacity = (deployment.get("sku") or {}).get("capacity")
        attempt = tags.get(ATTEMPT_TAG, "")
        return cls(
            name=name,
            provisioning_state=deployment["properties"].get("provisioningState") or "Unknown",
            release=tags.get(RELEASE_TAG),
            content=tags.get(CONTENT_TAG),
            instances=None if capacity is None else int(capacity),
            attempt=int(attempt) if attempt.isdecimal() else 0,
            body=tags.get(BODY_TAG),
            tags=tags,
        )

    @property
    def state(self) -> str:
        """The provisioning state in lower case."""
        return self.provisioning_state.lower()


@dataclass(frozen=True, kw_only=True)
class LiveEndpoint:
    """An endpoint as Azure describes it; `identity_ids` are ARM ids, none for a system-assigned one.

    `changed_by` and `changed_at` (ISO 8601) are the author and time of the last change, if Azure reports them.
    """

    name: str
    provisioning_state: str
    auth_mode: str
    identity_ids: frozenset[str] = frozenset()
    traffic: Mapping[str, int] = field(default_factory=dict)
    mirror: Mapping[str, int] = field(default_factory=dict)
    deployments: Mapping[str, LiveDeployment] = field(default_factory=dict)
    changed_by: str | None = None
    changed_at: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_resources(cls, name: str, endpoint: Resource, deployments: Mapping[str, Resource | None]) -> Self:
        """What Azure returned about it and its deployments; None is absent."""
        properties = endpoint["properties"]
        identities = (endpoint.get("identity") or {}).get("userAssignedIdentities") or {}
        last = endpoint.get("systemData") or {}
        return cls(
            name=name,
            provisioning_state=properties["provisioningState"],
            auth_mode=properties["authMode"],
            identity_ids=frozenset(identities),
            traffic=live_weights(properties.get("traffic")),
            mirror=live_weights(properties.get("mirrorTraffic")),
            deployments={
                one: LiveDeployment.from_resource(one, found) for one, found in deployments.items() if found is not None
            },
            changed_by=last.get("lastModifiedBy"),
            changed_at=last.get("lastModifiedAt"),
            tags=endpoint.get("tags") or {},
        )

    @property
    def state(self) -> str:
        """The provisioning state in lower case."""
        return self.provisioning_state.lower()


def live_weights(weights: Mapping[str, float] | None) -> dict[str, int]:
    """Weights that Azure returned, as doubles; a deployment at 0 % is the same as one that is not listed."""
    return {name: int(weight) for name, weight in (weights or {}).items() if weight}


@dataclass(frozen=True, kw_only=True)
class LiveState:
    """What the program read before it declared anything: is there a workspace, and the endpoint in it.

    `network_status` is the state of the workspace's managed network, as Azure spells it; None if there is none.
    """

    workspace_exists: bool
    endpoint: LiveEndpoint | None = None
    network_status: str | None = None

    @property
    def network_is_ready(self) -> bool:
        """Whether Azure can create deployments."""
        return self.network_status is None or self.network_status.lower() == "active"


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where the release of a deployment comes from, as the stack file and the proofs in the checkout say it."""

    pin: str | None = None
    """The content that it is pinned to, 16 to 64 hexadecimal digits."""
    proven_in: frozenset[str] = frozenset()
    """The stacks in which a rollout has proven that content."""
    problem: str | None = None
    """Why its proofs cannot be read."""
    allow_unproven: str | None = None
    """The reason why it needs no proof."""


@dataclass(frozen=True, kw_only=True)
class DeclaredDeployment:
    """A deployment as the stack file and its az ml YAML declare it.

    `release` is what its `sluice:release` tag will say; `instances` is the autoscale minimum, if there is autoscale;
    `scales` says whether there is, and `idles` whether it has a lower minimum at 0 percent (`idle_instances`);
    `unpinned_image` is its container image, if that names no version; `unpinned_packages` are the lines of its conda
    file that name no exact version.
    """

    release: str
    allow_live_change: bool = False
    instances: int = 1
    scales: bool = False
    idles: bool = False
    unpinned_image: str | None = None
    unpinned_packages: tuple[str, ...] = ()
    provenance: Provenance = Provenance()


@dataclass(frozen=True, kw_only=True)
class DeclaredEndpoint:
    """An endpoint as declared; `key` is its key in the stack file of `stack`, `name` its name in Azure."""

    stack: str
    key: str
    name: str
    auth_mode: str
    identity_ids: frozenset[str] = frozenset()
    traffic: Mapping[str, int] = field(default_factory=dict)
    mirror: Mapping[str, int] = field(default_factory=dict)
    deployments: Mapping[str, DeclaredDeployment] = field(default_factory=dict)
    kubernetes: bool = False


@dataclass(frozen=True, kw_only=True)
class Transition:
    """What this update may declare.

    `traffic` and `mirror` are what the endpoint's PUT carries now, zeros left out; `deployments` the names to declare;
    `replaced` those of them that are recreated (failed, or another release, at 0 %); `replaces_endpoint` is True if the
    endpoint itself is recreated (another identity or auth mode while it serves nothing); `waiting` describes what is
    declared but held back; `next` is the command that continues, None if nothing is held back.
    """

    traffic: Mapping[str, int]
    mirror: Mapping[str, int]
    deployments: tuple[str, ...]
    replaced: frozenset[str] = frozenset()
    replaces_endpoint: bool = False
    waiting: tuple[str, ...] = ()
    next: str | None = None

    @property
    def settled(self) -> bool:
        """After this update Azure is what the stack file says."""
        return not self.waiting

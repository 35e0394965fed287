"""What the last update of a stack declared, as tags of one resource of the stack: what of it may not change, and why.

Pure. The tags are those of an identity that always belongs to the stack; its resource group may belong to someone else
one day. They say what was declared, not what Azure did with it, because they are written first. A missing tag means
unknown, and the program compares nothing with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from network_config import Network
from network_plan import ADDRESS_SPACE, ENDPOINT_PREFIX, ISOLATION, LAYOUT, MODES, NetworkPlan
from problem import Problem
from stack_config import Redundancy, Settings

__all__ = [
    "MAX_TAGS",
    "NETWORK",
    "PROTECTED_RETENTION_DAYS",
    "RETENTION_DAYS",
    "PlatformRecord",
    "refused_changes",
]

PROTECTED_RETENTION_DAYS = 90
"""Azure's maximum for a deleted vault: in a private stack."""
RETENTION_DAYS = 7
"""Azure's minimum: a vault that is recreated often should free its name soon."""

MAX_TAGS = 50
"""What Azure lets a resource carry."""
MAX_TAG_VALUE = 256
"""Characters of a tag's value."""

GENERATION = "sluice:generation"
NETWORK = "sluice:network"
ENDPOINTS = "sluice:endpoints-"
"""Tags with this prefix and a number hold names of endpoints, separated by commas: several to a tag."""


EXISTING = "sluice:existing-"
"""Tags with this prefix and a key of `sluice:existing` hold what was given, as `<group>/<name>`."""
NO_KEY = "no key"
CREATED = "what this stack created"
"""Stands for a resource that was not given."""


@dataclass(frozen=True)
class _Fixed:
    """Something that Azure or this program cannot change under a stack that exists."""

    tag: str
    name: str
    """Its key in the stack file, or a description where no key sets it."""
    reason: str
    follows_network: bool = False
    """The network decides its value, so a change of both is reported as one of the network alone."""
    untagged: str | None = None
    """What a record without the tag means; None: it is unknown."""

    def value_in(self, facts: Mapping[str, str]) -> str | None:
        """Its value in a record."""
        return facts.get(self.tag, self.untagged)


_FIXED = (
    _Fixed(
        NETWORK,
        "sluice:network",
        "Azure can turn off neither a managed network nor a vault's purge protection, and endpoints keep the network "
        "that they were created in",
    ),
    _Fixed(
        ADDRESS_SPACE,
        "the range or subnet of the private endpoints",
        "private endpoints have addresses in it",
        follows_network=True,
    ),
    _Fixed(
        ENDPOINT_PREFIX,
        "sluice:network.endpoint_prefix",
        "private endpoints have addresses in it",
        follows_network=True,
    ),
    _Fixed(
        ISOLATION,
        "the isolation of the managed network",
        "Azure cannot loosen a managed network, and whether it can tighten one is unclear in its documents",
        follows_network=True,
    ),
    _Fixed(
        "sluice:vault-retention",
        "the retention of the deleted vault in days",
        "Azure sets it only when it creates the vault",
        follows_network=True,
    ),
    _Fixed(
        "sluice:storage-redundancy",
        "sluice:storage.redundancy",
        "an update does not move the copies of an existing account",
    ),
    _Fixed(
        "sluice:customer-key",
        "sluice:customer_key.key_uri",
        "Azure ML takes the key of a workspace when it creates it",
        untagged=NO_KEY,
    ),
    _Fixed(
        "sluice:customer-key-identity",
        "sluice:customer_key.identity_id",
        "Azure ML takes the identity that uses the key when it creates the workspace",
        untagged=NO_KEY,
    ),
    _Fixed(
        "sluice:hbi",
        "sluice:hbi",
        "Azure ML decides it when it creates the workspace",
        untagged="false",
    ),
    *(
        _Fixed(f"{EXISTING}{key}", f"sluice:existing.{key}", reason, untagged=CREATED)
        for key, reason in (
            ("storage", "the workspace cannot get another account, and the models are in this one"),
            ("vault", "the workspace cannot get another vault, and the keys of its endpoints are in this one"),
            ("registry", "the images of deployments are in it"),
            ("workspace", "endpoints cannot move to another workspace"),
            ("workspace_identity", "the workspace and its managed network act as it"),
        )
    ),
)


_FACTS = frozenset({*(fixed.tag for fixed in _FIXED), LAYOUT})


@dataclass(frozen=True, kw_only=True)
class PlatformRecord:
    """What an update declared; `facts` by their tags, `endpoints` by their names in Azure.

    `generation` is None where it is not known.
    """

    generation: int | None
    facts: Mapping[str, str]
    endpoints: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings, network: NetworkPlan, endpoints: Iterable[str]) -> PlatformRecord:
        """What a stack declares now."""
        return cls(
            generation=settings.generation,
            facts=_facts_of(settings, network) | _given(settings) | _encryption(settings),
            endpoints=tuple(sorted(endpoints)),
        )

    @classmethod
    def from_tags(cls, tags: Mapping[str, str]) -> PlatformRecord:
        """Read the tags of the stack's identity."""
        generation = tags.get(GENERATION, "")
        names = [name for tag, value in tags.items() if tag.startswith(ENDPOINTS) for name in value.split(",")]
        return cls(
            generation=int(generation) if generation.isdecimal() else None,
            facts={tag: value for tag, value in tags.items() if tag in _FACTS or tag.startswith(EXISTING)},
            endpoints=tuple(sorted(filter(None, names))),
        )

    def uses(self, key: str, resource_id: str) -> bool:
        """Whether the last update was given this resource by this key of `sluice:existing`."""
        return self.facts.get(f"{EXISTING}{key}") == _short(resource_id)

    def tags(self) -> dict[str, str]:
        """The record as tags; a stack with very many endpoints needs more than `MAX_TAGS`."""
        lines: list[str] = []
        for name in self.endpoints:
            if lines and len(lines[-1]) + 1 + len(name) <= MAX_TAG_VALUE:
                lines[-1] += f",{name}"
            else:
                lines.append(name)
        packed = {f"{ENDPOINTS}{number}": line for number, line in enumerate(lines, 1)}
        generation = {} if self.generation is None else {GENERATION: str(self.generation)}
        return {**generation, **self.facts, **packed}


def _facts_of(settings: Settings, network: NetworkPlan) -> dict[str, str]:
    """In a given workspace, nothing but the mode of the network is this stack's."""
    whole = facts(network, settings.storage.redundancy)
    return {NETWORK: whole[NETWORK]} if settings.existing.workspace is not None else whole


def _encryption(settings: Settings) -> dict[str, str]:
    """What of the workspace's encryption cannot change; no tag for what is not set, as in earlier versions."""
    found = {}
    if settings.customer_key is not None:
        found["sluice:customer-key"] = settings.customer_key.key_uri
        found["sluice:customer-key-identity"] = "/".join(settings.customer_key.identity_id.split("/")[4::4]).lower()
    return {**found, "sluice:hbi": "true"} if settings.hbi else found


def _given(settings: Settings) -> dict[str, str]:
    """The tags of what was given."""
    return {f"{EXISTING}{key}": _short(resource_id) for key, resource_id in settings.existing.given().items()}


def _short(resource_id: str) -> str:
    """Group and name, because a tag's value has no room for every ARM id."""
    return "/".join(resource_id.split("/")[4::4]).lower()


def facts(network: NetworkPlan, redundancy: Redundancy) -> dict[str, str]:
    """What cannot change under a stack with this network and storage, by tag."""
    mode = Network.PUBLIC if network.is_public else Network.PRIVATE
    own = {NETWORK: mode.value, "sluice:storage-redundancy": redundancy.value}
    if network.is_public:
        return {**own, ISOLATION: "Disabled", "sluice:vault-retention": str(RETENTION_DAYS)}
    return {
        **own,
        ISOLATION: MODES[network.isolation],
        "sluice:vault-retention": str(PROTECTED_RETENTION_DAYS),
        ADDRESS_SPACE: network.place,
        **({} if network.is_first_layout else {LAYOUT: network.layout}),
        **({} if network.is_first_layout or network.subnet_id else {ENDPOINT_PREFIX: network.endpoint_prefix}),
    }


def refused_changes(before: PlatformRecord, now: PlatformRecord, *, stack: str) -> Iterator[Problem]:
    """What may not change from one update to the next.

    With a higher generation everything is recreated, so everything may change. Whether an endpoint still serves under
    the names of the last generation is not checked here.
    """
    if before.generation is None or now.generation is None or now.generation > before.generation:
        return
    file = f"Pulumi.{stack}.yaml"
    if now.generation < before.generation:
        yield Problem(
            "sluice:generation",
            f"must not decrease, got {now.generation} after {before.generation}: Azure may still keep the names of the "
            "earlier one",
            f"Restore it in {file}, or raise it.",
        )
        return
    changed = [fixed for fixed in _FIXED if _differ(fixed.value_in(before.facts), fixed.value_in(now.facts))]
    another_network = any(fixed.tag == NETWORK for fixed in changed)
    for fixed in changed:
        if another_network and fixed.follows_network:
            continue
        yield Problem(
            fixed.name,
            f'must stay "{fixed.value_in(before.facts)}" while the stack exists, got "{fixed.value_in(now.facts)}": '
            f"{fixed.reason}",
            f"Restore it in {file}. To keep the change, set all weights to 0, then set sluice:generation: "
            f"{now.generation + 1} with it, which recreates everything under new names.{_protection(before)}",
        )


def _differ(before: str | None, now: str | None) -> bool:
    """Whether two known values differ."""
    return before is not None and now is not None and before != now


def _protection(before: PlatformRecord) -> str:
    if before.facts.get(NETWORK) != Network.PRIVATE.value:
        return ""
    return " Before that, release the resources that a private stack protects (`pulumi state unprotect`)."

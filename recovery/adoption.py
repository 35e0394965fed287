"""Which resources a dead update left in Azure, and whether they are this stack's: the reading half of `sluice recover`.

It computes ids from a resource's type and inputs, as azure-native does. It reads Azure and plain state documents, and
changes neither.
"""

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from arm_id import places_around, type_of
from command_errors import WaitingError
from localazure.catalog import by_arm_type, by_token
from naming import dns_tag_key
from resource_manager.client import ArmClient
from rollout.events import Change

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # the engine's mark for a value that is known only after the update
SECRET_MARK = "4dabf18193072939515e22adb298388d"  # the key by which a state document marks a secret
OWNER_TAGS = ("sluice:stack", "sluice:team")
OWNER_TAGS_IN_DNS = tuple(dns_tag_key(tag) for tag in OWNER_TAGS)  # what zones and their links carry instead
# Assets whose version is the hash of their content: what exists under that name is what was declared.
NAMED_BY_CONTENT = frozenset(
    f"azure-native:machinelearningservices:{kind}" for kind in ("ModelVersion", "CodeVersion", "EnvironmentVersion")
)
# Their names say whose they are: that of an assignment is a hash of the stack's group, who, what and where, those of
# assets in a workspace that was given hold a hash of the stack, and that of a resource in a private link scope has the
# stack's names and the hash of its subscription.
OWN_BY_NAME = NAMED_BY_CONTENT | {
    "azure-native:authorization:RoleAssignment",
    "azure-native:monitor:PrivateLinkScopedResource",
}
# Maps in which a missing key has a meaning: weights, and the tags that name a resource's owner.
COMPLETE_MAPS = ("traffic", "mirrorTraffic", "tags")
FINAL_STATES = frozenset({"succeeded", "failed", "canceled", ""})
POLL_SECONDS = 2.0
GROUP_API_VERSION = "2021-04-01"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A resource that is not in the state but may exist in Azure."""

    urn: str
    type: str
    parent_urn: str | None
    provider: str
    inputs: Mapping[str, Any]
    custom: bool = True

    @property
    def name(self) -> str:
        """The logical name."""
        return self.urn.rsplit("::", 1)[-1]

    @property
    def provider_urn(self) -> str:
        """The provider that manages it."""
        return self.provider.rpartition("::")[0]

    @property
    def subscription_id(self) -> str | None:
        """The subscription of a provider for another one than the stack's (`assessment/subscriptions.py`)."""
        found = re.search(r"::subscription-([0-9a-f-]+)$", self.provider_urn)
        return found[1] if found else None

    @property
    def version(self) -> str | None:
        """The version that the engine writes into the name of a default provider."""
        found = re.search(r"::default_(\d+)_(\d+)_(\d+)$", self.provider_urn)
        return ".".join(found.groups()) if found else None


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An operation that, according to the state, was in progress when the update died."""

    type: str
    candidate: Candidate
    id: str | None

    @property
    def creates(self) -> bool:
        """Whether a resource may exist that is not in the state."""
        return self.type == "creating"


@dataclass(frozen=True, kw_only=True)
class Found:
    """A candidate that exists in Azure and belongs to this stack."""

    candidate: Candidate
    id: str


def resources(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The resources of an exported state; none for a stack that was never updated."""
    return list((state.get("deployment") or {}).get("resources") or [])


def pending_operations(state: Mapping[str, Any]) -> list[Operation]:
    """The interrupted operations of an exported state."""
    return [
        Operation(type=entry["type"], candidate=_from_state(entry["resource"]), id=entry["resource"].get("id") or None)
        for entry in (state.get("deployment") or {}).get("pending_operations") or []
    ]


def _from_state(resource: Mapping[str, Any]) -> Candidate:
    return Candidate(
        urn=resource["urn"],
        type=resource["type"],
        parent_urn=resource.get("parent"),
        provider=resource.get("provider", ""),
        inputs=resource.get("inputs") or {},
        custom=bool(resource.get("custom")),
    )


def candidate_of(change: Change) -> Candidate:
    """Return the candidate of a planned creation."""
    return Candidate(
        urn=change.urn,
        type=change.type,
        parent_urn=change.parent or None,
        provider=change.provider,
        inputs=change.inputs,
        custom=change.custom,
    )


def inputs_for_state(type_: str, declared: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs to store for an adopted resource, from what the program declares and what the import read.

    Values that agree stay as declared. Values that differ stay as they are live, so that the next update shows and
    corrects them. Values that only Azure has belong to the service. With only the imported inputs, the next update
    would send every adopted resource again, including deployments that carry traffic.
    """
    if type_ in NAMED_BY_CONTENT:
        return {**live, **{key: value for key, value in declared.items() if not _is_hidden(value)}}
    return _merged(declared, live)


def _merged(declared: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for key, value in declared.items():
        if key in live and isinstance(value, Mapping) and isinstance(live[key], Mapping) and key not in COMPLETE_MAPS:
            merged[key] = _merged(value, live[key])
        elif (_is_alike(value, live.get(key)) or key == "azureApiVersion") and not _is_hidden(value):
            merged[key] = value
        elif key in live:
            merged[key] = live[key]
    merged.update((key, live[key]) for key in COMPLETE_MAPS if live.get(key) and key not in declared)
    return merged


def mapping(value: Any) -> Mapping[str, Any]:
    """Return the value if it is a mapping, else an empty one: Azure's answer may hold anything there."""
    return value if isinstance(value, Mapping) else {}


def _is_hidden(value: Any) -> bool:
    """Return whether a value is unknown before the update, or a secret that the engine does not show."""
    text = json.dumps(value)
    return any(mark in text for mark in (UNKNOWN, "[secret]", SECRET_MARK))


def _is_alike(declared: Any, live: Any) -> bool:
    """Return whether values are equal to ARM: strings in any case, lists in any order, absent equal to empty."""
    return bool(_plain(declared) == _plain(live))


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.casefold()
    if isinstance(value, Mapping):
        plain = {key: _plain(item) for key, item in value.items()}
        return {key: item for key, item in plain.items() if item not in (None, 0, "")} or None
    if isinstance(value, list):
        return sorted(repr(_plain(item)) for item in value) or None
    return value


def missing_components(
    found: Iterable[Found], planned: Iterable[Candidate], state: Mapping[str, Any]
) -> list[Candidate]:
    """Return the parent components of what was found that are also missing from the state, outermost first."""
    present = {resource["urn"] for resource in resources(state)}
    components = {item.urn: item for item in planned if not item.custom}
    missing: dict[str, Candidate] = {}
    for item in found:
        chain = []
        parent = item.candidate.parent_urn
        while parent and parent not in present and parent in components:
            chain.append(components[parent])
            parent = components[parent].parent_urn
        missing.update((component.urn, component) for component in reversed(chain))
    return [component for component in missing.values() if component.type != "pulumi:pulumi:Stack"]


class Finder:
    """Looks candidates up in Azure, and waits for operations that are in progress there."""

    def __init__(
        self, arm: ArmClient, subscription_id: str, stack: str, wait_seconds: float, say: Callable[[str], None]
    ) -> None:
        self.arm = arm
        self.subscription_id = subscription_id
        self.stack = stack
        self.wait_seconds = wait_seconds
        self.say = say
        self.refused: dict[str, str] = {}
        self._own_places: dict[str, bool] = {}

    def find(self, candidate: Candidate) -> Found | None:
        """Return the candidate's resource once Azure has finished it; None if it is absent or another stack's."""
        resource_id = self.id_of(candidate)
        api_version = self._api_version(candidate.type)
        if resource_id is None or api_version is None or candidate.urn in self.refused:
            return None
        live = self._settled(resource_id, api_version)
        if live is None:
            return None
        if not self._is_own(candidate, resource_id, live):
            self.refused[candidate.urn] = (
                f"{resource_id} exists, but does not have the tags of stack {self.stack}, so it was not "
                "changed. Delete or rename it, or import it yourself with `pulumi import`."
            )
            return None
        return Found(candidate=candidate, id=str(live.get("id", resource_id)))

    def wait_for(self, operation: Operation) -> None:
        """Wait until Azure has finished the operation of the dead update."""
        resource_id = operation.id or self.id_of(operation.candidate)
        api_version = self._api_version(operation.candidate.type)
        if resource_id and api_version:
            self._settled(resource_id, api_version)

    def exists(self, type_: str, resource_id: str) -> bool:
        """Whether Azure has the resource."""
        api_version = self._api_version(type_)
        return api_version is not None and self._settled(resource_id, api_version) is not None

    def id_of(self, candidate: Candidate) -> str | None:
        """Return the ARM id that the candidate would get; None for an unknown input or a type that is not Azure's."""
        kind = by_token(candidate.type)
        if kind is None:
            return None
        values = {"subscriptionId": candidate.subscription_id or self.subscription_id, **candidate.inputs}
        resource_id = kind.path
        for parameter in kind.parameters:
            value = values.get(parameter)
            if not isinstance(value, str) or UNKNOWN in value or not value:
                return None
            resource_id = resource_id.replace(f"{{{parameter}}}", value.strip("/"))
        return resource_id

    def _settled(self, resource_id: str, api_version: str) -> dict[str, Any] | None:
        deadline = time.monotonic() + self.wait_seconds
        told = False
        while True:
            live = self.arm.get(resource_id, api_version)
            status = str(mapping((live or {}).get("properties")).get("provisioningState") or "")
            if live is None or status.lower() in FINAL_STATES:
                return live
            if not told:
                self.say(f"waiting for Azure: {resource_id} is {status}")
                told = True
            if time.monotonic() > deadline:
                raise WaitingError(
                    f"{resource_id} is still {status} after {self.wait_seconds / 60:.0f} minutes. "
                    "Run this command again later; nothing is lost by waiting."
                )
            time.sleep(POLL_SECONDS)

    def _is_own(self, candidate: Candidate, resource_id: str, live: Mapping[str, Any]) -> bool:
        declared = candidate.inputs.get("tags") or {}
        expected = {tag: declared[tag] for tag in (*OWNER_TAGS, *OWNER_TAGS_IN_DNS) if tag in declared}
        if expected:
            tags = mapping(live.get("tags"))
            return all(tags.get(tag) == value for tag, value in expected.items())
        # What has no tags lies in something of the stack: in its group, or in a resource of its own in a given group.
        return candidate.type in OWN_BY_NAME or any(map(self._is_tagged, places_around(resource_id)))

    def _is_tagged(self, place: str) -> bool:
        """Whether the tags of a group or resource name this stack."""
        if place.lower() not in self._own_places:
            kind = by_arm_type(type_of(place)) if "/providers/" in place else None
            version = kind.api_version if kind else GROUP_API_VERSION
            known = kind is not None or "/providers/" not in place
            found = (self.arm.get(place, version) or {}) if known else {}
            self._own_places[place.lower()] = mapping(found.get("tags")).get("sluice:stack") == self.stack
        return self._own_places[place.lower()]

    @staticmethod
    def _api_version(type_: str) -> str | None:
        kind = by_token(type_)
        return kind.api_version if kind else None

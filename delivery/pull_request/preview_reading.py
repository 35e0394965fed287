"""What a preview means for the endpoints of a stack: which colours enter, change and leave, and whose requests move.

Pure: reads the changes of the engine's event log, never the JSON of `pulumi preview`, which holds the configuration.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rollout.events import ENDPOINT_TYPE, Change, Preview
from rollout.split import Split

DEPLOYMENT_TYPE = "azure-native:machinelearningservices:OnlineDeployment"
ENDPOINT_COMPONENT = "sluice:index:OnlineEndpoint"
ASSET_COMPONENT = "sluice:index:ReleaseAssets"
AUTOSCALE = "autoscale"
"""Ends the name of a colour's component that scales it."""
RELEASE_TAG = "tags.sluice:release"

Operation = Literal["create", "update", "replace", "delete"]


@dataclass(frozen=True, kw_only=True)
class ColourMove:
    """What happens to one deployment. `diffs` are paths of properties, never values."""

    endpoint: str
    """Key in the stack file."""
    colour: str
    operation: str
    diffs: tuple[str, ...] = ()
    sku: str | None = None
    """VM size afterwards; before, of one that leaves."""
    instances: int | None = None
    sku_before: str | None = None
    instances_before: int | None = None

    @property
    def changes_release(self) -> bool:
        """Whether it serves another release afterwards."""
        return self.operation in ("update", "replace") and any(RELEASE_TAG in path for path in self.diffs)


@dataclass(frozen=True, kw_only=True)
class EndpointMove:
    """What happens to one endpoint; `before` and `after` are its weights if they change or it enters or leaves."""

    endpoint: str
    operation: str | None = None
    before: Split | None = None
    after: Split | None = None
    colours: tuple[ColourMove, ...] = ()

    @property
    def moves_weights(self) -> bool:
        """Whether requests go elsewhere afterwards."""
        return self.before != self.after


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A preview by endpoint. `others` are the changes that no sentence about a colour or a weight covers."""

    endpoints: tuple[EndpointMove, ...] = ()
    others: tuple[Change, ...] = ()


@dataclass
class _Draft:
    operation: str | None = None
    before: Split | None = None
    after: Split | None = None
    colours: list[ColourMove] = field(default_factory=list)


def read_preview(preview: Preview) -> Reading:
    """Return what a preview means."""
    drafts: dict[str, _Draft] = {}
    covered: set[int] = set()
    for number, change in enumerate(preview.changes):
        if change.type == ENDPOINT_TYPE:
            draft = drafts.setdefault(_key_of(change), _Draft())
            draft.operation = change.op
            draft.before = None if change.op == "create" else _split(change.old_inputs)
            draft.after = None if change.op == "delete" else _split(change.inputs)
            if change.op in ("create", "delete") or _only_weights(change):
                covered.add(number)
        elif change.type == DEPLOYMENT_TYPE:
            move = _colour_move(change)
            drafts.setdefault(move.endpoint, _Draft()).colours.append(move)
            covered.add(number)
    moved = {(key, move.colour) for key, draft in drafts.items() for move in draft.colours}
    endpoints = tuple(
        EndpointMove(
            endpoint=key,
            operation=draft.operation,
            before=draft.before,
            after=draft.after,
            colours=tuple(sorted(draft.colours, key=lambda move: move.colour)),
        )
        for key, draft in sorted(drafts.items())
    )
    others = tuple(
        change
        for number, change in enumerate(preview.changes)
        if number not in covered and not _belongs_to(change, drafts, moved)
    )
    return Reading(endpoints=endpoints, others=others)


def _belongs_to(change: Change, drafts: Mapping[str, _Draft], moved: Iterable[tuple[str, str]]) -> bool:
    """Whether a change is part of a colour that enters, changes or leaves: its assets, its autoscale, its component."""
    for key, colour in moved:
        own = f"{key}-{colour}"
        if change.name == own or _parent_name(change) in (own, f"{own}-{AUTOSCALE}"):
            return True
        if ASSET_COMPONENT in change.urn and _parent_name(change) == key and change.op in ("create", "delete"):
            return True
    inside = any(change.name == key or _parent_name(change) == key for key in drafts)
    entered = any(draft.operation in ("create", "delete") for draft in drafts.values())
    return inside and entered and ENDPOINT_COMPONENT in change.urn


def _key_of(change: Change) -> str:
    """The key of an endpoint: the name of its component."""
    return _parent_name(change) or change.name


def _colour_move(change: Change) -> ColourMove:
    inputs, old = change.inputs or change.old_inputs, change.old_inputs
    colour = str(inputs.get("deploymentName") or change.name)
    parent = _parent_name(change)
    is_new = not old
    return ColourMove(
        endpoint=parent.removesuffix(f"-{colour}") or parent,
        colour=colour,
        operation=change.op,
        diffs=change.diffs,
        sku=_sku(inputs),
        instances=_instances(inputs),
        sku_before=None if is_new else _sku(old),
        instances_before=None if is_new else _instances(old),
    )


def _parent_name(change: Change) -> str:
    return change.parent.rsplit("::", 1)[-1]


def _split(inputs: Mapping[str, Any]) -> Split:
    properties = inputs.get("properties") or {}
    return Split(traffic=_weights(properties.get("traffic")), mirror=_weights(properties.get("mirrorTraffic")))


def _weights(value: Any) -> dict[str, int]:
    """Weights; the engine writes whole numbers as floats, and a string where a value is not known yet."""
    found = value if isinstance(value, dict) else {}
    return {str(name): int(percent) for name, percent in found.items() if isinstance(percent, int | float)}


def _only_weights(change: Change) -> bool:
    return bool(change.diffs) and all(
        path.startswith(("properties.traffic", "properties.mirrorTraffic")) for path in change.diffs
    )


def _sku(inputs: Mapping[str, Any]) -> str | None:
    size = (inputs.get("properties") or {}).get("instanceType")
    return size if isinstance(size, str) else None


def _instances(inputs: Mapping[str, Any]) -> int | None:
    capacity = (inputs.get("sku") or {}).get("capacity")
    return int(capacity) if isinstance(capacity, int | float) else None

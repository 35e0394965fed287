"""Which changes of a preview belong to a change of instances: everything else was not asked for. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from rollout.change.tools import autoscale_name, deployment_name
from rollout.events import Change, Preview
from rollout.instances import FEWEST, INSTANCES, Numbers, numbers_of_profiles

AUTOSCALE_TYPE = ":AutoscaleSetting"
"""End of the type: azure-native has moved it from `insights` to `monitor`."""
DEPLOYMENT_TYPE = ":OnlineDeployment"
_ASSETS = (":ModelVersion", ":CodeVersion", ":EnvironmentVersion")
_CAPACITY = re.compile(r"profiles\[\d+\]\.capacity($|[.\[])")

Expected = Callable[[Change], bool]


def others(preview: Preview, expected: Expected) -> tuple[str, ...]:
    """What the preview shows beside the expected changes, for people."""
    return tuple(str(change) for change in preview.changes if not expected(change))


def autoscale_update(key: str, colour: str, wanted: Numbers) -> Expected:
    """The update of a colour's autoscale setting: these instance counts, and nothing else of it."""

    def expected(change: Change) -> bool:
        return (
            change.op == "update"
            and change.type.endswith(AUTOSCALE_TYPE)
            and change.name == autoscale_name(key, colour)
            and bool(change.diffs)
            and all(_CAPACITY.match(path) for path in change.diffs)
            and _has(change, wanted)
        )

    return expected


def count_update(key: str, colour: str) -> Expected:
    """The update of a deployment to its fewest instances, and nothing else of it."""

    def expected(change: Change) -> bool:
        return (
            change.op == "update"
            and change.type.endswith(DEPLOYMENT_TYPE)
            and change.name == deployment_name(key, colour)
            and set(change.diffs) == {"sku.capacity"}
            and (change.inputs.get("sku") or {}).get("capacity") == FEWEST
        )

    return expected


def scale_down(key: str, colour: str) -> Expected:
    """The update that leaves a colour its fewest instances, with or without autoscale."""

    def expected(change: Change) -> bool:
        fewest = {path: FEWEST for path in _numbers(change.inputs) if path.endswith((".min", ".default"))}
        return count_update(key, colour)(change) or autoscale_update(key, colour, fewest)(change)

    return expected


def removal(key: str, colour: str) -> Expected:
    """The deletion of a colour: its component, deployment and autoscale, and assets that no other colour uses."""
    own = {
        f"{key}-{colour}",
        deployment_name(key, colour),
        f"{key}-{colour}-autoscale",
        autoscale_name(key, colour),
    }

    def expected(change: Change) -> bool:
        asset = change.type.endswith(_ASSETS) and change.name.startswith(f"{key}-")
        return change.op == "delete" and (change.name in own or asset)

    return expected


def has_numbers(found: Numbers, wanted: Numbers) -> bool:
    """Whether autoscale has these numbers; `instances` is the first count only, which no setting has."""
    return all(found.get(path) == number for path, number in wanted.items() if path != INSTANCES)


def _has(change: Change, wanted: Numbers) -> bool:
    changed = {path: number for path, number in wanted.items() if path != INSTANCES}
    now = _numbers(change.inputs)
    return bool(now) and now == {**_numbers(change.old_inputs), **changed}


def _numbers(inputs: Mapping[str, Any]) -> dict[str, int]:
    """The numbers of a setting's profiles; none if it has no such profiles."""
    try:
        return numbers_of_profiles(inputs["profiles"])
    except (KeyError, TypeError, ValueError):
        return {}

"""What Pulumi's state (`pulumi stack export`) says about a stack: the weights of its endpoints, its outputs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rollout.events import ENDPOINT_TYPE
from rollout.split import Split

STACK_TYPE = "pulumi:pulumi:Stack"


def splits_of(exported: Mapping[str, Any]) -> dict[str, Split]:
    """Return the weights of each endpoint, by its name in Azure."""
    found: dict[str, Split] = {}
    for resource in _resources(exported):
        if resource.get("type") != ENDPOINT_TYPE or resource.get("delete"):
            continue
        inputs = resource.get("inputs") or {}
        properties = inputs.get("properties") or {}
        found[str(inputs.get("endpointName"))] = Split(
            traffic=properties.get("traffic") or {}, mirror=properties.get("mirrorTraffic") or {}
        )
    return found


def outputs_of(exported: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the stack's outputs; empty before its first update."""
    stacks = (resource for resource in _resources(exported) if resource.get("type") == STACK_TYPE)
    return next((resource.get("outputs") or {} for resource in stacks), {})


def _resources(exported: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return (exported.get("deployment") or {}).get("resources") or ()

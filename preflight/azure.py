"""What Azure says about a stack's region: quotas, what the subscription has there, and what of it is this stack's.

Any answer that cannot be read ends in `QuotaUnreadable`: "no data" is not "enough".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from command_errors import CommandError, UnavailableError
from naming import Names
from preflight.demand import Demand, Machines
from preflight.verdict import Available, Usage, family_key

API_VERSION = "2024-04-01"
RESOURCES_API_VERSION = "2021-04-01"
PROVIDER = "Microsoft.MachineLearningServices"
ENDPOINT_TYPES = ("workspaces/onlineEndpoints", "workspaces/batchEndpoints")
"""What counts into the limit of endpoints; their deployments count into that of deployments."""


class QuotaUnreadable(UnavailableError):
    """The quota of a region, or what counts into it, cannot be read."""


class Arm(Protocol):
    """The part of `ArmClient` that is needed here."""

    def get(self, resource_id: str, api_version: str) -> dict[str, Any] | None: ...
    def get_all(self, path: str, api_version: str, query: Mapping[str, str] | None = None) -> list[dict[str, Any]]: ...


def read_available(arm: Arm, subscription_id: str, location: str) -> Available:
    """Read the quotas of a region and what the subscription has there. Raises QuotaUnreadable."""
    path = f"/subscriptions/{subscription_id}/providers/{PROVIDER}/locations/{location}/usages"
    try:
        usages = arm.get_all(path, API_VERSION)
        kinds = [*ENDPOINT_TYPES, *(f"{kind}/deployments" for kind in ENDPOINT_TYPES)]
        found = {kind: _count(arm, subscription_id, kind, location) for kind in kinds}
    except CommandError as error:
        raise QuotaUnreadable(
            f"the quota of {location} cannot be read: {error} Reading it needs Reader on the subscription."
        ) from error
    cores = dict(_dedicated(usages))
    if not cores:
        raise QuotaUnreadable(
            f"Azure lists no quota of cores for {PROVIDER} in {location} (GET {path}). Check the region, and that the "
            f"provider is registered: az provider register --namespace {PROVIDER}"
        )
    endpoints = sum(found[kind] for kind in ENDPOINT_TYPES)
    deployments = sum(found[f"{kind}/deployments"] for kind in ENDPOINT_TYPES)
    return Available(cores=cores, endpoints=endpoints, deployments=deployments)


def read_live(arm: Arm, names: Names) -> Demand:
    """Read what Azure has of a stack now. Raises QuotaUnreadable."""
    try:
        endpoints = [str(one["name"]) for one in arm.get_all(f"{names.workspace_id}/onlineEndpoints", API_VERSION)]
        deployments = {
            name: arm.get_all(f"{names.endpoint_id(name)}/deployments", API_VERSION) for name in sorted(endpoints)
        }
        computes = arm.get_all(f"{names.workspace_id}/computes", API_VERSION)
    except CommandError as error:
        raise QuotaUnreadable(f"what the stack has in Azure cannot be read: {error}") from error
    machines = [
        Machines(
            what=f"{name}/{one.get('name')}",
            size=str(_properties(one).get("instanceType") or ""),
            count=int(_mapping(one.get("sku")).get("capacity") or 0),
        )
        for name, found in deployments.items()
        for one in found
        if one.get("kind", "Managed") == "Managed"
    ]
    return Demand(
        machines=(*machines, *_clusters(computes)),
        endpoints=frozenset(endpoints),
        deployments={name: len(found) for name, found in deployments.items()},
    )


def _clusters(computes: list[dict[str, Any]]) -> Iterator[Machines]:
    """The nodes that run now: a cluster without nodes takes no cores."""
    for one in computes:
        cluster = _mapping(_properties(one).get("properties"))
        if _properties(one).get("computeType") == "AmlCompute":
            size, count = str(cluster.get("vmSize") or ""), int(cluster.get("currentNodeCount") or 0)
            yield Machines(what=str(one.get("name")), size=size, count=count, reserves=False)


def _dedicated(usages: list[dict[str, Any]]) -> Iterator[tuple[str, Usage]]:
    """The quotas of dedicated cores of the whole subscription.

    The same list has rows of single workspaces and clusters, and rows of low priority, which differ from the others
    only in their displayed name or their type (Microsoft's example, and answers that users report).
    """
    for one in usages:
        name = _mapping(one.get("name"))
        shown = str(name.get("localizedValue") or name.get("value") or "")
        kind = str(one.get("type") or "")
        marks = f"{shown} {kind}".replace(" ", "").lower()
        if "/workspaces/" in str(one.get("id") or "").lower() or "lowpriority" in marks or "family" not in marks:
            continue
        current, limit = one.get("currentValue"), one.get("limit")
        if isinstance(current, int) and isinstance(limit, int):
            yield family_key(shown), Usage(current=current, limit=limit)


def _count(arm: Arm, subscription_id: str, kind: str, location: str) -> int:
    """How many resources of a kind the caller sees in a region."""
    query = {"$filter": f"resourceType eq '{PROVIDER}/{kind}'"}
    found = arm.get_all(f"/subscriptions/{subscription_id}/resources", RESOURCES_API_VERSION, query)
    return sum(str(one.get("location") or "").replace(" ", "").lower() == location for one in found)


def _properties(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    return _mapping(resource.get("properties"))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

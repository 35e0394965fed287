"""Quota of managed deployments: cores by family of VM sizes, with the 20 % that the service keeps for upgrades.

Formula and exempt families are documented. It is not verified that the reserve counts as usage, and that the PUT
already makes the check. The refusal has the text that users report. Only families with a limit are checked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from localazure.arm.vm_sizes import FAMILIES, family_key, find_size
from localazure.errors import BadRequest, inferencing_refusal, validation_text
from localazure.resource import Resource


def needed_cores(size: str, instances: int) -> int:
    """The cores that `instances` take from the quota; 0 if the size is not known."""
    known = find_size(size)
    if known is None:
        return 0
    return (-(-instances * 12 // 10) if known.reserves else instances) * known.cores  # rounded up


def family_of(size: str) -> str:
    """The key of a size's family; empty if the size is not known."""
    known = find_size(size)
    return family_key(known.family) if known else ""


def read_quota(given: Iterable[str]) -> dict[str, int]:
    """Limits by family, from `FAMILY=CORES` strings (`DSv2=24` or `standardDSv2Family=24`). Raises ValueError with an
    explanation."""
    quota = {}
    for text in given:
        family, _, cores = text.partition("=")
        if not family or not (cores.isascii() and cores.isdigit()):
            raise ValueError(f"A quota must be FAMILY=CORES, for example DSv2=24, got {text!r}.")
        quota[family_key(family)] = int(cores)
    return quota


def check_quota(
    quota: Mapping[str, int], deployments: Iterable[Resource], resource_id: str, size: str, instances: int
) -> None:
    """Raise the reported refusal when a deployment asks for more cores than its family has left."""
    family = family_of(size)
    if family not in quota:
        return
    used = before = 0
    for other in deployments:
        other_size = str(other.properties.get("instanceType") or "")
        if family_of(other_size) != family or other.body.get("kind") != "Managed":
            continue
        cores = needed_cores(other_size, int(other.body["sku"]["capacity"]))
        used += cores
        before = cores if other.key == resource_id.lower() else before
    additional = needed_cores(size, instances) - before
    if additional > 0 and used + additional > quota[family]:
        raise _refusal(resource_id, size, used, quota[family], additional)


def usage_rows(quota: Mapping[str, int], used: Mapping[str, int], subscription: str) -> list[dict[str, Any]]:
    """The families of a region as the service lists them; `used` are cores by the key of a family.

    A family without a limit here has -1, as families of low priority have in Microsoft's example.
    """
    rows = []
    for family in FAMILIES:
        key = family_key(family)
        short = family.removeprefix("standard").removesuffix("Family").strip()
        name = f"Standard {short} Family Cluster Dedicated vCPUs"
        rows.append(
            {
                "id": f"/subscriptions/{subscription}/providers/Microsoft.MachineLearningServices/usages/{family}",
                "type": "Microsoft.MachineLearningServices/vmFamily/dedicatedCores/usages",
                "unit": "Count",
                "currentValue": used.get(key, 0),
                "limit": quota.get(key, -1),
                "name": {"value": family, "localizedValue": name},
            }
        )
    return rows


def used_cores(deployments: Iterable[Resource], clusters: Iterable[Resource], location: str) -> dict[str, int]:
    """Cores in use in a region, by the key of their family: managed deployments, and the nodes of clusters."""
    used: Counter[str] = Counter()
    for deployment in deployments:
        if deployment.body.get("kind") == "Managed" and is_in(deployment, location):
            size = str(deployment.properties.get("instanceType") or "")
            used[family_of(size)] += needed_cores(size, int(deployment.body["sku"]["capacity"]))
    for cluster in clusters:
        own = cluster.properties.get("properties") or {}
        known = find_size(str(own.get("vmSize") or ""))
        if known is not None and is_in(cluster, location):
            used[family_key(known.family)] += int(own.get("currentNodeCount") or 0) * known.cores
    return dict(used)


def is_in(resource: Resource, location: str) -> bool:
    """Whether a resource is in a region, in whatever spelling."""
    return str(resource.body.get("location") or "").replace(" ", "").lower() == location.replace(" ", "").lower()


def _refusal(resource_id: str, size: str, used: int, limit: int, additional: int) -> BadRequest:
    text = (
        f"Not enough quota available for {size} in SubscriptionId {resource_id.split('/')[2]}. "
        f"Current usage/limit: {used}/{limit}. Additional needed: {additional} "
        "Please see troubleshooting guide, available here: https://aka.ms/oe-tsg#error-outofquota"
    )
    return inferencing_refusal(validation_text("VmSize", text))

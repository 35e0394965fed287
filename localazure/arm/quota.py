"""Quota of managed deployments: cores by family of VM sizes, with the 20 % that the service keeps for upgrades.

Formula and exempt families are documented; that the reserve counts as usage, and that the check comes with the PUT,
is not verified. The refusal is the text that users report. Only families that a limit is set for are checked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from localazure.arm.errors import BadRequest, inferencing_refusal, validation_text
from localazure.arm.store import Resource

_SIZE = re.compile(r"standard_([a-z]+?)(\d+)([a-z]*)((?:_[a-z]\w*?)?)_(v\d+)", re.IGNORECASE)
# The D, DS series of v2 count sizes, not cores.
_D_CORES = {1: 1, 2: 2, 3: 4, 4: 8, 5: 16, 11: 2, 12: 4, 13: 8, 14: 16, 15: 20}
_EXEMPT = re.compile(r"NC\d+A?DS_A100_V4|NC(40|80)ADI?S_H100_V5|ND96\w*|ND40RS_V2", re.IGNORECASE)


def family_of(size: str) -> str:
    """The family of a VM size as quota names it, for example `DSv2`, `FSv2`, `NCASv3_T4`; empty if unreadable."""
    match = _SIZE.fullmatch(size)
    if match is None:
        return ""
    letters, _, additions, accelerator, version = match.groups()
    return f"{letters}{additions}".upper() + version.lower() + accelerator.upper()


def cores_of(size: str) -> int:
    """Cores of a VM size, from its name; 0 if unreadable."""
    match = _SIZE.fullmatch(size)
    if match is None:
        return 0
    number = int(match[2])
    if match[1].upper() in ("D", "DS") and match[5].lower() == "v2":
        return _D_CORES.get(number, number)
    return number


def needed_cores(size: str, instances: int) -> int:
    """Cores that so many instances take from the quota."""
    exempt = _EXEMPT.fullmatch(size.partition("_")[2]) is not None
    return (instances if exempt else math.ceil(1.2 * instances)) * cores_of(size)


def read_quota(given: Iterable[str]) -> dict[str, int]:
    """Limits from `FAMILY=CORES` texts. Raises ValueError that says what is wrong."""
    quota = {}
    for text in given:
        family, _, cores = text.partition("=")
        if not family or not cores.isdigit():
            raise ValueError(f"A quota is FAMILY=CORES, for example DSv2=24, got {text!r}.")
        quota[family.lower().removeprefix("standard").removesuffix("family")] = int(cores)
    return quota


def check_quota(
    quota: Mapping[str, int], deployments: Iterable[Resource], resource_id: str, size: str, instances: int
) -> None:
    """Raise the reported refusal when a deployment asks for more cores than its family has left."""
    family = family_of(size).lower()
    if family not in quota:
        return
    used = before = 0
    for other in deployments:
        other_size = str(other.properties.get("instanceType") or "")
        if family_of(other_size).lower() != family or other.body.get("kind") != "Managed":
            continue
        cores = needed_cores(other_size, int(other.body["sku"]["capacity"]))
        used += cores
        before = cores if other.key == resource_id.lower() else before
    additional = needed_cores(size, instances) - before
    if additional > 0 and used + additional > quota[family]:
        raise _refusal(resource_id, size, used, quota[family], additional)


def _refusal(resource_id: str, size: str, used: int, limit: int, additional: int) -> BadRequest:
    text = (
        f"Not enough quota available for {size} in SubscriptionId {resource_id.split('/')[2]}. "
        f"Current usage/limit: {used}/{limit}. Additional needed: {additional} "
        "Please see troubleshooting guide, available here: https://aka.ms/oe-tsg#error-outofquota"
    )
    return inferencing_refusal(validation_text("VmSize", text))

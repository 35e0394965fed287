"""The demand of a stack compared with the limits of its subscription in its region. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from preflight.demand import Demand

MAX_ENDPOINTS, MAX_DEPLOYMENTS, MAX_DEPLOYMENTS_OF_ENDPOINT = 100, 500, 20
"""Azure ML's limits by subscription and region, and by endpoint (Microsoft, how-to-manage-quotas, read 2026-01)."""
UNLIMITED = -1
"""The limit of a family that Azure does not limit by itself (Microsoft's example of the answer)."""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What Azure says of one quota."""

    current: int
    limit: int


@dataclass(frozen=True, kw_only=True)
class Available:
    """What Azure says of a region: quotas of cores by `family_key`, and what the whole subscription has."""

    cores: Mapping[str, Usage]
    endpoints: int
    deployments: int


@dataclass(frozen=True, kw_only=True)
class Row:
    """One limit. `limit` is None where Azure names none; `others` is what everybody else uses."""

    what: str
    others: int
    needed: int
    limit: int | None

    @property
    def short(self) -> int:
        """How much is missing; 0 if it suffices, and where it cannot be judged."""
        if self.limit is None or self.limit == UNLIMITED:
            return 0
        return max(0, self.others + self.needed - self.limit)


def rows_of(worst: Demand, live: Demand, available: Available) -> list[Row]:
    """Compare each limit that the stack touches.

    What the stack uses now is part of what Azure counts, so it is taken off. That Azure counts the reserve for upgrades
    as usage is not verified; if it does not, the others use up to a fifth of this stack's cores more than a row says.
    """
    rows = []
    for family, needed in sorted(worst.cores.items()):
        usage = available.cores.get(family_key(family))
        others = max(0, usage.current - live.cores.get(family, 0)) if usage else 0
        rows.append(Row(what=family, others=others, needed=needed, limit=usage.limit if usage else None))
    rows.append(_counted("endpoints", available.endpoints, len(live.endpoints), len(worst.endpoints), MAX_ENDPOINTS))
    own, needed = sum(live.deployments.values()), sum(worst.deployments.values())
    rows.append(_counted("deployments", available.deployments, own, needed, MAX_DEPLOYMENTS))
    rows += [
        Row(what=f"deployments of {name}", others=0, needed=count, limit=MAX_DEPLOYMENTS_OF_ENDPOINT)
        for name, count in sorted(worst.deployments.items())
        if count > MAX_DEPLOYMENTS_OF_ENDPOINT
    ]
    return rows


def _counted(what: str, current: int, own: int, needed: int, limit: int) -> Row:
    return Row(what=what, others=max(0, current - own), needed=needed, limit=limit)


def family_key(name: str) -> str:
    """A family's name without what its spellings differ in.

    `standardDSv2Family`, `Standard DSv2 Family Cluster Dedicated vCPUs` and `StandardDSv2Family` are the same one.
    """
    text = re.sub(r"[^a-z0-9]", "", name.lower())
    return text.removeprefix("standard").removesuffix("vcpus").removesuffix("clusterdedicated").removesuffix("family")

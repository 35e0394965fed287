"""What the worst point of a stack's declared plan needs: cores by family of VM sizes, endpoints and deployments.

Pure. At that point every declared colour has the most instances that it may have, and what Azure still has of colours
that are not declared any more exists beside them, because an update deletes last. A colour that is replaced is deleted
before it is created again, so it counts once. Clusters count with their most nodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from skus import find_sku, quota_cores


@dataclass(frozen=True, kw_only=True)
class Machines:
    """Machines of one size that exist together; `reserves` says that Azure ML keeps a reserve for upgrades of them."""

    what: str
    """Such as `fraud-detection/blue`, or the name of a cluster."""
    size: str
    count: int
    reserves: bool = True

    @property
    def family(self) -> str | None:
        """The name of their quota; None for a size that the table does not have."""
        sku = find_sku(self.size)
        return sku.family if sku else None

    @property
    def cores(self) -> int:
        """The quota that they take; 0 for a size that the table does not have."""
        sku = find_sku(self.size)
        if sku is None:
            return 0
        return quota_cores(sku, self.count) if self.reserves else self.count * sku.cores

    def __str__(self) -> str:
        reserve = ", with the reserve for upgrades" if self.reserves else ""
        return f"{self.what}: {self.count} x {self.size}, {self.cores} cores{reserve}"


@dataclass(frozen=True, kw_only=True)
class Demand:
    """Everything that a stack has or needs at one moment."""

    machines: tuple[Machines, ...] = ()
    endpoints: frozenset[str] = frozenset()
    """Names in Azure."""
    deployments: Mapping[str, int] = field(default_factory=dict)
    """How many of each endpoint, by its name in Azure."""

    @property
    def cores(self) -> dict[str, int]:
        """Cores by family."""
        found: Counter[str] = Counter()
        for one in self.machines:
            if one.family is not None:
                found[one.family] += one.cores
        return dict(found)

    @property
    def unknown(self) -> tuple[Machines, ...]:
        """Machines of sizes whose quota cannot be judged."""
        return tuple(one for one in self.machines if one.family is None)


def worst_point(declared: Demand, live: Demand) -> Demand:
    """What exists together at the worst moment of the update that the stack file asks for, and of every rollout."""
    named = {one.what for one in declared.machines}
    leaving = tuple(one for one in live.machines if one.what not in named)
    return Demand(
        machines=(*declared.machines, *leaving),
        endpoints=declared.endpoints | live.endpoints,
        deployments={
            name: declared.deployments.get(name, 0) + _leaving(leaving, name)
            for name in sorted(declared.endpoints | live.endpoints)
        },
    )


def _leaving(machines: Iterable[Machines], endpoint: str) -> int:
    return sum(one.what.startswith(f"{endpoint}/") for one in machines)

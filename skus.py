"""VM sizes that managed online deployments may ask for, and what is known of each.

A table, not a catalogue of Azure: the families this project supports (DSv2, FSv2 and the NC families), with cores for
the quota formula and, for a retired family, the day it went away and what replaces it. Sources: Azure's size and
retirement pages; memory sizes are those of the size pages. It does not ask Azure whether a region offers a size or
whether quota is left; `sluice doctor` does that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

MINIMUM_RECOMMENDED = "Standard_DS3_v2"
"""What azure-ai-ml warns below."""


@dataclass(frozen=True, kw_only=True)
class Sku:
    """One VM size.

    `retired` is the day it stopped being available and `replacements` what to use instead. `reserves_for_upgrades`
    says that Azure ML asks for 20 % more quota than the instances need; `recommended` is False below the recommended
    minimum.
    """

    name: str
    family: str
    cores: int
    memory_gib: int | None = None
    gpus: int = 0
    retired: date | None = None
    replacements: tuple[str, ...] = ()
    reserves_for_upgrades: bool = True
    recommended: bool = True


class SkuError(ValueError):
    """A size is unknown or retired; the message says which sizes to use instead."""


def _family(
    family: str,
    *sizes: tuple[str, int, int | None, int],
    retired: date | None = None,
    replacements: tuple[str, ...] = (),
    reserves_for_upgrades: bool = True,
    recommended: bool = True,
) -> tuple[Sku, ...]:
    """Rows of one family: (size without `Standard_`, cores, memory in GiB, GPUs)."""
    return tuple(
        Sku(
            name=f"Standard_{size}",
            family=family,
            cores=cores,
            memory_gib=memory_gib,
            gpus=gpus,
            retired=retired,
            replacements=replacements,
            reserves_for_upgrades=reserves_for_upgrades,
            recommended=recommended,
        )
        for size, cores, memory_gib, gpus in sizes
    )


_T4 = ("Standard_NC4as_T4_v3", "Standard_NC8as_T4_v3", "Standard_NC16as_T4_v3", "Standard_NC64as_T4_v3")
_A100 = ("Standard_NC24ads_A100_v4", "Standard_NC48ads_A100_v4", "Standard_NC96ads_A100_v4")

_TABLE = (
    _family("DSv2", ("DS1_v2", 1, 3, 0), ("DS2_v2", 2, 7, 0), recommended=False)
    + _family("DSv2", ("DS3_v2", 4, 14, 0), ("DS4_v2", 8, 28, 0), ("DS5_v2", 16, 56, 0))
    + _family(
        "FSv2",
        ("F2s_v2", 2, 4, 0),
        ("F4s_v2", 4, 8, 0),
        ("F8s_v2", 8, 16, 0),
        ("F16s_v2", 16, 32, 0),
        ("F32s_v2", 32, 64, 0),
        ("F48s_v2", 48, 96, 0),
        ("F64s_v2", 64, 128, 0),
        ("F72s_v2", 72, 144, 0),
    )
    + _family(
        "NCASv3_T4",
        ("NC4as_T4_v3", 4, 28, 1),
        ("NC8as_T4_v3", 8, 56, 1),
        ("NC16as_T4_v3", 16, 110, 1),
        ("NC64as_T4_v3", 64, 440, 4),
    )
    + _family(
        "NCADS_A100_v4",
        ("NC24ads_A100_v4", 24, 220, 1),
        ("NC48ads_A100_v4", 48, 440, 2),
        ("NC96ads_A100_v4", 96, 880, 4),
        reserves_for_upgrades=False,
    )
    + _family(
        "NCADS_H100_v5",
        ("NC40ads_H100_v5", 40, 320, 1),
        ("NC80adis_H100_v5", 80, 640, 2),
        reserves_for_upgrades=False,
    )
    + _family(
        "NC",
        ("NC6", 6, 56, 1),
        ("NC12", 12, 112, 2),
        ("NC24", 24, 224, 4),
        ("NC24r", 24, 224, 4),
        retired=date(2023, 9, 6),
        replacements=_T4,
    )
    + _family(
        "NCv2",
        ("NC6s_v2", 6, 112, 1),
        ("NC12s_v2", 12, 224, 2),
        ("NC24s_v2", 24, 448, 4),
        ("NC24rs_v2", 24, 448, 4),
        retired=date(2023, 9, 6),
        replacements=_T4,
    )
    + _family(
        "NCv3",
        ("NC6s_v3", 6, 112, 1),
        ("NC12s_v3", 12, 224, 2),
        ("NC24s_v3", 24, 448, 4),
        retired=date(2025, 9, 30),
        replacements=_A100,
    )
    # The RDMA size of NCv3 went half a year earlier (commonly known, not verified).
    + _family("NCv3", ("NC24rs_v3", 24, 448, 4), retired=date(2025, 3, 31), replacements=_A100)
)

SKUS: dict[str, Sku] = {sku.name: sku for sku in _TABLE}
"""Every size the table knows, by its name in Azure's spelling."""

_BY_LOWER_NAME = {name.lower(): sku for name, sku in SKUS.items()}


def find_sku(name: str) -> Sku | None:
    """Return the table's entry for a size, in whatever case it is written (Azure ignores case), or None."""
    return _BY_LOWER_NAME.get(name.lower())


def check_sku(name: str, today: date) -> Sku:
    """Return the entry of a size that can be deployed on `today`, or raise `SkuError`.

    The error reads as the end of a sentence that starts with the key: "names the SKU ..., which ...".
    """
    sku = find_sku(name)
    if sku is None:
        raise SkuError(f'names the SKU "{name}", which is not in the table of known sizes. {_suggestion(name)}')
    if sku.retired is not None and sku.retired <= today:
        raise SkuError(
            f"names the SKU {sku.name}, which Azure retired on {sku.retired.isoformat()}. "
            f"Use {_one_of(sku.replacements)} instead."
        )
    return sku


def quota_cores(sku: Sku, instances: int) -> int:
    """Cores of the family's quota that `instances` need, Azure's 20 % upgrade reserve included."""
    if not sku.reserves_for_upgrades:
        return instances * sku.cores
    return -(-instances * 12 // 10) * sku.cores


def _suggestion(name: str) -> str:
    from difflib import get_close_matches  # only when there is an error to explain

    available = {sku.name.lower(): sku.name for sku in _TABLE if sku.retired is None}
    close = get_close_matches(name.lower(), available, n=3, cutoff=0.75)
    if close:
        return f"Did you mean {_one_of([available[match] for match in close])}?"
    families = ", ".join(f"{family} ({_range(family)})" for family in dict.fromkeys(s.family for s in _available()))
    return f"Known and available: {families}."


def _available() -> list[Sku]:
    return [sku for sku in _TABLE if sku.retired is None]


def _range(family: str) -> str:
    names = [sku.name for sku in _available() if sku.family == family]
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def _one_of(names: tuple[str, ...] | list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"

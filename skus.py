"""VM sizes of managed online deployments: cores and family for the quota formula, and the day a family is retired.

The table has every size of Microsoft's list for managed online endpoints, with the family's name as the quota API
spells it. Azure adds sizes all the time, and deployments have run on sizes that the list does not have, so an unknown
size is not an error: `sku_warning` says that its quota and retirement are not checked. A retired size and a name that
cannot be a VM size are refused. Only Azure knows whether a region offers a size and how much quota is left.

Sources (documented): MicrosoftDocs/azure-ai-docs, articles/machine-learning/
reference-managed-online-endpoints-vm-sku-list.md at commit 1d987e3 (sizes, families, cores, "Skip 20%
Reservation"); its sizes are in capitals there and in the spelling of the size pages here. Retirements:
MicrosoftDocs/azure-compute-docs, articles/virtual-machines/sizes/retirement/retired-sizes-list.md at commit 0bdc5d3.
The list still has NCv2 and NCv3, which are gone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

_NAME = re.compile(r"(standard|basic)_[a-z][a-z0-9_-]*", re.IGNORECASE)
"""The form of the name of every VM size."""


@dataclass(frozen=True, kw_only=True)
class Sku:
    """One VM size.

    `family` is the name of its quota (`az vm list-usage`: `name.value`). `retired` is the day on which Azure takes it
    away, past or announced, and `replacements` what to use instead. `reserves_for_upgrades` says that Azure ML asks for
    20 % more quota than the instances need.
    """

    name: str
    family: str
    cores: int
    retired: date | None = None
    replacements: tuple[str, ...] = ()
    reserves_for_upgrades: bool = True

    @property
    def has_gpus(self) -> bool:
        """Whether it has GPUs: the sizes whose names begin with N, in Microsoft's naming of VM sizes."""
        return self.name.startswith("Standard_N")


class SkuError(ValueError):
    """A size is retired or not a VM size; `fix` says which sizes to use instead, "" where none has such a name."""

    def __init__(self, what: str, fix: str) -> None:
        self.what, self.fix = what, fix
        super().__init__(f"{what}. {fix}".rstrip())


def _family(
    family: str,
    sizes: str,
    *,
    retired: date | None = None,
    replacements: tuple[str, ...] = (),
    reserves_for_upgrades: bool = True,
) -> tuple[Sku, ...]:
    """Rows of one family, each `size=cores`, the size without `Standard_`."""
    rows = []
    for row in sizes.split():
        size, _, cores = row.partition("=")
        rows.append(
            Sku(
                name=f"Standard_{size}",
                family=family,
                cores=int(cores),
                retired=retired,
                replacements=replacements,
                reserves_for_upgrades=reserves_for_upgrades,
            )
        )
    return tuple(rows)


_DAS = tuple(f"Standard_D{cores}as_v4" for cores in (2, 4, 8, 16, 32, 48, 64, 96))
_LS = tuple(f"Standard_L{cores}s_v3" for cores in (8, 16, 32, 48, 64, 80))
_T4 = ("Standard_NC4as_T4_v3", "Standard_NC8as_T4_v3", "Standard_NC16as_T4_v3", "Standard_NC64as_T4_v3")
_A100 = ("Standard_NC24ads_A100_v4", "Standard_NC48ads_A100_v4", "Standard_NC96ads_A100_v4")
_A10 = ("Standard_NV6ads_A10_v5", "Standard_NV12ads_A10_v5", "Standard_NV36ads_A10_v5")

_MAY_2028, _NOVEMBER_2028 = date(2028, 5, 1), date(2028, 11, 15)

_TABLE = (
    _family("standardDASv4Family", "D2as_v4=2 D4as_v4=4 D8as_v4=8 D16as_v4=16 D32as_v4=32 D48as_v4=48")
    + _family("standardDASv4Family", "D64as_v4=64 D96as_v4=96")
    + _family("standardDAv4Family", "D2a_v4=2 D4a_v4=4 D8a_v4=8 D16a_v4=16 D32a_v4=32 D48a_v4=48 D64a_v4=64 D96a_v4=96")
    + _family(
        "standardDSv2Family", "DS1_v2=1 DS2_v2=2 DS3_v2=4 DS4_v2=8 DS5_v2=16", retired=_MAY_2028, replacements=_DAS
    )
    + _family("standardESv3Family", "E2s_v3=2 E4s_v3=4 E8s_v3=8 E16s_v3=16 E32s_v3=32 E48s_v3=48 E64s_v3=64")
    + _family(
        "standardFSv2Family",
        "F2s_v2=2 F4s_v2=4 F8s_v2=8 F16s_v2=16 F32s_v2=32 F48s_v2=48 F64s_v2=64 F72s_v2=72",
        retired=_NOVEMBER_2028,
        replacements=_DAS,
    )
    + _family("standardFXMDVSFamily", "FX4mds=4 FX12mds=12 FX24mds=24 FX36mds=36 FX48mds=48")
    + _family("standardLASv3Family", "L8as_v3=8 L16as_v3=16 L32as_v3=32 L48as_v3=48 L64as_v3=64 L80as_v3=80")
    + _family(
        "standardLSv2Family",
        "L8s_v2=8 L16s_v2=16 L32s_v2=32 L48s_v2=48 L64s_v2=64 L80s_v2=80",
        retired=_NOVEMBER_2028,
        replacements=_LS,
    )
    + _family("standardLSv3Family", "L8s_v3=8 L16s_v3=16 L32s_v3=32 L48s_v3=48 L64s_v3=64 L80s_v3=80")
    + _family(
        "standardNCADSA100v4Family",
        "NC24ads_A100_v4=24 NC48ads_A100_v4=48 NC96ads_A100_v4=96",
        reserves_for_upgrades=False,
    )
    + _family("standard NCASv3_T4 Family", "NC4as_T4_v3=4 NC8as_T4_v3=8 NC16as_T4_v3=16 NC64as_T4_v3=64")
    + _family("standardNCADSH100v5Family", "NC40ads_H100_v5=40 NC80adis_H100_v5=80", reserves_for_upgrades=False)
    + _family("standard NDAMSv4_A100Family", "ND96amsr_A100_v4=96", reserves_for_upgrades=False)
    + _family("standard NDASv4_A100 Family", "ND96asr_v4=96", reserves_for_upgrades=False)
    + _family("standardNDSv2Family", "ND40rs_v2=40", reserves_for_upgrades=False)
    + _family("standardNDv5H100Family", "ND96is_H100_v5=96 ND96isr_H100_v5=96", reserves_for_upgrades=False)
    + _family(
        "standardNVADSA10v5Family",
        "NV6ads_A10_v5=6 NV12ads_A10_v5=12 NV18ads_A10_v5=18 NV36ads_A10_v5=36 NV36adms_A10_v5=36 NV72ads_A10_v5=72",
    )
    # Retired. NC and NV (v1) are not on Microsoft's list; they are here for the day and the replacement.
    + _family("standardNCFamily", "NC6=6 NC12=12 NC24=24 NC24r=24", retired=date(2023, 9, 6), replacements=_T4)
    + _family("standardNVFamily", "NV6=6 NV12=12 NV24=24", retired=date(2023, 9, 6), replacements=_A10)
    + _family(
        "standardNCSv2Family",
        "NC6s_v2=6 NC12s_v2=12 NC24s_v2=24 NC24rs_v2=24",
        retired=date(2023, 9, 6),
        replacements=_T4,
    )
    + _family("standardNCSv3Family", "NC6s_v3=6 NC12s_v3=12 NC24s_v3=24", retired=date(2025, 9, 30), replacements=_A100)
    # The RDMA size of NCv3 went half a year earlier (Azure/EOL, service_list.json; the list of retired sizes says
    # 2025-09-30 of it too).
    + _family("standardNCSv3Family", "NC24rs_v3=24", retired=date(2025, 3, 31), replacements=_A100)
)

SKUS: dict[str, Sku] = {sku.name: sku for sku in _TABLE}
"""Every size the table knows, by its name in Azure's spelling."""

_BY_LOWER_NAME = {name.lower(): sku for name, sku in SKUS.items()}


def find_sku(name: str) -> Sku | None:
    """Return the table's entry for a size, in whatever case it is written (Azure ignores case), or None."""
    return _BY_LOWER_NAME.get(name.lower())


def check_sku(name: str, today: date) -> Sku | None:
    """Return the entry of a size that can be deployed on `today`, None for one that the table does not know.

    Raises `SkuError`, whose message reads as the end of a sentence that starts with the key: "names the SKU ...,
    which ...".
    """
    sku = find_sku(name)
    if sku is None:
        if not _NAME.fullmatch(name):
            raise SkuError(
                f'names the SKU "{name}", which is not a VM size: VM sizes are named Standard_<size>',
                _suggestion(name, today).lstrip(),
            )
        return None
    if sku.retired is not None and sku.retired <= today:
        raise SkuError(
            f"names the SKU {sku.name}, which Azure retired on {sku.retired.isoformat()}",
            f"Use {_one_of(sku.replacements)} instead.",
        )
    return sku


def sku_warning(name: str, today: date) -> str | None:
    """Return what to know about a size that may be deployed on `today`, as the end of a sentence; None: nothing."""
    sku = find_sku(name)
    if sku is None:
        if not _NAME.fullmatch(name):
            return None  # check_sku refuses it
        return (
            f'names the SKU "{name}", which is not on Microsoft\'s list for managed online endpoints: its quota and '
            f"its retirement are not checked.{_suggestion(name, today)}"
        )
    if sku.retired is not None and sku.retired > today:
        as_large = next((name for name in sku.replacements if SKUS[name].cores >= sku.cores), sku.replacements[-1])
        return (
            f"names the SKU {sku.name}, which Azure retires on {sku.retired.isoformat()}. "
            f"Plan to move to another one, for example {as_large}."
        )
    return None


def quota_cores(sku: Sku, instances: int) -> int:
    """Cores of the family's quota that `instances` need, Azure's 20 % upgrade reserve included.

    Formula: MicrosoftDocs/azure-ai-docs, includes/quota-allocation-online-deployment.md (documented).
    """
    if not sku.reserves_for_upgrades:
        return instances * sku.cores
    return -(-instances * 12 // 10) * sku.cores


def _suggestion(name: str, today: date) -> str:
    from difflib import get_close_matches  # only where there is something to explain

    available = {lower: sku.name for lower, sku in _BY_LOWER_NAME.items() if not sku.retired or sku.retired > today}
    names = [available[match] for match in get_close_matches(name.lower(), available, n=3, cutoff=0.75)]
    return f" Did you mean {_one_of(names)}?" if names else ""


def _one_of(names: tuple[str, ...] | list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"

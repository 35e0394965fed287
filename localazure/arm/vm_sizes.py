"""VM sizes that managed online deployments can have: cores, and the family that their quota is counted in. Pure data.

Source (documented): MicrosoftDocs/azure-ai-docs, articles/machine-learning/
reference-managed-online-endpoints-vm-sku-list.md at commit 1d987e3, without NCv2 and NCv3, which Azure has retired
since. Sizes that are not on the list, but on which users reported deployments: ansible-collections/azure PR 2225
(Standard_D2s_v3), rubyrayjuntos/azure-mlops (Standard_D2ds_v5). Azure adds sizes all the time: `--vm-size` adds one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class VmSize:
    """One size."""

    family: str
    """As the quota API spells it."""
    cores: int
    reserves: bool
    """Whether the service reserves 20 % more quota than the instances need."""


# Sizes without `Standard_` and their cores, by family. A star: exempt from the reserve ("Skip 20% Reservation").
_FAMILIES = {
    "standardDASv4Family": "D2as_v4=2 D4as_v4=4 D8as_v4=8 D16as_v4=16 D32as_v4=32 D48as_v4=48 D64as_v4=64 D96as_v4=96",
    "standardDAv4Family": "D2a_v4=2 D4a_v4=4 D8a_v4=8 D16a_v4=16 D32a_v4=32 D48a_v4=48 D64a_v4=64 D96a_v4=96",
    "standardDSv2Family": "DS1_v2=1 DS2_v2=2 DS3_v2=4 DS4_v2=8 DS5_v2=16",
    "standardESv3Family": "E2s_v3=2 E4s_v3=4 E8s_v3=8 E16s_v3=16 E32s_v3=32 E48s_v3=48 E64s_v3=64",
    "standardFSv2Family": "F2s_v2=2 F4s_v2=4 F8s_v2=8 F16s_v2=16 F32s_v2=32 F48s_v2=48 F64s_v2=64 F72s_v2=72",
    "standardFXMDVSFamily": "FX4mds=4 FX12mds=12 FX24mds=24 FX36mds=36 FX48mds=48",
    "standardLASv3Family": "L8as_v3=8 L16as_v3=16 L32as_v3=32 L48as_v3=48 L64as_v3=64 L80as_v3=80",
    "standardLSv2Family": "L8s_v2=8 L16s_v2=16 L32s_v2=32 L48s_v2=48 L64s_v2=64 L80s_v2=80",
    "standardLSv3Family": "L8s_v3=8 L16s_v3=16 L32s_v3=32 L48s_v3=48 L64s_v3=64 L80s_v3=80",
    "standardNCADSA100v4Family": "NC24ads_A100_v4=24* NC48ads_A100_v4=48* NC96ads_A100_v4=96*",
    "standard NCASv3_T4 Family": "NC4as_T4_v3=4 NC8as_T4_v3=8 NC16as_T4_v3=16 NC64as_T4_v3=64",
    "standardNCADSH100v5Family": "NC40ads_H100_v5=40* NC80adis_H100_v5=80*",
    "standard NDAMSv4_A100Family": "ND96amsr_A100_v4=96*",
    "standard NDASv4_A100 Family": "ND96asr_v4=96*",
    "standardNDSv2Family": "ND40rs_v2=40*",
    "standardNDv5H100Family": "ND96is_H100_v5=96* ND96isr_H100_v5=96*",
    "standardNVADSA10v5Family": "NV6ads_A10_v5=6 NV12ads_A10_v5=12 NV18ads_A10_v5=18 NV36ads_A10_v5=36 "
    "NV36adms_A10_v5=36 NV72ads_A10_v5=72",
    # Not on the list.
    "standardDSv3Family": "D2s_v3=2",
    "standardDDSv5Family": "D2ds_v5=2",
}


def _read() -> dict[str, VmSize]:
    rows = [(family, *row.split("=")) for family, text in _FAMILIES.items() for row in text.split()]
    return {
        f"standard_{name}".lower(): VmSize(family, int(cores.rstrip("*")), not cores.endswith("*"))
        for family, name, cores in rows
    }


FAMILIES = tuple(_FAMILIES)
"""Their names, as the quota API spells them."""
SIZES: Mapping[str, VmSize] = _read()
"""By name in lower case, because Azure ignores case."""


def find_size(name: str) -> VmSize | None:
    """The size, or None if it is unknown here."""
    return SIZES.get(name.lower())


def family_key(name: str) -> str:
    """A family's name, normalised: `DSv2`, `standardDSv2Family` and `standard DSv2 Family` are the same family."""
    return name.lower().replace(" ", "").removeprefix("standard").removesuffix("family")

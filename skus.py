"""VM sizes that managed online deployments may ask for, and what is known of each.

A table, not a catalogue of Azure: the families this project was asked to support (DSv2, FSv2 and the NC families), with
cores for the quota formula and the date on which a retired family went away. It does not ask Azure whether a region
offers a size or whether quota is left; `sluice doctor` does that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, kw_only=True)
class Sku:
    """One VM size; `retired` is the day it stopped being available, `replacements` what to use instead."""

    name: str
    family: str
    cores: int
    gpus: int = 0
    memory_gib: int | None = None
    retired: date | None = None
    replacements: tuple[str, ...] = field(default=())


class SkuError(ValueError):
    """A size is unknown or retired; the message ends with what to use instead."""


def find_sku(name: str) -> Sku | None:
    """Return the table's entry for a size, in whatever case it is written, or None."""
    raise NotImplementedError


def check_sku(name: str, today: date) -> Sku:
    """Return the entry of a size that can be deployed on `today`, or raise `SkuError`."""
    raise NotImplementedError


def quota_cores(sku: Sku, instances: int) -> int:
    """Cores of the family's quota that `instances` need, Azure's 20 % upgrade reserve included."""
    raise NotImplementedError

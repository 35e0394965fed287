"""What one tick found before it decides: the results of the gates, and what Azure and the stack file have."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rollout.evidence.intervals import GateResult
from rollout.instances import Floor, Numbers
from rollout.split import Split


class DriftKind(StrEnum):
    """What differs from what the record says."""

    LIVE = "live"
    """Live or mirrored weights in Azure are not the declared ones."""
    DECLARED = "declared"
    """The stack file was edited or merged: its weights or `stable` are not those of the record."""
    MIRROR = "mirror"
    """The mirror was dropped, and the live weights are as declared."""
    STABLE_RELEASE = "stable_release"
    """A colour of the baseline has another release: the evidence is about one that is gone."""
    ENDPOINT = "endpoint"
    """The endpoint is gone."""
    SETTINGS = "settings"
    """The endpoint's auth mode or identity is another one than at the start."""
    FLOOR = "floor"
    """The raised autoscale minimum in the stack file was edited."""
    PENDING = "pending"
    """The preview shows other changes of the stack."""


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One difference, with both sides, who made it and when, as far as Azure says."""

    kind: DriftKind
    text: str
    live: Split | None = None
    declared: Split | None = None
    record: Split | None = None
    who: str | None = None
    when: str | None = None


class Standing(StrEnum):
    """How far Azure is with an open change."""

    TO = "to"
    FROM = "from"
    UPDATING = "updating"
    FAILED = "failed"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a tick found. None and empty mean: nothing is wrong."""

    results: tuple[GateResult, ...] = ()
    """Of all gates at the current step, saturation and checks included."""
    tripwire: str | None = None
    live: Split | None = None
    """What Azure has; None if it could not be read."""
    drift: tuple[Drift, ...] = ()
    canary_problem: str | None = None
    """The new colour is gone, failed or another release."""
    stable_problem: str | None = None
    """A colour of the baseline is gone or failed: no way back."""
    notes: tuple[str, ...] = ()
    """What people should know; no decision rests on it."""
    azure_problem: str | None = None
    """Azure could not be read."""
    metrics_problem: str | None = None
    """A source of evidence could not be read, or contradicts itself."""
    capacity_problem: str | None = None
    """The instances do not fit the next step."""
    split_problem: str | None = None
    """The observed split is not the declared one."""
    standing: Standing | None = None
    """Azure and the open change; None without one."""
    settled_until: int
    """End of the last settled interval."""
    requests_in_step: int = 0
    """Of the new colour, in settled intervals of the step."""
    probes_counted: int | None = None
    """How many of the probes of `verify` the metric shows."""
    floor: Floor | None = None
    """What to raise before the first weight."""
    floor_problem: str | None = None
    """Why it cannot be raised."""
    numbers: Numbers | None = None
    """The instance counts that the stack file declares for the colour whose floor is raised; None if it has none."""

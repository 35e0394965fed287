"""As much of a rollout's state as a reading of the metrics needs."""

from __future__ import annotations

from dataclasses import dataclass, field

from rollout.evidence.intervals import Interval
from rollout_config import PlanSettings

START, GRAIN, SETTLE = 1_795_874_400, 60, 120


@dataclass
class State:
    """In place of `RolloutState`."""

    plan: PlanSettings = field(default_factory=lambda: PlanSettings(preset="canary"))
    read_until: int = START
    grain_seconds: int = GRAIN
    settle_seconds: int = SETTLE
    step: int = -1
    colour: str = "green"
    is_over: bool = False
    weights_since: int = START
    intervals: tuple[Interval, ...] = ()

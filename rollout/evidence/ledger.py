"""Folds intervals into the results of all gates.

Feeding intervals one by one gives the same as feeding them all at once, and an interval counts once.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from rollout.evidence.intervals import Counts, GateResult, Interval
from rollout_config import PlanSettings


class Ledger:
    """The evidence of one rollout.

    `plan` is the frozen plan, `colour` the new colour, `stable_colours` all others that had live weight at the start,
    `grain_seconds` the length of one interval.
    """

    def __init__(self, plan: PlanSettings, *, colour: str, stable_colours: Collection[str], grain_seconds: int) -> None:
        self._plan = plan
        self._colour = colour
        self._stable = tuple(sorted(stable_colours))
        self._grain = grain_seconds
        self._fed_until: int | None = None
        self._by_step: dict[int, Counts] = {}

    def feed(self, interval: Interval, *, phase: Literal["mirror", "live"], step: int, alone: bool, warm: bool) -> None:
        """Count one settled interval in which no weight was changed.

        `step` is its index in the plan; `alone`: the new colour has 100 %; `warm`: it lies inside the step's `warm_up`.
        Intervals come in order of time. One that starts before the end of the last one is ignored.
        """
        if self._fed_until is not None and interval.start < self._fed_until:
            return
        self._fed_until = interval.end
        self._by_step[step] = self._by_step.get(step, Counts()) + interval.counts_of(self._colour)

    def results(self, step: int) -> tuple[GateResult, ...]:
        """What each gate of the plan concludes at this step."""
        return ()

    def requests(self, step: int) -> int:
        """Requests of the new colour in one step."""
        return self._by_step.get(step, Counts()).requests

    def errors(self, step: int) -> int:
        """Errors of the new colour in one step."""
        return self._by_step.get(step, Counts()).errors

    def totals(self) -> Counts:
        """The new colour's counts in all steps."""
        return sum(self._by_step.values(), Counts())

"""The evidence of a rollout, kept in step with its record: each interval is fed to the gates once."""

from __future__ import annotations

from collections.abc import Sequence

from rollout.decision.observed_split import INTERVALS, Observed, observe
from rollout.evidence.intervals import Counts, GateResult, Interval
from rollout.evidence.ledger import Ledger
from rollout.evidence.tripwire import tripwire
from rollout.record.state import RolloutState


class Weighing:
    """The gates of one rollout, fed with what its record holds."""

    def __init__(self, state: RolloutState) -> None:
        self._basis = _basis(state)
        self._fed: tuple[Interval, ...] = ()
        self._ledger = _ledger(state)
        self.follow(state)

    def follow(self, state: RolloutState) -> None:
        """Feed the intervals that are new; all of them if the record changed its mind about earlier ones."""
        known = state.intervals[: len(self._fed)] == self._fed
        if not known or self._basis != _basis(state):
            self._basis, self._fed, self._ledger = _basis(state), (), _ledger(state)
        for interval in state.intervals[len(self._fed) :]:
            placed = state.placement(interval)
            if placed is not None:
                self._ledger.feed(interval, phase=placed.phase, step=placed.step, alone=placed.alone, warm=placed.warm)
        self._fed = state.intervals

    def results(self, state: RolloutState) -> tuple[GateResult, ...]:
        """What each gate concludes at the present step; none before the first."""
        return self._ledger.results(state.step) if state.step >= 0 else ()

    def requests_in_step(self, state: RolloutState) -> int:
        """Requests of the new colour in the present step."""
        return self._ledger.requests(state.step)

    def totals(self) -> Counts:
        """The new colour's counts in all steps."""
        return self._ledger.totals()


def tripped(state: RolloutState, young: Sequence[Interval]) -> str | None:
    """Why the tripwire takes the colour back at once; it reads the last two intervals since the weights changed."""
    if state.step < 0 or not state.weights.carries(state.colour):
        return None
    recent = [one for one in (*state.intervals[-2:], *young) if one.start >= state.weights_since]
    return tripwire(recent[-2:], state.colour, state.stable_colours)


def observed(state: RolloutState) -> Observed | None:
    """How the requests of the present step were split; None without requests, or before the first live step."""
    step = state.current_step
    if step is None or step.is_mirror:
        return None
    here = []
    for interval in reversed(state.intervals):
        placed = state.placement(interval)
        if placed is not None and placed.step == state.step and interval.start >= state.weights_since:
            here.append(interval)
        if len(here) == INTERVALS or interval.end <= state.weights_since:
            break
    return observe(here, state.weights)


def _basis(state: RolloutState) -> tuple[object, ...]:
    """What decides where an interval belongs; with another basis, all of them are fed again."""
    return state.plan_digest, state.evidence_since, state.spans


def _ledger(state: RolloutState) -> Ledger:
    return Ledger(
        state.plan, colour=state.colour, stable_colours=state.stable_colours, grain_seconds=state.grain_seconds
    )

"""A rollout in one sentence. The command line, commits, the webhook and the report all use it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rollout.evidence.intervals import Counts, Interval
from rollout.evidence.wording import share
from rollout.order import Direction, Outcome
from rollout.record.event import Event, Kind
from rollout.record.fold import fold
from rollout.record.state import RolloutState

_DECIDED_BY = {Kind.VERDICT, Kind.REJECTED, Kind.ROLLBACK_REQUESTED}
_MINUTE, _HOUR = 60, 3600


def sentence(events: Sequence[Event]) -> str:
    """What became of a rollout, from the events of its record so far.

    For example: "green failed 9 of 31 requests (29 %), blue 3 of 268 (1.1 %): evidence 64:1 against 20:1 for more than
    1 %; 31 callers saw green; back at 0 % in 9 s." Raises ValueError if the events are not those of a record.
    """
    state = fold(events)
    return "; ".join([_first(state), *_further(state, events)]) + "."


def ratio(counts: Counts, unit: str = "") -> str:
    """Errors of requests: "9 of 31 requests (29 %)" with the unit " requests"."""
    text = f"{counts.errors:,} of {counts.requests:,}{unit}"
    return f"{text} ({share(counts.errors / counts.requests)})" if counts.requests else text


def duration(seconds: int) -> str:
    """A length of time with two units at most: "9 s", "2m 05s", "3h 10m"."""
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE}m {seconds % _MINUTE:02d}s"
    return f"{seconds // _HOUR}h {seconds % _HOUR // _MINUTE:02d}m"


def total(intervals: Iterable[Interval], colours: Iterable[str]) -> Counts:
    """The counts of some colours in all of these intervals."""
    names = tuple(colours)
    return sum((interval.counts_of(name) for interval in intervals for name in names), Counts())


def seen_by_callers(state: RolloutState) -> tuple[Interval, ...]:
    """The intervals in which the new colour answered callers: all but those in which it got mirrored copies only."""
    copies = [
        span for span in state.spans if span.split.mirror.get(state.colour) and not span.split.traffic.get(state.colour)
    ]
    return tuple(
        interval
        for interval in state.intervals
        if not any(
            span.since <= interval.start and (span.until is None or interval.end <= span.until) for span in copies
        )
    )


@dataclass(frozen=True, kw_only=True)
class Return:
    """The way back of a rollout."""

    decided_at: int
    back_at: int | None
    """When Azure had the weights from before the rollout; None: not yet."""
    without_engine: bool
    """By break-glass."""

    @property
    def seconds(self) -> int | None:
        """From the decision to Azure having the weights."""
        return None if self.back_at is None else self.back_at - self.decided_at


def way_back(events: Sequence[Event]) -> Return | None:
    """When it was decided to go back, and when Azure had the weights; None for a rollout that never went back."""
    decided: int | None = None
    back_at: int | None = None
    without_engine = False
    intents: set[int] = set()
    for event in events:
        if event.kind is Kind.INTENT and event.data["direction"] == Direction.BACK.value:
            intents.add(event.seq)
            decided = event.at if decided is None else decided
        elif event.kind in _DECIDED_BY and not intents:
            decided = event.at if decided is None else decided
        elif event.kind is Kind.BREAK_GLASS or (event.kind is Kind.APPLIED and event.data["intent"] in intents):
            without_engine = without_engine or event.kind is Kind.BREAK_GLASS
            back_at = event.at if back_at is None else back_at
    if decided is None or not (intents or fold(events).back):
        return None
    return Return(decided_at=decided, back_at=back_at, without_engine=without_engine)


def _first(state: RolloutState) -> str:
    counts = _counted(state)
    if state.ended is not None and state.is_over:
        if state.ended.outcome is Outcome.DONE:
            took = duration(state.ended.at - state.started_at)
            return f"{state.colour} is stable after {took}: it {counts}"
        return _explained(state, state.ended.reason, counts)
    if state.back is not None:
        return _explained(state, state.back.why, counts)
    if state.step < 0:
        return f"{state.colour} has no weight yet"
    step = state.plan.steps[state.step]
    share_of = f"{'copies of ' if step.is_mirror else ''}{step.percent} %"
    return f"{state.colour} gets {share_of} (step {state.step + 1} of {len(state.plan.steps)}) and {counts}"


def _explained(state: RolloutState, reason: str, counts: str) -> str:
    """The reason without the name of the gate before it; a person's reason is followed by the counts."""
    gate, colon, rest = reason.partition(": ")
    if colon and gate in dict(state.plan.gates.named()):
        reason = rest
    reason = reason.rstrip(".")
    if reason.startswith(f"{state.colour} "):
        return reason
    return f"{_done_about(state)}: {reason}; {state.colour} {counts}"


def _done_about(state: RolloutState) -> str:
    outcome = _outcome(state) or (state.back.outcome if state.back is not None else Outcome.ROLLED_BACK)
    return "superseded by another rollout" if outcome is Outcome.SUPERSEDED else outcome.value.replace("_", " ")


def _outcome(state: RolloutState) -> Outcome | None:
    return state.ended.outcome if state.ended is not None and state.is_over else None


def _counted(state: RolloutState) -> str:
    canary, stable = total(state.intervals, [state.colour]), total(state.intervals, state.stable_colours)
    names = " and ".join(state.stable_colours)
    text = f"failed {ratio(canary, ' requests')}"
    return f"{text}, {names} {ratio(stable)}" if stable.requests else text


def _further(state: RolloutState, events: Sequence[Event]) -> list[str]:
    back = way_back(events)
    callers = total(seen_by_callers(state), [state.colour]).requests
    said = []
    if state.synthetic:
        said.append(f"{callers:,} requests were sent to it by the rollout itself (synthetic)")
    elif callers or back is not None or _outcome(state) is not None:
        so_far = " so far" if not state.is_over else ""
        said.append(f"{_number(callers)} saw {state.colour}{so_far}")
    if state.evidence_skipped:
        said.append(f"{state.promoted_by or 'a person'} skipped evidence")
    if state.held is not None:
        said.append(f"held ({state.held.kind.value}): {state.held.reason.rstrip('.')}")
    if back is not None and back.seconds is not None:
        percent, without = (
            state.baseline.percent_of(state.colour),
            ", without the engine" if back.without_engine else "",
        )
        said.append(f"back at {percent} % in {duration(back.seconds)}{without}")
    elif back is not None and not state.is_over:
        said.append(f"on the way back to {state.baseline.percent_of(state.colour)} %")
    elif _outcome(state) not in (None, Outcome.DONE) and state.weights != state.baseline:
        said.append(f"the weights stay at {state.weights.describe()}")
    return said


def _number(callers: int) -> str:
    return "no caller" if callers == 0 else "1 caller" if callers == 1 else f"{callers:,} callers"

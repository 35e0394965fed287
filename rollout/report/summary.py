"""A rollout in one sentence. The command line, commits, the webhook and the report all use it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from rollout.decision.order import Outcome
from rollout.evidence.intervals import Counts, Interval
from rollout.evidence.wording import share
from rollout.record.state import RolloutState

_MINUTE, _HOUR = 60, 3600


def sentence(state: RolloutState) -> str:
    """What became of a rollout so far.

    For example: "green failed 9 of 31 requests (29 %), blue 3 of 268 (1.1 %): evidence 64:1 against 20:1 for more than
    1 %; 31 callers saw green; back at 0 % in 9 s."
    """
    return "; ".join([_first(state), *_further(state)]) + "."


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


def seconds_back(state: RolloutState) -> int | None:
    """From the decision to go back to Azure having the weights from before; None: not back, or never left."""
    decided = state.back_decided_at
    if decided is None or state.weights != state.baseline or state.weights_since < decided:
        return None
    return state.weights_since - decided


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


def _further(state: RolloutState) -> list[str]:
    back, percent = seconds_back(state), state.baseline.percent_of(state.colour)
    callers = total(seen_by_callers(state), [state.colour]).requests
    said = []
    if state.synthetic:
        said.append(f"{callers:,} requests were sent to it by the rollout itself (synthetic)")
    elif callers or state.back is not None or _outcome(state) is not None:
        so_far = " so far" if not state.is_over else ""
        said.append(f"{_number(callers)} saw {state.colour}{so_far}")
    if state.evidence_skipped:
        said.append(f"{state.promoted_by or 'a person'} skipped evidence")
    if state.held is not None:
        said.append(f"held ({state.held.kind.value}): {state.held.reason.rstrip('.')}")
    if back is not None:
        said.append(f"back at {percent} % in {duration(back)}{', without the engine' if state.without_engine else ''}")
    elif state.back is not None and not state.back.keep_weights:
        said.append(f"on the way back to {percent} %")
    elif _outcome(state) not in (None, Outcome.DONE) and state.weights != state.baseline:
        said.append(f"the weights stay at {state.weights.describe()}")
    return said


def _number(callers: int) -> str:
    return "no caller" if callers == 0 else "1 caller" if callers == 1 else f"{callers:,} callers"

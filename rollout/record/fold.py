"""Adds up the events of a record to the state of its rollout. Pure; what each event holds is in `event.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from rollout.decision.order import Outcome
from rollout.evidence.intervals import Interval
from rollout.instances import Floor
from rollout.record import holds, intents
from rollout.record.event import Event, Kind, digest_of
from rollout.record.state import Back, Ended, Phase, Probes, RolloutState, Span
from rollout.split import Split
from rollout_config import PlanSettings


def fold(events: Iterable[Event], start: RolloutState | None = None) -> RolloutState:
    """The state after these events; `start` is the state before them, None for a whole record.

    `fold(a + b)` is `fold(b, start=fold(a))`. Raises ValueError if an event cannot follow those before it.
    """
    state = start
    for event in events:
        if state is None:
            state = _started(event)
        elif event.kind is Kind.STARTED:
            raise ValueError(f"event {event.seq} starts a rollout that has started already")
        else:
            late = state.ended is not None and event.kind in _ONLY_UNTIL_THE_END
            change = None if late else _CHANGES.get(event.kind)
            state = replace(change(state, event) if change else state, last_at=event.at, events=event.seq + 1)
    if state is None:
        raise ValueError("the record is empty")
    return state


def _started(event: Event) -> RolloutState:
    if event.kind is not Kind.STARTED:
        raise ValueError(f"a record begins with `started`, got `{event.kind}`")
    data, at = event.data, event.at
    baseline, plan = Split.from_values(data["baseline"]), PlanSettings.from_values(data["plan"])
    colours: Mapping[str, Mapping[str, str | None]] = data["colours"]
    return RolloutState(
        id=data["id"],
        project=data["project"],
        stack=data["stack"],
        endpoint=data["endpoint"],
        workspace=data["workspace"],
        subscription=data["subscription"],
        colour=data["colour"],
        stable=data["stable"],
        declared_stable=data["stable"],
        releases={name: colour.get("release") for name, colour in colours.items()},
        contents={name: colour.get("content") for name, colour in colours.items()},
        baseline=baseline,
        plan=plan,
        plan_digest=data["plan_digest"],
        started_at=at,
        started_by=data["actor"],
        grain_seconds=data["grain"],
        settle_seconds=data["settle"],
        synthetic=bool(data.get("synthetic")),
        endpoint_name=str(data["endpoint_id"]).rpartition("/")[2] if data.get("endpoint_id") else None,
        auth_mode=data.get("auth_mode"),
        identity_ids=frozenset(data["identities"]) if "identities" in data else None,
        weights=baseline,
        weights_since=at,
        clock_since=at,
        step_clock_since=at,
        spans=(Span(since=at, split=baseline, step=-1),),
        last_at=at,
        events=event.seq + 1,
    )


def _evidence(state: RolloutState, event: Event) -> RolloutState:
    intervals = list(state.intervals)
    for values in event.data["intervals"]:
        interval = Interval.from_values(values)
        if interval.start >= (intervals[-1].end if intervals else state.started_at):
            intervals.append(interval)
    return replace(state, intervals=tuple(intervals), metrics_errors=0)


def _verdict(state: RolloutState, event: Event) -> RolloutState:
    back = state.back or Back(outcome=Outcome.ROLLED_BACK, why=event.data["reason"])
    return holds.going_back(state, back, event.at)


def _metrics_error(state: RolloutState, event: Event) -> RolloutState:
    return replace(state, metrics_errors=event.data["in_a_row"])


def _observed(state: RolloutState, event: Event) -> RolloutState:
    return replace(state, observed_steps=state.observed_steps | {event.data["step"]})


def _drift(state: RolloutState, event: Event) -> RolloutState:
    findings = event.data["findings"]
    pending = tuple(one["text"] for one in findings if one["kind"] == "pending")
    return replace(state, drift_told=digest_of(findings), drift_answer=None, pending=pending or state.pending)


def _probed(state: RolloutState, event: Event) -> RolloutState:
    data = event.data
    probes = Probes(at=event.at, start=data["start"], sent=data["sent"])
    return replace(state, phase=Phase.VERIFY, probes=probes, probe_problem=data.get("problem"))


def _verified(state: RolloutState, event: Event) -> RolloutState:
    return replace(state, phase=Phase.RESERVE, settle_seconds=event.data["settle"])


def _reserving(state: RolloutState, event: Event) -> RolloutState:
    return replace(state, reserved=Floor.from_values(event.data))


def _reserved(state: RolloutState, event: Event) -> RolloutState:
    raised = Floor.from_values(event.data) if event.data.get("now") else None
    unheld = holds.released(state, event)  # also what a person said about a floor that was edited
    return replace(unheld, floor_settled=True, reserved=raised, reserve_failures=0)


def _reserve_failed(state: RolloutState, event: Event) -> RolloutState:
    return replace(state, reserve_failures=state.reserve_failures + 1)


def _returned(state: RolloutState, event: Event) -> RolloutState:
    return replace(state, reserved=None, reserve_failures=0)


def _ended(state: RolloutState, event: Event) -> RolloutState:
    outcome = Outcome(event.data["outcome"])
    return replace(
        holds.without_hold(state, event.at),
        ended=Ended(at=event.at, outcome=outcome, reason=event.data["reason"]),
        phase=Phase(outcome.value),
        back=None,
        paused=None,
        reserve_failures=0,
    )


def _retiring(state: RolloutState, event: Event) -> RolloutState:
    return replace(state, retiring=event.data["how"])


def _retired(state: RolloutState, event: Event) -> RolloutState:
    return replace(state, retired=True, retiring=None)


_ONLY_UNTIL_THE_END = frozenset(
    {Kind.APPROVED, Kind.REJECTED, Kind.PAUSED, Kind.RESUMED, Kind.PROMOTED, Kind.HELD, Kind.VERDICT}
)
"""A person's word may arrive when the rollout has ended: it is kept, and changes nothing."""

_CHANGES: Mapping[Kind, Callable[[RolloutState, Event], RolloutState]] = {
    Kind.PROBED: _probed,
    Kind.VERIFIED: _verified,
    Kind.RESERVING: _reserving,
    Kind.RESERVED: _reserved,
    Kind.RESERVE_FAILED: _reserve_failed,
    Kind.RETURNED: _returned,
    Kind.INTENT: intents.intent,
    Kind.ATTEMPT: intents.attempt,
    Kind.WITHDRAWN: intents.withdrawn,
    Kind.APPLIED: intents.applied,
    Kind.OBSERVED: _observed,
    Kind.EVIDENCE: _evidence,
    Kind.VERDICT: _verdict,
    Kind.METRICS_ERROR: _metrics_error,
    Kind.APPROVAL_REQUESTED: holds.approval_requested,
    Kind.APPROVED: holds.approved,
    Kind.REJECTED: holds.rejected,
    Kind.HELD: holds.held,
    Kind.RELEASED: holds.released,
    Kind.PAUSED: holds.paused,
    Kind.RESUMED: holds.resumed,
    Kind.DRIFT: _drift,
    Kind.PROMOTED: holds.promoted,
    Kind.ROLLBACK_REQUESTED: holds.rollback_requested,
    Kind.BREAK_GLASS: intents.break_glass,
    Kind.RECONCILED: intents.reconciled,
    Kind.ENDED: _ended,
    Kind.RETIRING: _retiring,
    Kind.RETIRED: _retired,
}

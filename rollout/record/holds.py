"""What holds a rollout and what people say: the events that change neither weights nor evidence."""

from __future__ import annotations

from dataclasses import replace

from rollout.decision.order import Outcome
from rollout.record.event import Event
from rollout.record.state import WAITS_FOR_A_PERSON, Back, Hold, HoldKind, Phase, RolloutState
from rollout.split import Split, split_at
from rollout_config import PlanSettings, plan_digest


def step_with(plan: PlanSettings, baseline: Split, colour: str, split: Split) -> int | None:
    """Index of the step of a plan that means this split; None if no step does."""
    for index, step in enumerate(plan.steps):
        if split_at(baseline, colour, step) == split:
            return index
    return None


def without_hold(state: RolloutState, at: int) -> RolloutState:
    """The state with its hold ended and the hold's time counted."""
    held = state.held
    if held is None:
        return state
    waits = held.kind in WAITS_FOR_A_PERSON
    return replace(
        state,
        held=None,
        held_in_step=state.held_seconds(at),
        waited_in_step=state.waited_in_step + (max(0, at - max(held.since, state.step_clock_since)) if waits else 0),
        waited=state.waited + (max(0, at - max(held.since, state.clock_since)) if waits else 0),
    )


def free(state: RolloutState, at: int) -> RolloutState:
    """The state without its hold, except that a pause goes on."""
    unheld = without_hold(state, at)
    if state.paused is None:
        return unheld
    return replace(unheld, held=Hold(kind=HoldKind.PAUSED, reason=state.paused, since=at))


def _said_by(event: Event) -> str:
    """Who said it, and why if a reason was given."""
    by, reason = event.data["by"], event.data.get("reason")
    return f"{by}: {reason}" if reason else str(by)


def held(state: RolloutState, event: Event) -> RolloutState:
    hold = Hold(kind=HoldKind(event.data["hold"]), reason=event.data["reason"], since=event.at)
    return replace(without_hold(state, event.at), held=hold)


def released(state: RolloutState, event: Event) -> RolloutState:
    """The cause of a hold is gone, and with it what a person said about drift."""
    return replace(free(state, event.at), drift_answer=None, drift_told=None)


def paused(state: RolloutState, event: Event) -> RolloutState:
    return free(replace(state, paused=_said_by(event)), event.at)


def resumed(state: RolloutState, event: Event) -> RolloutState:
    """A person looked at it: holds are judged again, deadlines start again, open changes get their attempts again."""
    data, at = event.data, event.at
    state = replace(_clocks_from(without_hold(state, at), at), paused=None, drift_answer=data.get("drift"))
    if state.phase is Phase.VERIFY:
        state = replace(state, phase=Phase.PREPARE, probes=None, probe_problem=None)
    if colours := data.get("colours"):
        releases = {**state.releases, **{name: colour.get("release") for name, colour in colours.items()}}
        contents = {**state.contents, **{name: colour.get("content") for name, colour in colours.items()}}
        if releases != state.releases:
            state = _evidence_afresh(replace(state, releases=releases, contents=contents), at)
    if data.get("drift") == "replan":
        state = _replanned(replace(state, drift_answer=None), PlanSettings.from_values(data["plan"]), at)
    return state


def _clocks_from(state: RolloutState, at: int) -> RolloutState:
    intent = replace(state.open_intent, attempts=0) if state.open_intent else None
    return replace(
        state,
        clock_since=at,
        waited=0,
        step_clock_since=at,
        waited_in_step=0,
        metrics_errors=0,
        reserve_failures=0,
        pending=(),
        open_intent=intent,
    )


def _evidence_afresh(state: RolloutState, at: int) -> RolloutState:
    """What was gathered so far is no evidence any more, and the step bakes again."""
    last = replace(state.spans[-1], since=at)
    return replace(state, evidence_since=at, weights_since=at, held_in_step=0, spans=(*state.spans[:-1], last))


def _replanned(state: RolloutState, plan: PlanSettings, at: int) -> RolloutState:
    step = -1 if state.weights == state.baseline else step_with(plan, state.baseline, state.colour, state.weights)
    if step is None:
        raise ValueError(f"no step of the new plan has the present weights, {state.weights.describe()}")
    fresh = _evidence_afresh(state, at)
    return replace(
        fresh,
        plan=plan,
        plan_digest=plan_digest(plan),
        step=step,
        approved={},
        approval_requested=frozenset(),
        observed_steps=frozenset(),
        spans=(replace(fresh.spans[-1], step=step),),
    )


def approved(state: RolloutState, event: Event) -> RolloutState:
    approved = {**state.approved, event.data["step"]: event.data["by"]}
    if state.held is not None and state.held.kind is HoldKind.APPROVAL:
        state = free(state, event.at)
    return replace(state, approved=approved)


def approval_requested(state: RolloutState, event: Event) -> RolloutState:
    return replace(state, approval_requested=state.approval_requested | {event.data["step"]})


def rejected(state: RolloutState, event: Event) -> RolloutState:
    return going_back(state, Back(outcome=Outcome.ROLLED_BACK, why=f"rejected by {_said_by(event)}"), event.at)


def promoted(state: RolloutState, event: Event) -> RolloutState:
    unheld = _clocks_from(free(state, event.at), event.at)
    return replace(unheld, promoted_by=event.data["by"], evidence_skipped=True)


def going_back(state: RolloutState, back: Back, at: int) -> RolloutState:
    """The state after the decision to go back, which no hold and no pause stops; the first decision sets the time."""
    decided_at = at if state.back_decided_at is None else state.back_decided_at
    return replace(without_hold(state, at), paused=None, back=back, back_decided_at=decided_at)


def rollback_requested(state: RolloutState, event: Event) -> RolloutState:
    """A way back exists until the end, and after `done` for `rollback_window`."""
    data, ended = event.data, state.ended
    if ended is not None:
        window = state.plan.rollback_window_seconds
        if ended.outcome is not Outcome.DONE or state.retired or event.at > ended.at + window:
            return state
    back = Back(
        outcome=Outcome(data["outcome"]),
        why=_said_by(event),
        keep_weights=bool(data.get("keep_weights")),
    )
    return going_back(state, back, event.at)

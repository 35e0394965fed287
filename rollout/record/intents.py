"""The events of one change of weights: at most one is open, and `applied` closes exactly one."""

from __future__ import annotations

from dataclasses import replace

from rollout.decision.order import Direction, Intent, Order, Outcome
from rollout.record.event import Event
from rollout.record.holds import free, going_back
from rollout.record.state import Back, HoldKind, Phase, RolloutState, Span


def intent(state: RolloutState, event: Event) -> RolloutState:
    order = Order.from_values(event.data)
    back = order.direction is Direction.BACK
    if state.open_intent is not None and not back:
        raise ValueError(f"intent {event.seq} follows intent {state.open_intent.seq}, which is still open")
    if state.back is not None and not back:
        raise ValueError(f"intent {event.seq} leads forward after the decision to go back")
    if back and state.back is None:
        state = going_back(state, Back(outcome=order.outcome or Outcome.ROLLED_BACK, why=order.why), event.at)
    spans = state.spans
    if order.to != state.weights and spans[-1].until is None:
        spans = (*spans[:-1], replace(spans[-1], until=event.at))
    return replace(state, open_intent=Intent(seq=event.seq, at=event.at, order=order), spans=spans)


def _open(state: RolloutState, event: Event) -> Intent:
    intent = state.open_intent
    if intent is None or intent.seq != event.data["intent"]:
        raise ValueError(f"event {event.seq} ({event.kind}) is about intent {event.data['intent']}, which is not open")
    return intent


def attempt(state: RolloutState, event: Event) -> RolloutState:
    intent = _open(state, event)
    return replace(state, open_intent=replace(intent, attempts=intent.attempts + 1))


def withdrawn(state: RolloutState, event: Event) -> RolloutState:
    _open(state, event)
    spans = (*state.spans[:-1], replace(state.spans[-1], until=None))
    return without_engine_hold(replace(state, open_intent=None, spans=spans), event.at)


def without_engine_hold(state: RolloutState, at: int) -> RolloutState:
    return free(state, at) if state.held is not None and state.held.kind is HoldKind.ENGINE else state


def applied(state: RolloutState, event: Event) -> RolloutState:
    return replace(_now_at(state, _open(state, event).order, event.at), open_intent=None, broken_glass=False)


def _now_at(state: RolloutState, order: Order, at: int) -> RolloutState:
    """The state after Azure has the weights of an order."""
    spans = state.spans
    if order.to != state.weights or spans[-1].until is not None:
        if spans[-1].until is None:
            spans = (*spans[:-1], replace(spans[-1], until=at))
        spans = (*spans, Span(since=at, split=order.to, step=order.step))
    return replace(
        free(state, at),
        weights=order.to,
        weights_since=at,
        step=order.step,
        phase=_phase_of(state, order),
        declared_stable=order.stable or state.declared_stable,
        held_in_step=0,
        waited_in_step=0,
        step_clock_since=at,
        drift_answer=None,
        drift_told=None,
        pending=(),
        spans=spans,
    )


def _phase_of(state: RolloutState, order: Order) -> Phase:
    if order.step < 0:
        return state.phase
    step = state.plan.steps[order.step]
    if step.is_mirror:
        return Phase.MIRROR
    return Phase.BAKE if step.percent == 100 else Phase.LIVE


def break_glass(state: RolloutState, event: Event) -> RolloutState:
    if state.open_intent is None:
        raise ValueError(f"event {event.seq} (break_glass) has no open intent")
    intent = replace(state.open_intent, attempts=0)  # from here on: how often file and state could not follow
    now = _now_at(state, intent.order, event.at)
    return replace(now, open_intent=intent, broken_glass=True, without_engine=True)


def reconciled(state: RolloutState, event: Event) -> RolloutState:
    return replace(without_engine_hold(state, event.at), open_intent=None, broken_glass=False)

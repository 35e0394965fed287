"""The messages of a rollout's commits: what changed in the subject, where it stands in the trailers. Pure."""

from __future__ import annotations

from rollout.decision.order import Direction, Order, Outcome
from rollout.people.actor import Actor
from rollout.ports import Message
from rollout.record.state import RolloutState
from rollout.report.summary import sentence


def change_message(state: RolloutState, order: Order, actor: Actor) -> Message:
    """The commit with the intent and the edited stack file: `rollout(fraud-detection): green 10 → 25 % in prod`."""
    colour = state.colour
    if order.direction is Direction.RESTORE:
        what = f"weights of the record restored ({order.to.describe()})"
    elif order.direction is Direction.ADOPT:
        what = f"weights of Azure adopted ({order.to.describe()})"
    elif order.to.mirror != order.start.mirror and order.to.percent_of(colour) == order.start.percent_of(colour):
        what = f"{colour} mirrors {order.start.mirror.get(colour, 0)} → {order.to.mirror.get(colour, 0)} %"
    elif order.to == order.start and order.stable:
        what = f"{order.stable} becomes stable"
    else:
        what = f"{colour} {order.start.percent_of(colour)} → {order.to.percent_of(colour)} %"
    return _message(state, order, actor, f"{what} in {state.stack}")


def closing_message(state: RolloutState, order: Order, actor: Actor) -> Message:
    """The commit after Azure has the weights. The last one of a rollout, of an order with an outcome, explains it."""
    colour = state.colour
    mirrored = order.start.mirror.get(colour, 0) and not order.start.percent_of(colour)
    share = f"a mirror of {order.start.mirror[colour]}" if mirrored else str(order.start.percent_of(colour))
    if order.outcome is None:
        what = f"{order.to.describe()} in {state.stack}"
    elif order.outcome is Outcome.DONE:
        what = f"done, {order.stable or colour} is stable"
    else:
        what = f"{colour} {order.outcome.value.replace('_', ' ')} from {share} %: {order.why}"
    return _message(state, order, actor, what, sentence(state) if order.outcome is not None else "")


def withdrawal_message(state: RolloutState, order: Order, actor: Actor, reason: str) -> Message:
    """The commit that takes back an intent which was pushed."""
    return _message(state, order, actor, f"withdrawn: {reason}")


def _message(state: RolloutState, order: Order, actor: Actor, what: str, body: str = "") -> Message:
    verdicts = ", ".join(f"{gate} {verdict}" for gate, verdict in (order.verdicts or {}).items())
    return Message(
        subject=f"rollout({state.endpoint}): {_short(what)}",
        body=body,
        trailers={
            "Rollout": state.id,
            "Step": f"{order.step + 1} of {len(state.plan.steps)}" if order.step >= 0 else "before the first",
            "From": order.start.describe(),
            "To": order.to.describe(),
            "Evidence": order.evidence or "",
            "Verdicts": verdicts,
            "Actor": actor.name,
            "Run": actor.run or "",
        },
    )


def _short(what: str) -> str:
    """One line that a log can show; the record has all of it."""
    line = " ".join(what.split())
    return line if len(line) <= 120 else f"{line[:119]}…"

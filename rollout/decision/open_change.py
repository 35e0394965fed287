"""What becomes of a change that was begun and not finished, such as after a crash. Pure: rules of the decision."""

from __future__ import annotations

from rollout.decision.acts import Act, BreakGlass, Confirm, HoldFor, Reconcile, Resume, Withdraw
from rollout.decision.case import Case
from rollout.decision.order import Direction
from rollout.decision.situation import DriftKind, Standing
from rollout.record.state import HoldKind

MOST_ATTEMPTS = 3
"""How often a change is tried before the rollout is held, or the way back breaks glass."""
UPDATING_SECONDS = 20 * 60
"""How long Azure may take to change weights."""


def open_way_back(case: Case) -> Act | None:
    intent = case.state.open_intent
    if intent is None or not intent.is_back:
        return None
    if case.state.broken_glass:
        return Reconcile(intent=intent)
    standing = case.evidence.standing
    if intent.attempts >= MOST_ATTEMPTS:
        return BreakGlass(intent=intent, reason=f"the engine failed {intent.attempts} times")
    if standing is Standing.TO:
        return Confirm(intent=intent)
    if standing is Standing.UPDATING and case.now - intent.at <= UPDATING_SECONDS:
        return case.wait("Azure is changing the weights")
    return Resume(intent=intent)


def open_step(case: Case) -> Act | None:
    intent, standing = case.state.open_intent, case.evidence.standing
    if intent is None:
        return None
    if standing is Standing.TO:
        return Confirm(intent=intent)
    if standing is Standing.UPDATING and case.now - intent.at <= UPDATING_SECONDS:
        return case.wait("Azure is changing the weights")
    if standing is Standing.OTHER:
        if case.state.drift_answer is not None:
            return Withdraw(intent=intent, reason=f"a person answered the drift: {case.state.drift_answer}")
        return case.drifted() or HoldFor(
            kind=HoldKind.DRIFT,
            reason=f"Azure has {case.evidence.live.describe() if case.evidence.live else 'no such endpoint'}, neither "
            f"{intent.order.start.describe()} nor {intent.order.to.describe()}",
        )
    if intent.attempts >= MOST_ATTEMPTS:
        return HoldFor(
            kind=HoldKind.ENGINE,
            reason=f"{intent.order.to.describe()} was tried {intent.attempts} times and is not in Azure",
        )
    if standing is Standing.FROM and intent.order.direction is Direction.FORWARD:
        reason = _why_not_forward(case)
        if reason is not None:
            return Withdraw(intent=intent, reason=reason)
    return Resume(intent=intent)


def _why_not_forward(case: Case) -> str | None:
    """What forbids a step that was decided before a crash, on fresh evidence; the bake was over then."""
    if case.state.paused is not None:
        return f"paused by {case.state.paused}"
    differing = [one.text for one in case.evidence.drift if one.kind is not DriftKind.DECLARED]
    for reason in (case.evidence.stable_problem if case.state.promoted_by is None else None, *differing):
        if reason is not None:
            return reason
    return case.unfit() or case.evidence.capacity_problem or case.evidence.split_problem

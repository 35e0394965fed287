"""What a rollout does next. Pure: the plan, the state of the record, what the tick found and the time go in.

`decide` answers in this order: person, tripwire, failed gate, drift, incident, deadlines, approval, bake and pass. An
open change comes first, unless there is a reason to go back. What holds a rollout is said once; while it is held, every
tick asks the same questions again, so a failed gate takes the colour back from every hold.
"""

from __future__ import annotations

from collections.abc import Callable

from rollout.decision.acts import (
    Act,
    AdoptFloor,
    AskApproval,
    BreakGlass,
    Confirm,
    End,
    GiveBack,
    HoldFor,
    Move,
    Reconcile,
    Release,
    Reserve,
    RestoreFloor,
    Resume,
    Retire,
    Verified,
    Verify,
    Wait,
    Withdraw,
)
from rollout.decision.case import Case
from rollout.decision.open_change import MOST_ATTEMPTS, open_step, open_way_back
from rollout.decision.order import Direction, Outcome
from rollout.decision.settling import settle_of
from rollout.decision.situation import DriftKind, Evidence, Standing
from rollout.evidence.intervals import Verdict
from rollout.record.holds import step_with
from rollout.record.state import Back, HoldKind, Phase, RolloutState
from rollout.split import Split, split_at
from rollout_config import PlanSettings

METRICS_ERRORS = 4
"""Readings in a row that must fail until the rollout is held."""
VERIFY_SECONDS = 5 * 60
"""How long the metric may take to show the probes."""
_WEIGHTS = frozenset({DriftKind.LIVE, DriftKind.DECLARED, DriftKind.MIRROR})


def decide(plan: PlanSettings, state: RolloutState, evidence: Evidence, now: int) -> Act:
    """The next act of a rollout. The same arguments always give the same act."""
    case = Case(plan=plan, state=state, evidence=evidence, now=now)
    act = next(act for rule in _RULES if (act := rule(case)) is not None)
    held = state.held
    if isinstance(act, HoldFor):
        return case.wait(act.reason) if held is not None and held.kind is act.kind else act
    if held is not None and not isinstance(act, _WHILE_HELD):
        return Release(reason=f"nothing holds it any more ({held.kind})")
    return act


def next_split(plan: PlanSettings, state: RolloutState) -> Split | None:
    """The weights of the next step; None after the last."""
    following = state.step + 1
    return split_at(state.baseline, state.colour, plan.steps[following]) if following < len(plan.steps) else None


# The rules, in their order. Each answers with an act, or None: the next one is asked.


def _after_the_end(case: Case) -> Act | None:
    state, ended = case.state, case.state.ended
    if ended is None or not state.is_over:
        return None
    if state.reserved is not None:
        return GiveBack(floor=state.reserved)
    if ended.outcome is not Outcome.DONE or state.retired:
        return case.wait(f"it has ended: {ended.outcome}, {ended.reason}")
    until = ended.at + state.plan.rollback_window_seconds
    if case.now < until:
        return Wait(until=until, reason=f"done; it can be rolled back for {state.plan.rollback_window}")
    return Retire(deployment=state.stable, how=case.plan.retire)


def _person_goes_back(case: Case) -> Act | None:
    back = case.state.back
    if back is None:
        return None
    if back.keep_weights:
        return _end_where_it_is(case, back)
    return case.back(back.why, verdict=None, outcome=back.outcome)


def _end_where_it_is(case: Case, back: Back) -> Act:
    """`abort --keep-weights`: an open change is closed first, by what Azure has."""
    intent = case.state.open_intent
    if intent is None:
        return End(outcome=back.outcome, reason=back.why)
    if case.evidence.standing is Standing.TO:
        return Confirm(intent=intent)
    if case.evidence.standing is Standing.FROM:
        return Withdraw(intent=intent, reason=back.why)
    return case.wait("Azure is changing the weights")


def _failed(case: Case) -> Act | None:
    """The tripwire, a failed gate, or a new colour that is no longer healthy. Without a way back, a person decides."""
    promoted = case.state.promoted_by is not None
    fail = case.worst(Verdict.FAIL, about_traffic=True)
    why = None if promoted else case.evidence.tripwire
    if why is None and fail is not None:
        why = f"{fail.gate}: {fail.reason}"
    why = why or case.evidence.canary_problem
    if why is None:
        return None
    return case.stranded(why) or case.back(why, verdict=why)


def _azure_is_silent(case: Case) -> Act | None:
    problem = case.evidence.azure_problem
    return case.wait(f"Azure cannot be read: {problem}") if problem is not None else None


def _drift(case: Case) -> Act | None:
    state, live = case.state, case.evidence.live
    kinds = {one.kind for one in case.evidence.drift}
    if kinds & _WEIGHTS and kinds <= _WEIGHTS | {DriftKind.FLOOR} and live is not None:
        if state.drift_answer == "restore":
            why = f"restored after drift: {case.evidence.drift[0].text}"
            return Move(order=case.order(state.weights, Direction.RESTORE, state.step, why))
        step = step_with(case.plan, state.baseline, state.colour, live)
        if state.drift_answer == "adopt" and step is not None:
            why = f"adopted after drift: {case.evidence.drift[0].text}"
            return Move(order=case.order(live, Direction.ADOPT, step, why))
    if kinds == {DriftKind.FLOOR} and state.reserved is not None:
        if state.drift_answer == "restore":
            return RestoreFloor(floor=state.reserved)
        if state.drift_answer == "adopt":
            return AdoptFloor(floor=state.reserved.kept(case.evidence.numbers))
    if not kinds and state.drift_answer is not None:
        return Release(reason="there is no drift any more")
    return case.drifted()


def _no_way_back(case: Case) -> Act | None:
    return case.stranded("") if case.state.promoted_by is None else None


def _incident(case: Case) -> Act | None:
    incident = case.worst(Verdict.INCIDENT)
    if incident is None:
        return None
    why = f"{incident.gate}: {incident.reason}"
    if case.plan.on_incident == "rollback":
        return case.back(why, verdict=why)
    return HoldFor(kind=HoldKind.INCIDENT, reason=why)


def _metrics(case: Case) -> Act | None:
    problem = case.evidence.metrics_problem
    if problem is None or case.state.metrics_errors < METRICS_ERRORS or case.state.promoted_by is not None:
        return None
    return HoldFor(kind=HoldKind.METRICS, reason=f"the metrics failed {METRICS_ERRORS} times in a row: {problem}")


def _paused(case: Case) -> Act | None:
    paused = case.state.paused
    return HoldFor(kind=HoldKind.PAUSED, reason=f"paused by {paused}") if paused is not None else None


def _prepare(case: Case) -> Act | None:
    state, evidence = case.state, case.evidence
    if state.probe_problem is not None:
        return case.back(state.probe_problem, verdict=state.probe_problem)
    if state.phase is Phase.PREPARE:
        return Verify()
    if state.phase is Phase.VERIFY and state.probes is not None:
        probes, counted = state.probes, evidence.probes_counted
        taken = case.now - probes.start
        if counted == probes.sent:
            return Verified(settle=settle_of(case.now - probes.at, state.grain_seconds))
        if taken > VERIFY_SECONDS or (counted or 0) > probes.sent:
            said = "nothing" if counted is None else f"{counted} requests"
            return HoldFor(
                kind=HoldKind.METRICS,
                reason=f"{probes.sent} requests went to {state.colour}; the metric shows {said} after {taken} s",
            )
        return case.wait(f"the metric shows {counted or 0} of {probes.sent} requests")
    if state.phase is Phase.RESERVE and not state.floor_settled:
        return _reserve(case)
    return None


def _reserve(case: Case) -> Act:
    """Before the first weight; what was begun goes on."""
    state, evidence = case.state, case.evidence
    if state.reserve_failures >= MOST_ATTEMPTS:
        reason = f"the floor of {state.stable} could not be raised {state.reserve_failures} times"
        return HoldFor(kind=HoldKind.ENGINE, reason=reason)
    if state.reserved is not None or not case.plan.hold_stable:
        return Reserve(floor=state.reserved)
    if evidence.floor_problem is not None:
        return HoldFor(kind=HoldKind.INCONCLUSIVE, reason=evidence.floor_problem)
    return Reserve(floor=evidence.floor)


def _deadlines(case: Case) -> Act | None:
    state, plan = case.state, case.plan
    if state.execution_seconds(case.now) > plan.max_execution_seconds:
        limit = f"max_execution_time ({plan.max_execution_time})"
        return HoldFor(kind=HoldKind.INCONCLUSIVE, reason=f"it has taken longer than {limit}")
    if case.evidence.split_problem is not None and state.promoted_by is None:
        return HoldFor(kind=HoldKind.INCONCLUSIVE, reason=case.evidence.split_problem)
    busy = case.worst(Verdict.FAIL, about_traffic=False)
    if case.step is None or case.passed():
        return None
    if state.step_seconds(case.now) > plan.step_deadline_seconds(case.step):
        why = f"step {state.step + 1} has not passed at its deadline: {case.unfit() or 'its bake is not over'}"
        if case.evidence.metrics_problem is None and (busy is not None or plan.on_inconclusive == "rollback"):
            return case.stranded(why) or case.back(why, verdict=why)
        return HoldFor(kind=HoldKind.INCONCLUSIVE, reason=why)
    return HoldFor(kind=HoldKind.INCONCLUSIVE, reason=f"{busy.gate}: {busy.reason}") if busy is not None else None


def _advance(case: Case) -> Act:
    state, plan = case.state, case.plan
    if not case.passed():
        left = case.bake_left()
        return case.wait(f"bakes for another {left} s" if left else case.unfit() or "")
    to, following = next_split(plan, state), state.step + 1
    if to is None:
        return _done(case)
    if plan.steps[following].approve and following not in state.approved:
        if following not in state.approval_requested:
            return AskApproval(step=following)
        return HoldFor(kind=HoldKind.APPROVAL, reason=f"{to.describe()} needs approval")
    if case.evidence.capacity_problem is not None:
        return HoldFor(kind=HoldKind.INCONCLUSIVE, reason=case.evidence.capacity_problem)
    why = f"promoted by {state.promoted_by}" if state.promoted_by is not None else "every gate passes"
    why = why if state.step >= 0 else "the first step"
    return Move(order=case.order(to, Direction.FORWARD, following, why))


def _done(case: Case) -> Act:
    """The last write: `stable` becomes the new colour. A plan of mirror steps only ends where it began."""
    state = case.state
    why = f"promoted by {state.promoted_by}" if state.promoted_by is not None else "every step has passed"
    alone = state.weights.percent_of(state.colour) == 100
    to, step = (state.weights, state.step) if alone else (state.baseline, -1)
    stable = state.colour if alone else None
    return Move(order=case.order(to, Direction.FORWARD, step, why, outcome=Outcome.DONE, stable=stable))


_RULES: tuple[Callable[[Case], Act | None], ...] = (
    _after_the_end,
    open_way_back,
    _person_goes_back,
    _failed,
    _azure_is_silent,
    open_step,
    _drift,
    _no_way_back,
    _incident,
    _metrics,
    _paused,
    _prepare,
    _deadlines,
    _advance,
)
_WHILE_HELD = (Move, End, Resume, Confirm, Withdraw, BreakGlass, Reconcile, AskApproval, RestoreFloor, AdoptFloor)
"""Acts that need no release first: they end the hold, or replace it."""

"""The decision is pure: plan, state, evidence and time in, one act out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from rollout.decision.decide import decide
from rollout.decision.order import Direction, Intent, Order, Outcome
from rollout.decision.situation import Drift, DriftKind, Evidence, Standing
from rollout.evidence.intervals import GateResult, Verdict
from rollout.instances import Floor
from rollout.record.state import Back, Ended, Hold, HoldKind, Phase, Probes, RolloutState
from rollout.split import Split, split_at
from rollout_config import PlanSettings
from tests.rollout.record.rollouts import BLUE, GREEN, PLAN
from tests.rollout.states import NOON, state_of

SOON = NOON + 3600
STEPS = PlanSettings.from_values(
    {
        **PLAN.as_values(),
        "steps": [{"mirror": 20, "bake": "5m"}, *PLAN.as_values()["steps"]],
        "hold_stable": True,
        "verify": True,
    }
)
TENTH = split_at(BLUE, "green", STEPS.steps[1])
FLOOR = Floor(deployment="blue", minimum=5, was={"autoscale.min": 3}, now={"autoscale.min": 5})
ELSEWHERE = Split(traffic={"blue": 71, "green": 29})


def result(verdict: Verdict, gate: str = "error_rate", *, dry_run: bool = False) -> GateResult:
    return GateResult(gate=gate, verdict=verdict, reason=f"{gate} says {verdict}", dry_run=dry_run)


def at_step(step: int, **change: Any) -> RolloutState:
    """A rollout whose step has been applied an hour ago, at noon."""
    weights = BLUE if step < 0 else split_at(BLUE, "green", STEPS.steps[step])
    phase = Phase.RESERVE if step < 0 else Phase.MIRROR if step == 0 else Phase.BAKE if step == 3 else Phase.LIVE
    values = {"plan": STEPS, "step": step, "weights": weights, "phase": phase, "floor_settled": True}
    return state_of(**{**values, **change})


def found(state: RolloutState, *results: GateResult, **change: Any) -> Evidence:
    """Enough requests, everything settled, and Azure as the record says."""
    values = {"results": results, "live": state.weights, "settled_until": SOON, "requests_in_step": 10_000}
    return Evidence(**{**values, **change})


def decided(state: RolloutState, *results: GateResult, now: int = SOON, **change: Any) -> Act:
    return decide(state.plan, state, found(state, *results, **change), now)


PASS, FAIL = result(Verdict.PASS), result(Verdict.FAIL)
NOT_PASS = [Verdict.FAIL, Verdict.INCIDENT, Verdict.INCONCLUSIVE, Verdict.ERROR]


def forward(act: Act) -> bool:
    return isinstance(act, Move) and act.order.direction is Direction.FORWARD


def back(act: Act) -> bool:
    return isinstance(act, Move) and act.order.direction is Direction.BACK and act.order.to == BLUE


def holds(act: Act, kind: HoldKind) -> bool:
    return isinstance(act, HoldFor) and act.kind is kind


def test_a_step_that_passed_leads_to_the_next() -> None:
    act = decided(at_step(0), PASS)
    assert isinstance(act, Move)
    assert act.order == Order(
        start=at_step(0).weights,
        to=TENTH,
        direction=Direction.FORWARD,
        step=1,
        why="every gate passes",
        evidence=act.order.evidence,
        verdicts={"error_rate": "pass"},
    )
    assert act.order.evidence is not None
    assert act.order.evidence.startswith("sha256:")


@pytest.mark.parametrize("verdict", NOT_PASS)
def test_only_pass_advances(verdict: Verdict) -> None:
    assert not forward(decided(at_step(0), result(verdict)))
    assert forward(decided(at_step(0), PASS, result(verdict, "latency_p95", dry_run=True)))


@pytest.mark.parametrize(
    "change",
    [
        {"requests_in_step": 149},
        {"settled_until": NOON + 299},
        {"metrics_problem": "503"},
        {"capacity_problem": "3 instances are too few"},
        {"split_problem": "observed 3 %"},
        {"azure_problem": "no answer"},
        {"stable_problem": "blue is gone"},
        {"drift": (Drift(kind=DriftKind.LIVE, text="bob"),)},
        {"tripwire": "green failed 20 of 20"},
        {"canary_problem": "green is gone"},
    ],
)
def test_whatever_is_missing_stops_a_step(change: dict[str, Any]) -> None:
    assert not forward(decided(at_step(0), PASS, **change))


@pytest.mark.parametrize("step", range(4))
def test_a_failed_gate_leads_back_from_every_step_with_a_verdict(step: int) -> None:
    act = decided(at_step(step), FAIL)
    assert back(act)
    assert isinstance(act, Move)
    assert act.verdict == "error_rate: error_rate says fail"
    assert act.order.outcome is Outcome.ROLLED_BACK


@pytest.mark.parametrize("kind", HoldKind)
def test_gates_act_in_every_hold(kind: HoldKind) -> None:
    state = at_step(1, held=Hold(kind=kind, reason="", since=NOON), paused="ada" if kind is HoldKind.PAUSED else None)
    drift = (Drift(kind=DriftKind.LIVE, text="bob"),) if kind is HoldKind.DRIFT else ()
    assert back(decided(state, FAIL, drift=drift))


def test_an_incident_holds_or_leads_back_as_the_plan_says() -> None:
    incident = result(Verdict.INCIDENT)
    assert holds(decided(at_step(1), incident), HoldKind.INCIDENT)
    plan = STEPS.model_copy(update={"on_incident": "rollback"})
    assert back(decided(at_step(1, plan=plan), incident))


def test_no_data_holds_or_leads_back_at_the_deadline() -> None:
    inconclusive = result(Verdict.INCONCLUSIVE)
    assert isinstance(decided(at_step(1), inconclusive, now=NOON + 1800), Wait)
    assert holds(decided(at_step(1), inconclusive, now=NOON + 1801), HoldKind.INCONCLUSIVE)
    plan = STEPS.model_copy(update={"on_inconclusive": "rollback"})
    assert back(decided(at_step(1, plan=plan), inconclusive, now=NOON + 1801))


def test_metrics_that_err_at_the_deadline_never_lead_back() -> None:
    plan = STEPS.model_copy(update={"on_inconclusive": "rollback"})
    act = decided(at_step(1, plan=plan), metrics_problem="503", now=NOON + 1801)
    assert isinstance(act, HoldFor)


@pytest.mark.parametrize("gate", ["saturation", "checks.smoke"])
def test_saturation_and_checks_hold_and_fail_only_at_the_deadline(gate: str) -> None:
    busy = result(Verdict.FAIL, gate)
    assert holds(decided(at_step(1), PASS, busy, now=NOON + 1800), HoldKind.INCONCLUSIVE)
    assert back(decided(at_step(1), PASS, busy, now=NOON + 1801))


def test_the_whole_rollout_has_a_deadline_too() -> None:
    state = at_step(1, plan=STEPS.model_copy(update={"max_execution_time": "59m"}))
    assert holds(decided(state, PASS), HoldKind.INCONCLUSIVE)


@pytest.mark.parametrize(("errors", "held"), [(1, False), (3, False), (4, True)])
def test_metrics_hold_after_four_errors_in_a_row(errors: int, held: bool) -> None:
    act = decided(at_step(1, metrics_errors=errors), metrics_problem="503", now=NOON + 600)
    assert holds(act, HoldKind.METRICS) is held


def test_an_approval_is_asked_for_once_and_then_waited_for() -> None:
    state = at_step(1)
    assert decided(state, PASS) == AskApproval(step=2)
    asked = replace(state, approval_requested=frozenset({2}))
    assert holds(decided(asked, PASS), HoldKind.APPROVAL)
    waiting = replace(asked, held=Hold(kind=HoldKind.APPROVAL, reason="", since=NOON))
    assert isinstance(decided(waiting, PASS), Wait)
    assert forward(decided(replace(asked, approved={2: "eve"}), PASS))


def test_promote_skips_the_evidence_and_neither_drift_nor_capacity_nor_approval() -> None:
    promoted = at_step(0, promoted_by="ada")
    assert forward(decided(promoted, FAIL, tripwire="20 of 20", requests_in_step=0, settled_until=NOON))
    assert holds(decided(promoted, drift=(Drift(kind=DriftKind.LIVE, text="bob"),)), HoldKind.DRIFT)
    assert holds(decided(promoted, capacity_problem="too few"), HoldKind.INCONCLUSIVE)
    assert isinstance(decided(at_step(1, promoted_by="ada")), AskApproval)
    assert forward(decided(promoted, stable_problem="blue is gone")), "a person decides where there is no way back"


def test_without_a_way_back_a_failed_colour_keeps_its_requests_and_people_are_told() -> None:
    act = decided(at_step(1), FAIL, stable_problem="blue is gone from Azure")
    assert holds(act, HoldKind.NO_WAY_BACK)
    assert isinstance(act, HoldFor)
    assert "blue is gone from Azure" in act.reason
    assert "error_rate says fail" in act.reason


def test_the_last_write_moves_stable_and_ends_the_rollout() -> None:
    act = decided(at_step(3), PASS)
    assert isinstance(act, Move)
    order = act.order
    assert (order.to, order.stable, order.outcome, order.step) == (GREEN, "green", Outcome.DONE, 3)


def test_a_plan_of_mirror_steps_ends_where_it_began() -> None:
    plan = PlanSettings.from_values({**PLAN.as_values(), "steps": [{"mirror": 20, "bake": "5m"}]})
    act = decided(at_step(0, plan=plan), PASS)
    assert isinstance(act, Move)
    assert (act.order.to, act.order.stable, act.order.outcome) == (BLUE, None, Outcome.DONE)


def test_a_hold_whose_cause_is_gone_is_released_first() -> None:
    state = at_step(1, held=Hold(kind=HoldKind.INCIDENT, reason="", since=NOON + 60))
    act = decided(state, result(Verdict.INCONCLUSIVE), now=NOON + 120)
    assert isinstance(act, Release)


def test_the_bake_does_not_run_in_a_hold() -> None:
    held = at_step(0, held=Hold(kind=HoldKind.INCIDENT, reason="", since=NOON + 60))
    late = {"settled_until": NOON + 400, "now": NOON + 460}
    assert isinstance(decided(held, PASS, **late), Release)
    assert isinstance(decided(replace(held, held=None, held_in_step=101), PASS, **late), Wait)
    assert forward(decided(replace(held, held=None, held_in_step=100), PASS, **late))


# Before the first weight.


def test_the_new_colour_is_probed_and_its_metric_measured_first() -> None:
    start = at_step(-1, phase=Phase.PREPARE, floor_settled=False)
    assert decided(start) == Verify()
    probing = replace(start, phase=Phase.VERIFY, probes=Probes(at=NOON + 5, start=NOON, sent=20))
    assert isinstance(decided(probing, probes_counted=7, now=NOON + 60), Wait)
    assert decided(probing, probes_counted=20, now=NOON + 130) == Verified(settle=180)
    assert holds(decided(probing, probes_counted=19, now=NOON + 301), HoldKind.METRICS)
    assert holds(decided(probing, probes_counted=21, now=NOON + 60), HoldKind.METRICS)
    assert holds(decided(probing, probes_counted=None, now=NOON + 301), HoldKind.METRICS)


def test_probes_that_fail_end_a_rollout_that_moved_nothing() -> None:
    probing = at_step(-1, phase=Phase.VERIFY, probe_problem="green answered 500", floor_settled=False)
    assert decided(probing) == End(outcome=Outcome.ROLLED_BACK, reason="green answered 500")


def test_the_stable_colour_keeps_its_instances_until_the_end() -> None:
    reserving = at_step(-1, floor_settled=False)
    assert decided(reserving, floor=FLOOR) == Reserve(floor=FLOOR)
    assert decided(reserving) == Reserve(floor=None)
    ended = Ended(at=NOON, outcome=Outcome.ROLLED_BACK, reason="")
    assert decided(at_step(-1, ended=ended, reserved=FLOOR)) == GiveBack(floor=FLOOR)


def test_a_floor_that_was_begun_goes_on_whatever_autoscale_has_chosen_since() -> None:
    begun = at_step(-1, floor_settled=False, reserved=FLOOR)
    assert decided(begun) == Reserve(floor=FLOOR)
    failing = replace(begun, reserve_failures=3)
    held = decided(failing)
    assert isinstance(held, HoldFor)
    assert held.kind is HoldKind.ENGINE


def test_a_floor_that_cannot_be_raised_holds_before_the_first_weight() -> None:
    held = decided(at_step(-1, floor_settled=False), floor_problem="autoscale is an anchor with an alias")
    assert held == HoldFor(kind=HoldKind.INCONCLUSIVE, reason="autoscale is an anchor with an alias")


def test_an_edited_floor_is_drift_that_a_person_answers() -> None:
    drift = (Drift(kind=DriftKind.FLOOR, text="the stack file was edited"),)
    state = at_step(0, reserved=FLOOR)
    held = decided(state, drift=drift)
    assert isinstance(held, HoldFor)
    assert held.kind is HoldKind.DRIFT
    hold = Hold(kind=HoldKind.DRIFT, reason="", since=NOON)
    restore = replace(state, drift_answer="restore", held=hold)
    assert decided(restore, drift=drift) == RestoreFloor(floor=FLOOR)
    adopt = replace(state, drift_answer="adopt", held=hold)
    assert decided(adopt, drift=drift, numbers={"autoscale.min": 4}) == AdoptFloor(floor=None)
    back = replace(state, back=Back(outcome=Outcome.ROLLED_BACK, why="no"))
    assert isinstance(decided(back, drift=drift), Move)


def test_after_the_window_the_old_colour_is_retired_once() -> None:
    ended = Ended(at=NOON, outcome=Outcome.DONE, reason="")
    over = at_step(3, ended=ended, plan=STEPS.model_copy(update={"retire": "remove"}))
    assert isinstance(decided(over, now=NOON + 24 * 3600 - 1), Wait)
    assert decided(over, now=NOON + 24 * 3600) == Retire(deployment="blue", how="remove")
    assert isinstance(decided(replace(over, retired=True), now=NOON + 24 * 3600), Wait)


def test_done_is_taken_back_with_its_stable_colour() -> None:
    state = at_step(
        3,
        ended=Ended(at=NOON, outcome=Outcome.DONE, reason=""),
        declared_stable="green",
        back=Back(outcome=Outcome.ROLLED_BACK, why="ada: slow"),
    )
    act = decided(state)
    assert back(act)
    assert isinstance(act, Move)
    assert act.order.stable == "blue"


def test_abort_may_keep_the_weights() -> None:
    keep = Back(outcome=Outcome.ABORTED, why="ada: good enough", keep_weights=True)
    assert decided(at_step(1, back=keep)) == End(outcome=Outcome.ABORTED, reason="ada: good enough")


# Open changes: the table of the design.


def opened(direction: Direction, *, attempts: int = 0, at: int = SOON - 60) -> Intent:
    to = BLUE if direction is Direction.BACK else TENTH
    start = TENTH if direction is Direction.BACK else split_at(BLUE, "green", STEPS.steps[0])
    order = Order(start=start, to=to, direction=direction, step=1, why="")
    return Intent(seq=7, at=at, order=order, attempts=attempts)


def on_open(direction: Direction, standing: Standing, *, late: bool = False, attempts: int = 0, **change: Any) -> Act:
    intent = opened(direction, attempts=attempts, at=SOON - 1201 if late else SOON - 60)
    state = at_step(0, open_intent=intent)
    if direction is Direction.BACK:
        state = replace(state, back=Back(outcome=Outcome.ROLLED_BACK, why=""))
    return decided(state, PASS, standing=standing, **change)


@pytest.mark.parametrize(
    ("standing", "late", "attempts", "forward_act", "back_act"),
    [
        (Standing.TO, False, 0, Confirm, Confirm),
        (Standing.TO, False, 3, Confirm, BreakGlass),
        (Standing.FROM, False, 0, Resume, Resume),
        (Standing.UPDATING, False, 0, Wait, Wait),
        (Standing.UPDATING, True, 0, Resume, Resume),
        (Standing.UPDATING, True, 3, HoldFor, BreakGlass),
        (Standing.FAILED, False, 0, Resume, Resume),
        (Standing.FAILED, False, 2, Resume, Resume),
        (Standing.FAILED, False, 3, HoldFor, BreakGlass),
        (Standing.OTHER, False, 0, HoldFor, Resume),
    ],
)
def test_an_open_change_is_finished_by_what_azure_has(
    standing: Standing, late: bool, attempts: int, forward_act: type, back_act: type
) -> None:
    assert isinstance(on_open(Direction.FORWARD, standing, late=late, attempts=attempts), forward_act)
    assert isinstance(on_open(Direction.BACK, standing, late=late, attempts=attempts), back_act)


@pytest.mark.parametrize(
    "change",
    [{"metrics_problem": "503"}, {"requests_in_step": 3}, {"stable_problem": "gone"}, {"capacity_problem": "few"}],
)
def test_an_open_step_is_withdrawn_where_it_would_not_be_decided_again(change: dict[str, Any]) -> None:
    assert isinstance(on_open(Direction.FORWARD, Standing.FROM, **change), Withdraw)


def test_break_glass_is_followed_by_reconciling() -> None:
    intent = opened(Direction.BACK)
    state = at_step(-1, open_intent=intent, broken_glass=True, back=Back(outcome=Outcome.ROLLED_BACK, why=""))
    assert decided(state) == Reconcile(intent=intent)


# Properties, from any state and evidence.


VERDICTS = st.sampled_from(list(Verdict))
RESULTS = st.lists(
    st.builds(
        GateResult,
        gate=st.sampled_from(["error_rate", "latency_p95", "saturation", "checks.smoke"]),
        verdict=st.sampled_from([Verdict.PASS, Verdict.PASS, *Verdict]),
        reason=st.just("because"),
        dry_run=st.sampled_from([False, False, True]),
    ),
    max_size=3,
)
MAYBE = st.sampled_from([None, None, None, "a problem"])
SPLITS = [BLUE, *(split_at(BLUE, "green", step) for step in STEPS.steps), ELSEWHERE]


@st.composite
def states(draw: st.DrawFn) -> RolloutState:
    step = draw(st.integers(-1, 3))
    kind = draw(st.sampled_from([None, None, *HoldKind]))
    ended = draw(st.sampled_from([None, None, None, *Outcome]))
    goes_back = draw(st.sampled_from([None, None, Back(outcome=Outcome.ABORTED, why="ada")]))
    state = at_step(
        step,
        plan=STEPS.model_copy(
            update={
                "on_inconclusive": draw(st.sampled_from(["hold", "rollback"])),
                "on_incident": draw(st.sampled_from(["hold", "rollback"])),
            }
        ),
        floor_settled=draw(st.booleans()) or step >= 0,
        held=Hold(kind=kind, reason="", since=NOON + draw(st.integers(0, 3000))) if kind else None,
        paused=draw(st.sampled_from([None, None, "ada"])),
        approved=draw(st.sampled_from([{}, {2: "eve"}])),
        approval_requested=draw(st.sampled_from([frozenset(), frozenset({2})])),
        promoted_by=draw(st.sampled_from([None, None, None, "ada"])),
        metrics_errors=draw(st.integers(0, 5)),
        drift_answer=draw(st.sampled_from([None, None, "restore", "adopt"])),
        back=goes_back,
        ended=Ended(at=NOON, outcome=ended, reason="") if ended and goes_back is None else None,
    )
    if step < 0:
        state = replace(state, phase=draw(st.sampled_from([Phase.PREPARE, Phase.VERIFY, Phase.RESERVE])))
        if state.phase is Phase.VERIFY:
            state = replace(state, probes=Probes(at=NOON, start=NOON, sent=20))
    if state.ended is None and draw(st.integers(0, 3)) == 0:
        direction = Direction.BACK if goes_back else draw(st.sampled_from([Direction.FORWARD, Direction.BACK]))
        if direction is Direction.BACK:
            state = replace(state, back=state.back or Back(outcome=Outcome.ROLLED_BACK, why="bad"))
        to = BLUE if direction is Direction.BACK else SPLITS[min(step + 2, 4)]
        order = Order(start=state.weights, to=to, direction=direction, step=min(step + 1, 3), why="")
        intent = Intent(seq=9, at=NOON + draw(st.integers(0, 3600)), order=order, attempts=draw(st.integers(0, 4)))
        state = replace(state, open_intent=intent)
    return state


@st.composite
def findings(draw: st.DrawFn, state: RolloutState) -> Evidence:
    drift = draw(
        st.lists(st.builds(Drift, kind=st.sampled_from(list(DriftKind)), text=st.just("differs")), max_size=1)
        if draw(st.booleans())
        else st.just([])
    )
    return Evidence(
        results=tuple(draw(RESULTS)),
        tripwire=draw(MAYBE),
        live=draw(st.sampled_from([state.weights, state.weights, None, *SPLITS])),
        standing=draw(st.sampled_from(list(Standing))) if state.open_intent else None,
        drift=tuple(drift),
        canary_problem=draw(MAYBE),
        stable_problem=draw(MAYBE),
        azure_problem=draw(MAYBE),
        metrics_problem=draw(MAYBE),
        capacity_problem=draw(MAYBE),
        split_problem=draw(MAYBE),
        settled_until=NOON + draw(st.integers(0, 4000)),
        requests_in_step=draw(st.sampled_from([0, 149, 150, 10_000])),
        probes_counted=draw(st.sampled_from([None, 0, 19, 20, 21])),
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[RolloutState, Evidence, int]:
    state = draw(states())
    return state, draw(findings(state)), NOON + draw(st.sampled_from([60, 400, 1900, 3600, 90_000]))


@given(cases())
def test_every_weight_is_a_step_of_the_plan_or_the_baseline(case: tuple[RolloutState, Evidence, int]) -> None:
    state, evidence, now = case
    act = decide(state.plan, state, evidence, now)
    if not isinstance(act, Move):
        return
    order = act.order
    splits = [split_at(state.baseline, state.colour, step) for step in state.plan.steps]
    assert order.to in [state.baseline, *splits]
    assert sum(order.to.traffic.values()) == 100
    assert not order.to.traffic.keys() & order.to.mirror.keys(), "live or mirrored, not both"
    if order.direction is Direction.FORWARD and order.outcome is None:
        assert order.step == state.step + 1
        assert order.to == splits[order.step]
    if order.direction is Direction.BACK:
        assert order.to == state.baseline


@given(cases())
def test_nothing_but_pass_or_promote_advances(case: tuple[RolloutState, Evidence, int]) -> None:
    state, evidence, now = case
    act = decide(state.plan, state, evidence, now)
    carried_out = isinstance(act, Resume) and act.intent.order.direction is Direction.FORWARD
    if not forward(act) and not (carried_out and evidence.standing is Standing.FROM):
        return
    assert state.back is None
    assert state.ended is None
    assert state.paused is None
    assert evidence.canary_problem is None
    assert evidence.azure_problem is None
    assert not [one for one in evidence.drift if one.kind is not DriftKind.DECLARED or forward(act)]
    assert evidence.capacity_problem is None or forward(act) is (state.step == 3)
    if state.promoted_by is not None:
        return
    assert evidence.tripwire is None
    assert evidence.stable_problem is None
    if state.step >= 0:
        assert evidence.metrics_problem is None
        assert evidence.requests_in_step >= 150
        assert all(one.verdict is Verdict.PASS for one in evidence.results if not one.dry_run)
    if forward(act) and state.step >= 0:
        bake = state.plan.steps[state.step].bake_seconds
        assert evidence.settled_until >= state.weights_since + bake
    if forward(act) and state.step == 1:
        assert state.approved.get(2), "the third step needs approval"


@given(cases())
def test_a_rollback_is_one_decision_away(case: tuple[RolloutState, Evidence, int]) -> None:
    """Whatever gates, approvals, pauses and holds say: the change back, or what carries an open one out."""
    state, evidence, now = case
    if state.ended is not None:
        return
    asked = replace(state, back=Back(outcome=Outcome.ROLLED_BACK, why="ada"))
    act = decide(state.plan, asked, evidence, now)
    intent = state.open_intent
    if intent is not None and intent.is_back:
        assert isinstance(act, Resume | Confirm | BreakGlass | Reconcile) or evidence.standing is Standing.UPDATING
    elif isinstance(act, End):
        assert evidence.live == state.weights == state.baseline
        assert intent is None
    else:
        assert back(act)


@given(cases())
def test_errors_incidents_and_missing_data_are_no_verdict(case: tuple[RolloutState, Evidence, int]) -> None:
    state, evidence, now = case
    act = decide(state.plan, state, evidence, now)
    if not isinstance(act, Move) or act.verdict is None:
        return
    traffic = [one for one in evidence.results if one.gate in {"error_rate", "latency_p95"} and not one.dry_run]
    verdicts = {one.verdict for one in traffic}
    busy = {one.verdict for one in evidence.results if not one.dry_run} - verdicts
    late = state.step >= 0 and now > NOON + 1800
    assert (
        Verdict.FAIL in verdicts
        or evidence.tripwire is not None
        or evidence.canary_problem is not None
        or (state.plan.on_incident == "rollback" and any(one.verdict is Verdict.INCIDENT for one in evidence.results))
        or (late and (state.plan.on_inconclusive == "rollback" or Verdict.FAIL in busy))
        or (late and any(one.verdict is Verdict.FAIL for one in evidence.results))
    )
    assert evidence.stable_problem is None or state.plan.on_incident == "rollback"


@given(cases())
def test_the_same_arguments_give_the_same_act_and_change_nothing(case: tuple[RolloutState, Evidence, int]) -> None:
    state, evidence, now = case
    assert decide(state.plan, state, evidence, now) == decide(state.plan, replace(state), replace(evidence), now)


@given(cases())
def test_a_hold_is_said_once(case: tuple[RolloutState, Evidence, int]) -> None:
    state, evidence, now = case
    act = decide(state.plan, state, evidence, now)
    if isinstance(act, HoldFor):
        assert state.held is None or state.held.kind is not act.kind
        held = replace(state, held=Hold(kind=act.kind, reason=act.reason, since=now))
        assert not isinstance(decide(state.plan, held, evidence, now), HoldFor)

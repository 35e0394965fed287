"""What people may do to a rollout, and when it is refused."""

from collections.abc import Callable
from typing import Any

import pytest

from command_errors import UsageError
from rollout.decision.order import Outcome
from rollout.people.actor import Actor
from rollout.people.requests import Deed, approve, pause, promote, reject, resume, roll_back
from rollout.record.event import Kind
from rollout.record.state import Back, Ended, Hold, HoldKind, Phase, RolloutState
from rollout.split import Split
from rollout_config import PlanSettings
from tests.rollout.states import NOON, PLAN, state_of

ANA = Actor(name="ana", run="https://ci/7")
AT_10 = Split(traffic={"blue": 90, "green": 10})
BACK = Back(outcome=Outcome.ROLLED_BACK, why="error_rate 64:1")
DONE = Ended(at=NOON, outcome=Outcome.DONE, reason="all steps passed")
DAY = 24 * 3600


def live(**change: Any) -> RolloutState:
    return state_of(**{"phase": Phase.LIVE, "step": 0, "weights": AT_10, **change})


def held(kind: HoldKind, **change: Any) -> RolloutState:
    return live(held=Hold(kind=kind, reason="because", since=NOON), **change)


def done_by(deed: Deed | None) -> tuple[Kind, dict[str, Any]]:
    assert deed is not None
    assert deed.told.startswith(("20261128T120000Z-green", "ana"))
    return deed.kind, dict(deed.data)


def test_pause_names_who_and_why() -> None:
    assert done_by(pause(live(), ANA, "lunch")) == (Kind.PAUSED, {"by": "ana", "reason": "lunch"})


def test_a_second_pause_adds_nothing() -> None:
    assert pause(live(paused="ana"), ANA, None) is None


@pytest.mark.parametrize("kind", [HoldKind.PAUSED, HoldKind.INCIDENT, HoldKind.INCONCLUSIVE, HoldKind.ENGINE])
def test_resume_ends_a_hold(kind: HoldKind) -> None:
    data = {"by": "ana", "reason": None, "drift": None, "plan": None}
    assert done_by(resume(held(kind), ANA, None)) == (Kind.RESUMED, data)


def test_resume_ends_a_pause_that_another_hold_covers() -> None:
    assert done_by(resume(held(HoldKind.APPROVAL, paused="ana"), ANA, None))[0] is Kind.RESUMED


def test_resume_of_what_runs_adds_nothing() -> None:
    assert resume(live(), ANA, None) is None


def test_resume_is_no_approval() -> None:
    with pytest.raises(UsageError, match=r"sluice rollout approve fraud-detection --stack prod"):
        resume(held(HoldKind.APPROVAL), ANA, None)


def test_resume_after_drift_needs_an_answer() -> None:
    with pytest.raises(UsageError, match=r"--restore .* --adopt .* --replan"):
        resume(held(HoldKind.DRIFT), ANA, None)


def test_restore_puts_the_declared_weights_back() -> None:
    deed = resume(held(HoldKind.DRIFT), ANA, None, drift="restore")
    assert done_by(deed)[1]["drift"] == "restore"
    assert deed is not None
    assert "restores blue 90 %, green 10 %" in deed.told


def test_adopt_takes_the_split_of_a_step() -> None:
    at_50 = Split(traffic={"blue": 50, "green": 50})
    assert done_by(resume(held(HoldKind.DRIFT), ANA, None, drift="adopt", live=at_50))[1]["drift"] == "adopt"


@pytest.mark.parametrize("split", [Split(traffic={"blue": 70, "green": 30}), None])
def test_adopt_refuses_every_other_split(split: Split | None) -> None:
    with pytest.raises(UsageError, match=r"blue 90 %, green 10 %; blue 50 %, green 50 %; green 100 %"):
        resume(held(HoldKind.DRIFT), ANA, None, drift="adopt", live=split)


def test_adopt_also_takes_another_release_of_a_stable_colour() -> None:
    colours = {"blue": {"release": "b2", "content": "c2"}, "green": {"release": "green-release", "content": None}}
    deed = resume(held(HoldKind.DRIFT), ANA, None, drift="adopt", live=AT_10, colours=colours)
    assert done_by(deed)[1]["colours"] == {"blue": {"release": "b2", "content": "c2"}}
    assert deed is not None
    assert "the present release of blue" in deed.told


def test_adopt_takes_the_baseline_before_the_first_step() -> None:
    baseline = Split(traffic={"blue": 100})
    state = held(HoldKind.DRIFT, step=-1, phase=Phase.PREPARE, weights=baseline)
    assert done_by(resume(state, ANA, None, drift="adopt", live=baseline))[1]["drift"] == "adopt"
    with pytest.raises(UsageError, match="takes only a split"):
        resume(held(HoldKind.DRIFT), ANA, None, drift="adopt", live=baseline)


def test_replan_takes_a_plan_that_has_the_present_weights() -> None:
    new = PlanSettings.from_values({**PLAN.as_values(), "min_requests": 5})
    assert done_by(resume(live(), ANA, None, drift="replan", plan=new))[1]["plan"]["min_requests"] == 5


def test_replan_refuses_a_plan_without_the_present_weights() -> None:
    new = PlanSettings(preset="linear-20", gates=PLAN.gates)
    with pytest.raises(UsageError, match=r"no step .* has the present weights blue 90 %, green 10 %"):
        resume(live(), ANA, None, drift="replan", plan=new)
    with pytest.raises(UsageError, match="is missing"):
        resume(live(), ANA, None, drift="replan")


def test_approve_says_yes_to_the_step_that_asks() -> None:
    state = held(HoldKind.APPROVAL, approval_requested=frozenset({1}))
    data = {"by": "ana", "reason": "seen", "step": 1, "run": "https://ci/7", "unreviewed": False}
    assert done_by(approve(state, ANA, "seen")) == (Kind.APPROVED, data)
    assert done_by(reject(state, ANA, "seen")) == (Kind.REJECTED, data)


def test_an_approval_without_a_review_is_marked() -> None:
    person = Actor(name="ana", unreviewed=True)
    assert done_by(approve(held(HoldKind.APPROVAL), person, None))[1]["unreviewed"]


def test_a_step_that_asked_can_be_approved_under_another_hold() -> None:
    state = held(HoldKind.INCIDENT, approval_requested=frozenset({1}))
    assert done_by(approve(state, ANA, None))[1]["step"] == 1


def test_a_second_approval_adds_nothing() -> None:
    assert approve(held(HoldKind.APPROVAL, approved={1: "bo"}), ANA, None) is None


@pytest.mark.parametrize("answer", [approve, reject])
def test_an_answer_before_the_question_is_refused(answer: Callable[..., Deed | None]) -> None:
    with pytest.raises(UsageError, match=r"step 2 of 3 \(50 %\) will ask"):
        answer(live(), ANA, None)
    with pytest.raises(UsageError, match="no further step of its plan asks"):
        answer(live(step=1), ANA, None)


def test_promote_needs_a_reason() -> None:
    with pytest.raises(UsageError, match="--reason"):
        promote(live(), ANA, "  ")
    assert done_by(promote(live(), ANA, "outage")) == (Kind.PROMOTED, {"by": "ana", "reason": "outage"})
    assert promote(live(promoted_by="bo"), ANA, "outage") is None


EVERY_PHASE = [
    phase for phase in Phase if phase not in (Phase.DONE, Phase.ROLLED_BACK, Phase.ABORTED, Phase.SUPERSEDED)
]


@pytest.mark.parametrize("phase", EVERY_PHASE)
@pytest.mark.parametrize("kind", [None, *HoldKind])
def test_a_rollback_is_possible_from_every_phase_and_every_hold(phase: Phase, kind: HoldKind | None) -> None:
    state = held(kind, phase=phase) if kind else live(phase=phase)
    expected = {"by": "ana", "reason": "bad", "outcome": "rolled_back", "keep_weights": False}
    assert done_by(roll_back(state, ANA, "bad", now=NOON)) == (Kind.ROLLBACK_REQUESTED, expected)


def test_an_abort_bars_the_release_and_may_keep_the_weights() -> None:
    deed = roll_back(live(), ANA, None, now=NOON, outcome=Outcome.ABORTED, keep_weights=True)
    assert done_by(deed)[1] == {"by": "ana", "reason": None, "outcome": "aborted", "keep_weights": True}
    assert deed is not None
    assert "keeps blue 90 %, green 10 % and ends; its release can be started again only with --again" in deed.told


def test_a_rollback_is_possible_after_done_inside_the_window() -> None:
    state = live(phase=Phase.DONE, ended=DONE)
    assert done_by(roll_back(state, ANA, None, now=NOON + DAY))[0] is Kind.ROLLBACK_REQUESTED


@pytest.mark.parametrize(("change", "now"), [({}, NOON + DAY + 1), ({"retired": True}, NOON + 1)])
def test_after_the_window_a_rollback_is_refused_with_the_way_that_is_left(change: dict[str, Any], now: int) -> None:
    with pytest.raises(UsageError, match=r"--to blue"):
        roll_back(live(phase=Phase.DONE, ended=DONE, **change), ANA, None, now=now)


def test_a_second_rollback_adds_nothing() -> None:
    assert roll_back(live(back=BACK), ANA, None, now=NOON) is None
    ended = Ended(at=NOON, outcome=Outcome.ROLLED_BACK, reason="bad")
    assert roll_back(live(ended=ended), ANA, None, now=NOON) is None


@pytest.mark.parametrize("change", [{"back": BACK}, {"ended": DONE}])
def test_everything_but_a_rollback_comes_too_late_then(change: dict[str, Any]) -> None:
    state = live(**change)
    for deed in (pause, resume, approve, reject, promote):
        with pytest.raises(UsageError, match=r"on its way back|has ended"):
            deed(state, ANA, "reason")

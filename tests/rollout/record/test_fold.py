"""The state of a rollout is what its events add up to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.decision.order import Outcome
from rollout.record.event import Event, Kind
from rollout.record.fold import fold
from rollout.record.state import HoldKind, Phase, RolloutState
from rollout.split import Split
from rollout_config import PlanSettings
from tests.rollout.record.rollouts import BLUE, PLAN, T0, Story, interval

TENTH = Split(traffic={"blue": 90, "green": 10})


def whole_story() -> Story:
    """Every kind of event, in an order that can happen."""
    story = Story()
    story.at(1, Kind.PROBED, sent=20, start=T0, disagreement=0.0, problem=None)
    story.at(2, Kind.VERIFIED, counted=20, settle=120, skipped=False)
    floor = {"deployment": "blue", "minimum": 5, "was": {"autoscale.min": 3}, "now": {"autoscale.min": 5}}
    story.at(3, Kind.RESERVING, **floor)
    story.at(4, Kind.RESERVE_FAILED, reason="429")
    story.at(5, Kind.RESERVED, **floor)
    story.move(10, 0, applied=20)
    story.at(90, Kind.EVIDENCE, intervals=[interval(0), interval(60)], results={})
    story.at(95, Kind.OBSERVED, step=0, shares={"green": 0.1}, requests=60, chance=0.9)
    story.at(100, Kind.METRICS_ERROR, reason="503", in_a_row=1)
    story.at(110, Kind.PAUSED, by="ada", reason="lunch")
    story.at(120, Kind.DRIFT, findings=[{"kind": "live"}], who="bob", when="2026-11-27T14:01:59Z")
    story.at(121, Kind.HELD, hold="drift", reason="bob moved it")
    story.at(150, Kind.RELEASED, hold="drift", reason="gone")
    story.at(170, Kind.RESUMED, by="ada", reason="back", drift=None)
    story.at(180, Kind.EVIDENCE, intervals=[interval(120), interval(180)], results={})
    story.at(200, Kind.APPROVAL_REQUESTED, step=1, run="")
    story.at(201, Kind.HELD, hold="approval", reason="step 2 needs approval")
    story.at(260, Kind.APPROVED, by="eve", reason="fine", run="", step=1, unreviewed=False)
    withdrawn = story.move(270, 1)
    story.at(275, Kind.ATTEMPT, intent=withdrawn.seq, reason="409")
    story.at(280, Kind.WITHDRAWN, intent=withdrawn.seq, reason="other changes are pending")
    story.at(290, Kind.PROMOTED, by="ada", reason="friday")
    story.move(300, 1, applied=30)
    story.at(350, Kind.NOTED, what="unwatched", text="unwatched for 3 h")
    story.at(400, Kind.VERDICT, gate="error_rate", reason="green failed 9 of 31", value=64.0)
    story.move(401, -1)
    story.at(410, Kind.BREAK_GLASS, by="sluice", why="the backend is locked", weights=BLUE.as_values())
    story.at(500, Kind.RECONCILED)
    story.at(501, Kind.ENDED, outcome="rolled_back", reason="green failed 9 of 31", requests=31, errors=9)
    story.at(502, Kind.RETURNED, deployment="blue", values={"autoscale.min": 3}, left=[])
    return story


def after(story: Story, seconds: int) -> RolloutState:
    return fold(event for event in story.events if event.at <= T0 + seconds)


def test_every_kind_of_event_but_the_late_ones_is_in_the_story() -> None:
    late = {Kind.REJECTED, Kind.ROLLBACK_REQUESTED, Kind.RETIRING, Kind.RETIRED}
    assert {event.kind for event in whole_story().events} == set(Kind) - late


@given(st.integers(1, len(whole_story().events)))
def test_a_record_may_be_folded_in_parts(cut: int) -> None:
    events = whole_story().events
    assert fold(events) == fold(events[cut:], start=fold(events[:cut]))


def test_a_change_is_open_until_it_is_applied() -> None:
    story = whole_story()
    assert after(story, 10).open_intent is not None
    assert after(story, 10).weights == BLUE
    applied = after(story, 30)
    assert (applied.open_intent, applied.weights, applied.step, applied.phase) == (None, TENTH, 0, Phase.LIVE)
    assert applied.weights_since == T0 + 30


def test_the_end_is_the_baseline_with_nothing_open_or_held() -> None:
    state = fold(whole_story().events)
    assert state.weights == BLUE
    assert state.open_intent is None
    assert state.held is None
    assert state.is_over
    assert state.phase is Phase.ROLLED_BACK
    assert not state.broken_glass
    assert state.reserved is None


def test_a_pause_outlives_another_hold() -> None:
    story = whole_story()
    assert [after(story, at).held.kind for at in (110, 121, 150)] == [  # type: ignore[union-attr]  # they are held
        HoldKind.PAUSED,
        HoldKind.DRIFT,
        HoldKind.PAUSED,
    ]
    assert after(story, 170).held is None


def test_the_bake_does_not_run_while_the_rollout_is_held() -> None:
    story = Story()
    story.move(0, 0, applied=0)
    story.at(100, Kind.HELD, hold="incident", reason="both suffer")
    assert after(story, 100).held_seconds(T0 + 150) == 50
    story.at(160, Kind.RELEASED, hold="incident", reason="gone")
    assert after(story, 160).held_seconds(T0 + 500) == 60
    assert after(story, 160).step_seconds(T0 + 500) == 500, "a deadline counts the time of an incident"


def test_no_deadline_counts_the_time_in_which_a_person_is_waited_for() -> None:
    story = Story()
    story.move(0, 0, applied=0)
    story.at(100, Kind.HELD, hold="approval", reason="step 2")
    assert after(story, 100).execution_seconds(T0 + 5000) == 100
    story.at(3700, Kind.APPROVED, by="eve", reason="", run="", step=1, unreviewed=False)
    assert after(story, 3700).execution_seconds(T0 + 3800) == 200
    assert after(story, 3700).step_seconds(T0 + 3800) == 200


def test_a_person_who_resumes_gives_every_deadline_again() -> None:
    story = Story()
    story.at(50, Kind.PAUSED, by="ada", reason="lunch")
    story.at(4000, Kind.RESUMED, by="ada", reason="back", drift=None)
    state = fold(story.events)
    assert state.execution_seconds(T0 + 4010) == 10
    assert state.step_seconds(T0 + 4010) == 10


def test_an_interval_counts_once_and_only_where_no_weight_changed() -> None:
    story = Story()
    story.move(60, 0, applied=30)
    story.at(400, Kind.EVIDENCE, intervals=[interval(at) for at in (0, 60, 120, 180)], results={})
    story.at(500, Kind.EVIDENCE, intervals=[interval(at) for at in (120, 180, 240)], results={})
    story.move(510, 1)
    story.at(600, Kind.EVIDENCE, intervals=[interval(at) for at in (420, 480)], results={})
    state = fold(story.events)
    starts = [one.start - T0 for one in state.intervals]
    assert starts == [0, 60, 120, 180, 240, 420, 480]
    placed = [one.start - T0 for one in state.intervals if state.placement(one) is not None]
    assert placed == [120, 180, 240, 420], "not 60 and 480, in which a weight changed"


def test_an_intent_that_is_withdrawn_leaves_the_evidence_whole() -> None:
    story = Story()
    story.move(0, 0, applied=0)
    intent = story.move(130, 1)
    story.at(190, Kind.WITHDRAWN, intent=intent.seq, reason="other changes")
    story.at(400, Kind.EVIDENCE, intervals=[interval(at) for at in (60, 120, 180)], results={})
    state = fold(story.events)
    assert [state.placement(one) is not None for one in state.intervals] == [True, True, True]


def test_warm_up_and_100_percent_are_told_to_the_gates() -> None:
    steps = [{"weight": 10, "bake": "5m", "warm_up": "2m"}, {"weight": 100, "bake": "5m"}]
    story = Story(PlanSettings.from_values({**PLAN.as_values(), "steps": steps}))
    story.move(0, 0, applied=0)
    story.at(200, Kind.EVIDENCE, intervals=[interval(60), interval(120)], results={})
    story.move(240, 1, applied=0)
    story.at(400, Kind.EVIDENCE, intervals=[interval(240)], results={})
    state = fold(story.events)
    placed = [state.placement(one) for one in state.intervals]
    assert [(one.warm, one.alone) for one in placed if one] == [(True, False), (False, False), (False, True)]
    assert state.phase is Phase.BAKE


@pytest.mark.parametrize("seconds", [50, 24 * 3600 - 1])
def test_done_can_be_taken_back_inside_the_window(seconds: int) -> None:
    story = Story()
    story.at(10, Kind.ENDED, outcome="done", reason="all steps passed")
    story.at(10 + seconds, Kind.ROLLBACK_REQUESTED, by="ada", reason="slow", outcome="rolled_back")
    state = fold(story.events)
    assert state.back is not None
    assert not state.is_over


@pytest.mark.parametrize(("outcome", "seconds"), [("rolled_back", 50), ("done", 24 * 3600 + 1)])
def test_what_is_over_stays_over(outcome: str, seconds: int) -> None:
    story = Story()
    story.at(10, Kind.ENDED, outcome=outcome, reason="")
    story.at(10 + seconds, Kind.ROLLBACK_REQUESTED, by="ada", reason="slow", outcome="rolled_back")
    assert fold(story.events).is_over


def test_a_persons_word_after_the_end_changes_nothing() -> None:
    story = Story()
    story.at(10, Kind.ENDED, outcome="rolled_back", reason="")
    before = fold(story.events)
    story.at(20, Kind.REJECTED, by="eve", reason="no", run="", step=1)
    after_it = fold(story.events)
    assert after_it.is_over
    assert after_it.back == before.back


def test_another_plan_needs_the_present_weights_and_starts_the_evidence_afresh() -> None:
    story = Story()
    story.move(0, 0, applied=0)
    story.at(200, Kind.EVIDENCE, intervals=[interval(60)], results={})
    plan = {**PLAN.as_values(), "steps": [{"weight": 5, "bake": "5m"}, {"weight": 10, "bake": "9m"}]}
    plan["steps"].append({"weight": 100, "bake": "5m"})
    story.at(300, Kind.RESUMED, by="ada", reason="slower", drift="replan", plan=plan)
    state = fold(story.events)
    assert state.step == 1
    assert state.current_step is not None
    assert state.current_step.bake == "9m"
    assert [state.placement(one) for one in state.intervals] == [None]
    assert state.weights_since == T0 + 300


def refused() -> list[tuple[str, list[Event]]]:
    two, closed, forward, replan, begun = Story(), Story(), Story(), Story(), Story()
    two.move(0, 0)
    two.move(1, 0)
    closed.at(5, Kind.APPLIED, intent=3, found=True, update=None, seconds={})
    forward.at(0, Kind.VERDICT, gate="error_rate", reason="bad", value=50)
    forward.move(1, 0)
    replan.move(0, 0, applied=0)
    plan = {**PLAN.as_values(), "steps": [{"weight": 100, "bake": "5m"}]}
    replan.at(300, Kind.RESUMED, by="ada", reason="faster", drift="replan", plan=plan)
    begun.at(5, Kind.STARTED, **begun.events[0].data)
    return [
        ("which is still open", two.events),
        ("which is not open", closed.events),
        ("after the decision to go back", forward.events),
        ("no step of the new plan", replan.events),
        ("has started already", begun.events),
        ("is empty", []),
        ("begins with `started`", two.events[1:]),
    ]


@pytest.mark.parametrize(("reason", "events"), refused(), ids=lambda value: value if isinstance(value, str) else "")
def test_an_event_that_cannot_follow_is_refused(reason: str, events: list[Event]) -> None:
    with pytest.raises(ValueError, match=reason):
        fold(events)


def test_a_way_back_takes_the_place_of_an_open_step() -> None:
    story = Story()
    story.move(0, 0)
    story.move(5, -1, applied=3)
    state = fold(story.events)
    assert state.open_intent is None
    assert state.weights == BLUE
    assert state.back is not None
    assert state.back.outcome is Outcome.ROLLED_BACK

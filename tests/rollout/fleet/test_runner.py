"""Waves on the controller's real code and a world in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_errors import UnavailableError, UsageError
from exit_codes import ExitCode
from rollout.decision.acts import Wait
from rollout.decision.order import Outcome
from rollout.decision.situation import Evidence
from rollout.fleet.progress import Found, Progress
from rollout.fleet.runner import Fleet, FleetView
from rollout.instances import Floor
from rollout.ports import Reading
from rollout.record.event import Kind
from rollout.record.state import Ended, Phase
from rollout.split import Split
from rollout.tick.controller import Tick
from tests.rollout.fleet.members import BLUE, SHORT, Members, fleet_of, wave
from tests.rollout.states import NOON, state_of
from tests.rollout.world import FakeClock, Killed

GREEN = Split(traffic={"green": 100})
WAVES = fleet_of(wave("pilot", "weu", bake="10m"), wave("europe", "neu", "swc"), wave("world", "eus"))


@pytest.fixture
def members(tmp_path: Path) -> Members:
    return Members(tmp_path, WAVES)


def bad(split: Split, age: int) -> float:
    return 0.3


def splits(members: Members) -> dict[str, Split]:
    return {one.stack: member.azure.split for one, member in members.by_rollout.items()}


def test_the_waves_go_one_after_another_and_side_by_side_within(members: Members) -> None:
    views: list[FleetView] = []
    view = members.fleet().drive(watch=views.append)
    assert view.exit_code is ExitCode.DONE
    assert view.state.is_over(view.now)
    assert set(splits(members).values()) == {GREEN}
    assert all(member.starts == member.left == 1 for member in members.by_rollout.values())
    began = {one.rollout.stack: one.state.started_at for one in view.state.standings if one.state is not None}
    ended = {one.rollout.stack: one.ended_at for one in view.state.standings}
    assert ended["weu"] + 600 <= began["neu"] < ended["weu"] + 700
    assert began["swc"] < ended["neu"] < began["eus"]
    assert max(ended["neu"], ended["swc"]) <= began["eus"]
    assert any(len(seen.state.under_way) == 2 for seen in views)


def test_a_failure_ends_its_wave_and_starts_no_later_one(members: Members) -> None:
    members["neu"].bad = bad
    view = members.fleet().drive()
    assert view.exit_code is ExitCode.FAILED
    assert splits(members) == {"weu": GREEN, "neu": BLUE, "swc": GREEN, "eus": BLUE}
    assert members["eus"].starts == 0
    # Another run changes nothing, and says the same.
    again = members.fleet().drive()
    assert (again.exit_code, members["neu"].starts, members["eus"].starts) == (ExitCode.FAILED, 1, 0)


def test_a_hold_waits_for_a_person_and_the_others_go_on(members: Members) -> None:
    members.until(lambda view: len(view.state.under_way) == 2)
    held = members["neu"].room
    assert held is not None
    held.say(Kind.PAUSED, by="eve", reason="lunch")
    view = members.fleet().drive()
    assert view.exit_code is ExitCode.WAITING
    assert splits(members)["swc"] == GREEN != splits(members)["neu"]
    assert members["eus"].starts == 0
    held.say(Kind.RESUMED, by="eve", reason=None, drift=None, plan=None)
    assert members.fleet().drive().exit_code is ExitCode.DONE


def test_a_refused_start_is_told_once_and_stops_the_later_waves(members: Members) -> None:
    members["neu"].refuses = UsageError("autoscale could remove instances of blue")
    view = members.fleet().drive()
    assert view.exit_code is ExitCode.USAGE
    assert members["neu"].starts == 1
    assert [(one.stack, trouble.text) for one, trouble in view.troubles.items()] == [
        ("neu", "autoscale could remove instances of blue")
    ]
    assert splits(members) == {"weu": GREEN, "neu": BLUE, "swc": GREEN, "eus": BLUE}
    members["neu"].refuses = None
    assert members.fleet().drive().exit_code is ExitCode.DONE


def test_before_a_start_what_others_pushed_is_taken_over(members: Members) -> None:
    members.fleet().drive(seconds=60)
    assert members["weu"].synced == members["eus"].synced == 1


def test_a_start_that_another_runner_made_first_is_no_error(members: Members) -> None:
    pilot = members["weu"]
    start = pilot.start

    def second(colour: str) -> None:
        start(colour)
        raise UsageError("the rollout has not ended")

    pilot.start = second  # type: ignore[method-assign]  # another runner is first
    view = members.fleet().drive()
    assert (view.exit_code, dict(view.troubles)) == (ExitCode.DONE, {})


def test_an_endpoint_that_cannot_be_read_stops_no_other_one(members: Members) -> None:
    members.until(lambda view: len(view.state.under_way) == 2)
    members["swc"].fails = UnavailableError("no disk")
    view = members.fleet().drive()
    assert view.exit_code is ExitCode.UNAVAILABLE
    assert splits(members)["neu"] == GREEN


@pytest.mark.slow
@pytest.mark.parametrize("point", [1, 3, 4, 6, 8, 10])
def test_a_killed_fleet_goes_on_where_it_was(members: Members, point: int) -> None:
    members.until(lambda view: len(view.state.under_way) == 2)
    killed = members["neu"].room
    assert killed is not None
    killed.crash_at = point
    with pytest.raises(Killed):
        members.fleet().drive()
    killed.boot()
    view = members.fleet().drive()
    assert view.exit_code is ExitCode.DONE
    assert set(splits(members).values()) == {GREEN}
    assert all(member.starts == 1 for member in members.by_rollout.values())
    killed.assert_agreed()


def test_a_wave_that_is_blocked_is_wrong_use(members: Members) -> None:
    members["neu"].contents = {"blue": "cb", "green": "other"}
    view = members.fleet().drive()
    assert view.exit_code is ExitCode.USAGE
    assert [one.progress for one in view.state.standings] == [
        Progress.DONE,
        Progress.BLOCKED,
        Progress.DONE,
        Progress.WAITING,
    ]


def test_looking_changes_nothing(members: Members) -> None:
    view = members.fleet().look()
    assert [one.progress for one in view.state.standings] == [Progress.WAITING] * 4
    assert all(member.starts == 0 for member in members.by_rollout.values())
    assert view.exit_code is ExitCode.DONE


def test_a_rollback_of_the_pilot_while_it_bakes_stops_the_fleet(members: Members) -> None:
    fleet = members.fleet()
    pilot = members["weu"]

    def watch(view: FleetView) -> None:
        if view.state.bakes_until(view.now) is not None and pilot.room is not None and not pilot.room.state.back:
            pilot.room.say(Kind.ROLLBACK_REQUESTED, by="eve", reason="worse", outcome="rolled_back", keep_weights=False)

    view = fleet.drive(watch=watch)
    assert view.exit_code is ExitCode.FAILED
    assert set(splits(members).values()) == {BLUE}
    assert members["neu"].starts == 0


@pytest.mark.parametrize("is_bad", [False, True])
def test_a_fleet_gives_back_the_floor_of_every_rollout_that_has_ended(members: Members, is_bad: bool) -> None:
    declared = {"autoscale.min": 1, "autoscale.max": 9, "autoscale.default": 1}
    member = members["weu"]
    member.plan = SHORT.model_copy(update={"hold_stable": True})
    member.deployments = {"blue": dict(declared), "green": {}}
    member.bad = bad if is_bad else member.bad
    view = members.fleet().drive()
    assert view.exit_code is (ExitCode.FAILED if is_bad else ExitCode.DONE)
    assert member.room is not None
    kinds = [event.kind for event in member.room.journal.chain.events]
    assert (kinds.count(Kind.RESERVED), kinds.count(Kind.RETURNED)) == (1, 1)
    assert member.room.file.deployments["blue"] == declared
    assert view.state.to_tick == ()


class Refused:
    """A member whose rollout is done, and whose floor cannot be given back: the stack file is broken."""

    def __init__(self) -> None:
        floor = Floor(deployment="blue", minimum=3, was={"autoscale.min": 1}, now={"autoscale.min": 3})
        how = Ended(at=NOON, outcome=Outcome.DONE, reason="every step has passed")
        self.state = state_of(ended=how, phase=Phase.DONE, reserved=floor)
        self.ticks = 0

    def find(self, *, synced: bool = False) -> Found:
        return Found(declared=GREEN, contents={"green": "green-content"}, rollouts=[self.state])

    def start(self, colour: str) -> None:
        raise AssertionError(f"{colour} was started before")

    def tick(self) -> Tick:
        self.ticks += 1
        assert self.ticks < 10, "it goes on for ever"
        evidence, reading = Evidence(settled_until=NOON), Reading(settled_until=NOON)
        act, code = Wait(until=NOON, reason="broken"), ExitCode.USAGE
        return Tick(
            at=NOON, act=act, state=self.state, evidence=evidence, reading=reading, exit_code=code, text="broken"
        )

    def leave(self) -> None:
        """Nothing is open."""


def test_what_only_a_person_can_give_back_ends_the_run() -> None:
    settings = fleet_of(wave("pilot", "weu"))
    refused = Refused()
    view = Fleet(settings, {settings.rollouts[0]: refused}, FakeClock(NOON)).drive()
    assert (view.exit_code, refused.ticks) == (ExitCode.USAGE, 1)

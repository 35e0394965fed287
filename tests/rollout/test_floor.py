"""The stable colour keeps its instances until the end, whatever happens, and gets back what was declared.

Crash points of a change of instances: 20 before the record says what is begun, 21 after it, 22 before the push, 23
after it, 24 before the stack file, 25 after it, 26 before the PUT, 28 after it, 29 before the record says that it is
done, 30 after it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exit_codes import ExitCode
from rollout.errors import PushRefused
from rollout.instances import DeploymentEdit
from rollout.ports import Message
from rollout.record.event import Kind
from rollout.record.state import HoldKind, Phase
from rollout.tick.runner import run
from rollout_config import PlanSettings
from tests.rollout.record.rollouts import BLUE
from tests.rollout.test_drills import bad_at_50
from tests.rollout.world import QUICK, Killed, Room

HOLDING = PlanSettings.from_values({**QUICK.as_values(), "hold_stable": True})
DECLARED = {"instances": 3, "autoscale.min": 3, "autoscale.max": 10, "autoscale.default": 3}
RAISED = {"instances": 8, "autoscale.min": 8, "autoscale.max": 10, "autoscale.default": 8}
POINTS = [20, 21, 22, 23, 24, 25, 26, 28, 29, 30]
PLACES: dict[str, Callable[[Room], None]] = {"in place": Room.boot, "from a fresh clone": Room.clone}


def room_of(folder: Path, plan: PlanSettings = HOLDING, **change: Any) -> Room:
    """Blue has eight instances, five more than its minimum."""
    room = Room(folder, plan=plan, deployments={"blue": dict(DECLARED), "green": {"instances": 3}}, **change)
    room.azure.deployments["blue"] = replace(room.azure.deployments["blue"], instances=8)
    return room


def kinds(room: Room) -> list[Kind]:
    return [event.kind for event in room.journal.chain.events]


def is_given_back(room: Room) -> bool:
    return room.state.is_over and room.state.reserved is None


def assert_given_back(room: Room) -> None:
    assert room.file.deployments["blue"] == DECLARED
    assert room.azure.autoscale["blue"]["autoscale.min"] == 3
    assert room.state.reserved is None
    room.assert_agreed()


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return room_of(tmp_path)


def test_the_floor_is_raised_before_the_first_weight_held_and_given_back_at_the_end(room: Room) -> None:
    room.until(lambda tick: tick.state.floor_settled)
    assert room.azure.split == BLUE
    assert room.file.deployments["blue"] == RAISED
    assert room.azure.autoscale["blue"] == {"autoscale.min": 8, "autoscale.max": 10, "autoscale.default": 8}
    held = []
    room.until(lambda tick: held.append(room.azure.autoscale["blue"]["autoscale.min"]) or tick.state.is_over)  # type: ignore[func-returns-value]  # append
    assert set(held) == {8}
    tick = room.until(lambda tick: is_given_back(room))
    assert tick.exit_code is ExitCode.DONE
    assert room.state.phase is Phase.DONE
    assert_given_back(room)
    wanted = [Kind.RESERVING, Kind.RESERVED, Kind.INTENT, Kind.ENDED, Kind.RETURNED]
    assert [kind for kind in dict.fromkeys(kinds(room)) if kind in wanted] == wanted


@pytest.mark.parametrize("outcome", ["rolled_back", "aborted", "superseded"])
def test_every_end_gives_it_back(room: Room, outcome: str) -> None:
    room.until(lambda tick: tick.state.step == 0)
    room.say(Kind.ROLLBACK_REQUESTED, by="ada", reason="no", outcome=outcome)
    assert run(room.controller, room.clock).exit_code is ExitCode.FAILED
    assert room.state.phase == outcome
    assert_given_back(room)


def test_an_abort_that_keeps_the_weights_gives_it_back(room: Room) -> None:
    room.until(lambda tick: tick.state.step == 0)
    room.say(Kind.ROLLBACK_REQUESTED, by="ada", reason="no", outcome="aborted", keep_weights=True)
    run(room.controller, room.clock)
    assert room.azure.split.percent_of("green") == 10
    assert_given_back(room)


def test_a_plan_without_hold_stable_raises_nothing(tmp_path: Path) -> None:
    room = room_of(tmp_path, plan=QUICK)
    room.to_the_end()
    assert Kind.RESERVING not in kinds(room)
    assert room.file.deployments["blue"] == DECLARED


def die(room: Room, point: int, until: Callable[[Room], bool]) -> None:
    room.crash_at = point
    with pytest.raises(Killed):
        room.until(lambda tick: until(room))


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("point", POINTS)
def test_raising_survives_a_kill_at_every_point(tmp_path: Path, point: int, place: str) -> None:
    room = room_of(tmp_path)
    die(room, point, lambda room: room.state.floor_settled)
    assert room.azure.split == BLUE
    PLACES[place](room)
    room.until(lambda tick: tick.state.floor_settled)
    assert room.azure.autoscale["blue"]["autoscale.min"] == 8
    room.assert_agreed()
    room.until(lambda tick: is_given_back(room))
    assert room.state.phase is Phase.DONE
    assert_given_back(room)


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("point", POINTS)
def test_a_rollout_that_was_killed_while_raising_and_is_rolled_back_gives_it_back(
    tmp_path: Path, point: int, place: str
) -> None:
    room = room_of(tmp_path)
    die(room, point, lambda room: room.state.floor_settled)
    PLACES[place](room)
    room.say(Kind.ROLLBACK_REQUESTED, by="ada", reason="no", outcome="rolled_back")
    run(room.controller, room.clock)
    assert room.azure.split == BLUE
    assert_given_back(room)


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("point", [22, 23, 24, 25, 26, 28, 29, 30])
@pytest.mark.parametrize("bad", [True, False])
def test_giving_back_survives_a_kill_at_every_point(tmp_path: Path, point: int, place: str, bad: bool) -> None:
    room = room_of(tmp_path, **({"bad": bad_at_50} if bad else {}))
    room.to_the_end()
    die(room, point, is_given_back)
    PLACES[place](room)
    run(room.controller, room.clock)
    assert room.state.phase is (Phase.ROLLED_BACK if bad else Phase.DONE)
    assert_given_back(room)


def test_an_edit_of_the_floor_during_the_rollout_is_drift_and_is_never_overwritten(room: Room) -> None:
    room.until(lambda tick: tick.state.step == 0)
    room.file.deployments["blue"]["autoscale.min"] = 5
    tick = room.tick()
    assert tick.exit_code is ExitCode.USAGE
    assert "autoscale.min is 5 and not 8 (before the rollout: 3)" in tick.text
    room.file.deployments["blue"]["autoscale.min"] = 8
    room.tick()
    assert room.state.held is None, "it goes on by itself when the edit is gone"
    room.until(lambda tick: is_given_back(room))
    assert_given_back(room)


def test_a_person_restores_an_edited_floor(room: Room) -> None:
    room.until(lambda tick: tick.state.step == 0)
    room.file.deployments["blue"]["autoscale.min"] = room.engine.deployments["blue"]["autoscale.min"] = 5
    room.azure.autoscale["blue"]["autoscale.min"] = 5
    room.remote.deployments = room.file.text()
    room.until(lambda tick: tick.state.held is not None)
    room.say(Kind.RESUMED, by="ada", reason="", drift="restore")
    room.until(lambda tick: tick.state.held is None)
    assert room.file.deployments["blue"] == RAISED
    assert room.azure.autoscale["blue"]["autoscale.min"] == 8
    room.until(lambda tick: is_given_back(room))
    assert_given_back(room)


def test_a_person_adopts_an_edited_floor_which_then_stays_after_the_end(room: Room) -> None:
    room.until(lambda tick: tick.state.step == 0)
    edited = {**RAISED, "autoscale.min": 9, "autoscale.default": 9, "instances": 9}
    room.file.deployments["blue"] = dict(edited)
    room.engine.deployments["blue"] = dict(edited)
    room.remote.deployments = room.file.text()
    room.until(lambda tick: tick.state.held is not None)
    room.say(Kind.RESUMED, by="ada", reason="", drift="adopt")
    room.to_the_end()
    assert room.state.reserved is None
    assert room.file.deployments["blue"] == edited


def test_what_was_edited_after_the_last_step_is_left_and_told(room: Room) -> None:
    room.to_the_end()
    room.file.deployments["blue"]["autoscale.min"] = 6
    room.remote.deployments = room.file.text()
    tick = run(room.controller, room.clock)
    assert tick.exit_code is ExitCode.DONE
    assert tick.text.startswith("not given back, because somebody else has edited it: ")
    assert "autoscale.min of blue stays 6 (before the rollout: 3)" in tick.text
    assert room.file.deployments["blue"]["autoscale.min"] == 6
    assert room.state.reserved is None


def test_a_floor_that_somebody_lowered_in_azure_holds_the_next_step(room: Room) -> None:
    room.until(lambda tick: tick.state.step == 0)
    room.azure.autoscale["blue"]["autoscale.min"] = 3
    tick = room.until(lambda tick: tick.state.held is not None)
    assert room.azure.split.percent_of("green") == 10
    assert "the autoscale setting of blue was changed in Azure: autoscale.min is 3" in tick.text
    assert room.state.held is not None
    assert room.state.held.kind is HoldKind.INCONCLUSIVE


def test_other_changes_of_the_stack_hold_before_the_floor_is_raised_in_azure(room: Room) -> None:
    room.engine.faults = ["pending"]
    tick = room.until(lambda tick: tick.state.held is not None)
    assert tick.exit_code is ExitCode.USAGE
    assert "update azure-native:insights:MetricAlert alert" in tick.text
    assert room.azure.autoscale["blue"]["autoscale.min"] == 3
    room.say(Kind.RESUMED, by="ada", reason="", drift="restore")
    room.until(lambda tick: is_given_back(room))
    assert_given_back(room)


def test_an_update_that_fails_is_tried_again_and_then_held(room: Room) -> None:
    room.engine.faults = ["500"] * 3
    tick = room.until(lambda tick: tick.state.held is not None, most=20)
    assert tick.exit_code is ExitCode.UNAVAILABLE
    assert "could not be raised 3 times" in tick.text
    room.say(Kind.RESUMED, by="ada", reason="", drift=None)
    room.until(lambda tick: is_given_back(room))
    assert_given_back(room)


def test_a_floor_that_cannot_be_given_back_ends_the_run_after_three_times_and_says_so(room: Room) -> None:
    room.to_the_end()
    room.engine.faults = ["500"] * 4
    tick = run(room.controller, room.clock)
    assert kinds(room).count(Kind.RESERVE_FAILED) == 3
    assert tick.exit_code is ExitCode.UNAVAILABLE
    assert "the floor of blue was not given back" in tick.text
    assert "sluice rollout step fraud-detection --stack prod" in tick.text
    failed = run(room.controller, room.clock)
    assert failed.exit_code is ExitCode.UNAVAILABLE, "one more time with each run"
    assert kinds(room).count(Kind.RESERVE_FAILED) == 3
    assert run(room.controller, room.clock).exit_code is ExitCode.DONE
    assert_given_back(room)


def test_a_remote_that_refuses_to_take_the_floor_back_ends_the_run_at_once(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = room.repository.publish

    def refuses(message: Message, *, patient: bool = True, edit: DeploymentEdit | None = None) -> None:
        if edit is not None:
            raise PushRefused("protected branch")
        publish(message, patient=patient)

    room.to_the_end()
    monkeypatch.setattr(room.repository, "publish", refuses)
    tick = run(room.controller, room.clock)
    assert tick.exit_code is ExitCode.USAGE
    assert room.file.deployments["blue"] == RAISED, "what is not committed is not changed"
    monkeypatch.undo()
    run(room.controller, room.clock)
    assert_given_back(room)


def test_a_floor_that_the_stack_file_cannot_take_holds_and_stops_no_way_back(room: Room) -> None:
    room.capacity.no_floor = "Pulumi.prod.yaml: autoscale is an anchor with an alias"
    room.until(lambda tick: tick.state.held is not None)
    assert room.azure.split == BLUE
    room.say(Kind.ROLLBACK_REQUESTED, by="ada", reason="no", outcome="rolled_back")
    assert room.to_the_end().state.phase is Phase.ROLLED_BACK


def test_a_floor_that_a_rollback_from_done_finds_raised_is_given_back_after_it(room: Room) -> None:
    room.to_the_end()
    room.say(Kind.ROLLBACK_REQUESTED, by="ada", reason="no", outcome="rolled_back")
    run(room.controller, room.clock)
    assert room.azure.split == BLUE
    assert room.state.phase is Phase.ROLLED_BACK
    assert_given_back(room)


def test_a_floor_is_not_raised_after_the_time_of_a_run_but_finished_if_it_was_begun(room: Room) -> None:
    room.until(lambda tick: tick.state.phase is Phase.RESERVE)
    room.limit(room.clock.now())
    tick = room.tick()
    assert (tick.exit_code, room.state.reserved) == (ExitCode.DONE, None)
    assert tick.text == "blue is to keep its instances; the time of this run is over, so the next run does it"
    room.boot()
    die(room, 21, lambda room: False)
    room.boot()
    room.limit(room.clock.now())
    room.tick()
    assert room.state.floor_settled
    assert room.file.deployments["blue"] == RAISED


def test_a_floor_is_not_given_back_after_the_time_of_a_run(room: Room) -> None:
    room.to_the_end()
    room.limit(room.clock.now())
    tick = room.tick()
    assert room.file.deployments["blue"] == RAISED
    assert (tick.exit_code, tick.state.reserve_failures) == (ExitCode.DONE, 0)
    assert tick.text == (
        "the floor of blue was not given back (autoscale.default 3 → 8, autoscale.min 3 → 8, instances 3 → 8): the "
        "time of this run is over, so the next run does it. `sluice rollout step fraud-detection --stack prod` tries "
        "again."
    )
    room.boot()
    room.until(lambda tick: is_given_back(room))
    assert_given_back(room)

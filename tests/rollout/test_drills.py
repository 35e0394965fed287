"""The table of drills on the pure core: how green behaves × what goes wrong × at which step.

The same cells run on the real engine with `make drills`. Each ends done or rolled back as it must, and afterwards
the stack file, Azure and the record say the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rollout.record.event import Kind
from rollout.record.state import HoldKind, Phase
from rollout.split import Split
from tests.rollout.record.rollouts import BLUE, GREEN
from tests.rollout.world import BadWhen, Room, good

pytestmark = pytest.mark.slow

BAD = 0.3


def bad_from_the_start(split: Split, age: int) -> float:
    return BAD


def bad_at_50(split: Split, age: int) -> float:
    return BAD if split.percent_of("green") >= 50 else 0.002


def bad_after_100(split: Split, age: int) -> float:
    return BAD if split.percent_of("green") == 100 and age >= 150 else 0.002


GREENS: dict[str, tuple[BadWhen, int]] = {
    "good": (good, 2),
    "bad from the start": (bad_from_the_start, 0),
    "bad at 50 %": (bad_at_50, 1),
    "bad after 100 %": (bad_after_100, 2),
}
"""How green behaves, and the last step that it reaches."""

ENGINE = ("429", "409", "500", "lost", "failed")
METRICS = ("late", "zero", "missing", "error")
FAULTS = ("none", *ENGINE, "late traffic", *METRICS, "autoscale")


def disturb(room: Room, fault: str) -> None:
    """Let the fault begin now."""
    if fault in ENGINE:
        room.engine.faults.append(fault)
    elif fault == "late traffic":
        room.azure.routing_lag = 45
    elif fault in METRICS:
        room.metrics.fault, room.metrics.fault_until = fault, room.clock.now() + 150
    elif fault == "autoscale":
        for name, deployment in room.azure.deployments.items():
            room.azure.deployments[name] = replace(deployment, instances=7, provisioning_state="Updating")


@pytest.mark.parametrize("step", range(3))
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("green", GREENS)
def test_a_rollout_ends_as_it_must(green: str, fault: str, step: int, tmp_path: Path) -> None:
    rate, reached = GREENS[green]
    room = Room(tmp_path, bad=rate)
    before = step - 1
    if before >= 0:
        room.until(lambda tick: tick.state.step == before or tick.state.is_over)
    disturb(room, fault)
    room.to_the_end()
    if green == "good":
        assert room.state.phase is Phase.DONE
        assert (room.azure.split, room.file.stable) == (GREEN, "green")
    else:
        assert room.state.phase is Phase.ROLLED_BACK
        assert (room.azure.split, room.file.stable) == (BLUE, "blue")
    assert max(tick.state.step for tick in room.ticks) == reached
    room.assert_agreed()


@pytest.mark.parametrize("fault", ENGINE)
@pytest.mark.parametrize("times", [1, 2, 3, 4])
def test_a_way_back_is_tried_three_times_and_then_breaks_glass(fault: str, times: int, tmp_path: Path) -> None:
    room = Room(tmp_path, bad=bad_at_50)
    room.until(lambda tick: tick.state.step == 1)
    room.engine.faults = [fault] * times
    room.to_the_end()
    assert room.state.phase is Phase.ROLLED_BACK
    assert room.azure.glass == (1 if times >= 3 else 0)
    room.assert_agreed()


def test_a_locked_backend_breaks_glass_at_once_and_reconciles_later(tmp_path: Path) -> None:
    room = Room(tmp_path, bad=bad_from_the_start)
    room.until(lambda tick: tick.state.step == 0)
    room.engine.faults = ["locked"] * 3
    broken = room.until(lambda tick: tick.state.broken_glass)
    assert room.azure.split == BLUE
    assert not broken.state.is_over
    room.to_the_end()
    assert room.azure.glass == 1
    room.assert_agreed()


def test_a_step_that_fails_three_times_is_held_until_a_person_resumes(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.engine.faults = ["500"] * 3
    held = room.until(lambda tick: tick.state.held is not None)
    assert held.state.held is not None
    assert held.state.held.kind is HoldKind.ENGINE
    assert held.exit_code == 4
    assert room.tick().exit_code == 4
    room.say(Kind.RESUMED, by="ada", reason="the backend is back", drift=None)
    room.to_the_end()
    assert room.state.phase is Phase.DONE
    room.assert_agreed()


@pytest.mark.parametrize("fault", ["missing", "error"])
def test_metrics_that_fail_four_times_hold_and_never_fail_the_colour(fault: str, tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.until(lambda tick: tick.state.step == 0)
    room.metrics.fault, room.metrics.fault_until = fault, room.clock.now() + 900
    codes = [room.tick().exit_code for _ in range(6)]
    assert codes == [0, 0, 0, 4, 4, 4]
    assert room.state.held is not None
    assert room.state.held.kind is HoldKind.METRICS
    assert room.azure.split.percent_of("green") == 10
    room.to_the_end()
    assert room.state.phase is Phase.DONE
    room.assert_agreed()


def delete_blue(room: Room) -> None:
    del room.azure.deployments["blue"]


def release_blue(room: Room) -> None:
    room.azure.deployments["blue"] = replace(room.azure.deployments["blue"], release="b2")


def edit_stable(room: Room) -> None:
    room.file.stable = "green"


OTHERS: dict[str, tuple[Callable[[Room], None], HoldKind, int]] = {
    "another client sets weights": (
        lambda room: room.azure.put(Split(traffic={"blue": 60, "green": 40}), by="bob"),
        HoldKind.DRIFT,
        2,
    ),
    "another client mirrors": (
        lambda room: room.azure.put(Split(traffic={"blue": 100}, mirror={"green": 20}), by="bob"),
        HoldKind.DRIFT,
        2,
    ),
    "a merge edits the file": (
        lambda room: room.file.write(Split(traffic={"blue": 30, "green": 70})),
        HoldKind.DRIFT,
        2,
    ),
    "a merge edits stable": (edit_stable, HoldKind.DRIFT, 2),
    "blue gets another release": (release_blue, HoldKind.DRIFT, 2),
    "blue is deleted": (delete_blue, HoldKind.NO_WAY_BACK, 1),
}


@pytest.mark.parametrize("case", OTHERS)
def test_what_others_change_holds_the_rollout(case: str, tmp_path: Path) -> None:
    change, kind, code = OTHERS[case]
    room = Room(tmp_path)
    room.until(lambda tick: tick.state.step == 0)
    change(room)
    split = room.azure.split
    tick = room.tick()
    assert tick.state.held is not None
    assert tick.state.held.kind is kind
    assert tick.exit_code == code
    room.tick()
    assert room.azure.split == split, "a hold changes nothing"


@pytest.mark.parametrize("how", ["deleted", "failed", "another release"])
def test_a_new_colour_that_is_gone_takes_the_weights_back(how: str, tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.until(lambda tick: tick.state.step == 1)
    green = room.azure.deployments["green"]
    if how == "deleted":
        del room.azure.deployments["green"]
    elif how == "failed":
        room.azure.deployments["green"] = replace(green, provisioning_state="Failed")
    else:
        room.azure.deployments["green"] = replace(green, release="g2")
    room.tick()
    assert room.state.phase is Phase.ROLLED_BACK
    assert room.azure.split == BLUE
    room.assert_agreed()


def test_an_undeclared_deployment_without_weight_is_no_drift(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.azure.deployments["teal"] = replace(room.azure.deployments["blue"], name="teal")
    room.to_the_end()
    assert room.state.phase is Phase.DONE


@pytest.mark.parametrize("answer", ["restore", "adopt"])
def test_a_person_answers_drift(answer: str, tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.until(lambda tick: tick.state.step == 0)
    room.azure.put(Split(traffic={"blue": 50, "green": 50}), by="bob")
    room.until(lambda tick: tick.state.held is not None)
    room.say(Kind.RESUMED, by="ada", reason="", drift=answer)
    room.tick()
    assert room.azure.split.percent_of("green") == (10 if answer == "restore" else 50)
    assert room.state.step == (0 if answer == "restore" else 1)
    room.to_the_end()
    assert room.state.phase is Phase.DONE
    room.assert_agreed()

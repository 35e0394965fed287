"""After the rollback window the old colour is scaled down or removed, once, unless it is needed again.

The crash points are those of `test_floor.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exit_codes import ExitCode
from rollout.record.event import Kind
from rollout.record.state import Phase
from rollout.split import Split
from rollout.tick.controller import Tick
from rollout_config import PlanSettings
from tests.rollout.record.rollouts import GREEN
from tests.rollout.test_floor import POINTS
from tests.rollout.world import QUICK, Killed, Room

SCALED = {"autoscale.min": 3, "autoscale.max": 10, "autoscale.default": 3}
DAY = 24 * 3600
PLACES: dict[str, Callable[[Room], None]] = {"in place": Room.boot, "from a fresh clone": Room.clone}


def done(folder: Path, how: str, blue: dict[str, int] | None = None) -> Room:
    """Green has taken over, and the window is over."""
    plan = PlanSettings.from_values({**QUICK.as_values(), "retire": how})
    deployments = {"blue": dict({"instances": 3} if blue is None else blue), "green": {"instances": 3}}
    room = Room(folder, plan=plan, deployments=deployments)
    room.to_the_end()
    assert room.state.phase is Phase.DONE
    room.clock.sleep(DAY)
    return room


def retired(room: Room) -> dict[str, Any]:
    (event,) = (event for event in room.journal.chain.events if event.kind is Kind.RETIRED)
    return dict(event.data)


def finished(room: Room) -> Tick:
    tick = room.until(lambda tick: tick.state.retired, most=20)
    room.assert_agreed()
    assert room.azure.split == GREEN
    return tick


def test_before_the_window_is_over_nothing_happens(tmp_path: Path) -> None:
    room = done(tmp_path, "remove")
    room.clock.time -= DAY
    room.tick()
    assert not room.state.retired
    assert "blue" in room.azure.deployments


def test_keep_changes_nothing(tmp_path: Path) -> None:
    room = done(tmp_path, "keep")
    finished(room)
    assert retired(room)["what"] == "kept"
    assert room.azure.deployments["blue"].instances == 3


@pytest.mark.parametrize(
    ("blue", "after"),
    [
        ({"instances": 3}, {"instances": 1}),
        ({}, {"instances": 1}),
        (SCALED, {**SCALED, "autoscale.min": 1, "autoscale.default": 1}),
    ],
)
def test_a_colour_is_scaled_down(tmp_path: Path, blue: dict[str, int], after: dict[str, int]) -> None:
    room = done(tmp_path, "scale_down", blue)
    finished(room)
    assert retired(room)["what"] == "scaled_down"
    assert room.file.deployments["blue"] == after
    if "instances" in after:
        assert room.azure.deployments["blue"].instances == 1
    else:
        assert room.azure.autoscale["blue"]["autoscale.min"] == 1


def test_a_colour_with_its_fewest_instances_is_scaled_down_already(tmp_path: Path) -> None:
    room = done(tmp_path, "scale_down", {"instances": 1})
    finished(room)
    assert Kind.RETIRING not in [event.kind for event in room.journal.chain.events]


def test_a_colour_whose_autoscale_the_stack_file_does_not_declare_is_left_with_a_reason(tmp_path: Path) -> None:
    room = done(tmp_path, "scale_down")
    room.azure.autoscale["blue"] = dict(SCALED)
    tick = room.tick()
    assert tick.exit_code is ExitCode.USAGE
    assert "its autoscale comes from its az ml file" in tick.text


@pytest.mark.parametrize("blue", [{"instances": 3}, SCALED])
def test_a_colour_is_removed(tmp_path: Path, blue: dict[str, int]) -> None:
    room = done(tmp_path, "remove", blue)
    room.engine.protected = {"blue"}
    finished(room)
    assert retired(room)["what"] == "removed"
    assert "blue" not in room.file.deployments
    assert "blue" not in room.azure.deployments
    assert "blue" not in room.azure.autoscale


def other_weights(room: Room) -> None:
    room.azure.put(Split(traffic={"blue": 30, "green": 70}), by="bob")


def other_release(room: Room) -> None:
    room.azure.deployments["blue"] = replace(room.azure.deployments["blue"], release="b2")


def stable_again(room: Room) -> None:
    room.file.stable = "blue"


@pytest.mark.parametrize("how", ["scale_down", "remove"])
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (other_weights, "it has weight again (blue 30 %, green 70 %)"),
        (other_release, "it has another release now"),
        (stable_again, "names it as stable"),
    ],
)
def test_a_colour_that_is_needed_again_is_kept(
    tmp_path: Path, how: str, change: Callable[[Room], None], why: str
) -> None:
    room = done(tmp_path, how)
    change(room)
    room.tick()
    assert retired(room)["what"] == "kept"
    assert why in retired(room)["reason"]
    assert room.azure.deployments["blue"].instances == 3
    assert room.file.deployments["blue"] == {"instances": 3}


def test_a_colour_that_is_gone_is_retired(tmp_path: Path) -> None:
    room = done(tmp_path, "remove")
    for deployments in (room.file.deployments, room.azure.deployments, room.engine.deployments):
        del deployments["blue"]  # type: ignore[attr-defined]  # three dictionaries
    room.remote.deployments = room.file.text()
    finished(room)
    assert retired(room)["what"] == "removed"


@pytest.mark.parametrize("how", ["scale_down", "remove"])
def test_a_colour_waits_while_other_changes_of_the_stack_are_pending(tmp_path: Path, how: str) -> None:
    room = done(tmp_path, how)
    room.engine.faults = ["pending"]
    tick = room.tick()
    assert tick.exit_code is ExitCode.USAGE
    assert "other changes of the stack are pending" in tick.text
    assert room.file.deployments["blue"] == {"instances": 3}
    finished(room)


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize(
    ("how", "blue"), [("scale_down", {"instances": 3}), ("scale_down", SCALED), ("remove", SCALED)]
)
def test_retiring_survives_a_kill_at_every_point(
    tmp_path: Path, how: str, blue: dict[str, int], point: int, place: str
) -> None:
    room = done(tmp_path, how, blue)
    room.crash_at = point
    with pytest.raises(Killed):
        finished(room)
    PLACES[place](room)
    if room.state.retired:  # 30: only the push is missing
        room.tick()
        room.assert_agreed()
    else:
        finished(room)
    assert retired(room)["what"] == ("removed" if how == "remove" else "scaled_down")
    assert ("blue" in room.azure.deployments) is (how != "remove")


def test_a_colour_is_not_retired_after_the_time_of_a_run_but_finished_if_it_was_begun(tmp_path: Path) -> None:
    room = done(tmp_path, "remove")
    room.limit(room.clock.now())
    tick = room.tick()
    assert (tick.exit_code, "blue" in room.azure.deployments) == (ExitCode.DONE, True)
    assert tick.text == "blue is to be retired (remove); the time of this run is over, so the next run does it"
    room.boot()
    room.crash_at = 21
    with pytest.raises(Killed):
        room.tick()
    room.boot()
    room.limit(room.clock.now())
    room.tick()
    finished(room)

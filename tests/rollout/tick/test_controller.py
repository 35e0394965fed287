"""Ticks of a rollout in a world of fakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_errors import UsageError
from endpoint_state import LiveDeployment
from exit_codes import ExitCode
from rollout.ports import Declared
from rollout.record.event import Kind
from rollout.record.state import HoldKind, Phase
from rollout.split import Split
from tests.rollout.record.rollouts import BLUE, GREEN
from tests.rollout.world import Room


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def bad(split: Split, age: int) -> float:
    return 0.3


def test_a_good_colour_gets_all_requests_and_becomes_stable(room: Room) -> None:
    tick = room.to_the_end()
    assert tick.exit_code is ExitCode.DONE
    assert tick.text == "green 100 %: every step has passed"
    assert room.state.phase is Phase.DONE
    assert room.azure.split == GREEN
    assert room.file.stable == "green"
    assert [split.percent_of("green") for split in room.file.writes] == [10, 50, 100, 100]
    room.assert_agreed()


def test_a_bad_colour_comes_back(tmp_path: Path) -> None:
    room = Room(tmp_path, bad=bad)
    tick = room.to_the_end()
    assert tick.exit_code is ExitCode.FAILED
    assert room.state.phase is Phase.ROLLED_BACK
    assert room.azure.split == BLUE
    assert room.file.stable == "blue"
    assert room.state.ended is not None
    assert "green" in room.state.ended.reason
    kinds = [event.kind for event in room.journal.chain.events]
    assert kinds[-4:] == [Kind.VERDICT, Kind.INTENT, Kind.APPLIED, Kind.ENDED]
    room.assert_agreed()


def test_drift_stops_forward_steps_and_is_told_once(room: Room) -> None:
    room.until(lambda tick: tick.state.step == 0)
    room.azure.put(Split(traffic={"blue": 60, "green": 40}), by="bob")
    for _ in range(3):
        tick = room.tick()
        assert tick.exit_code is ExitCode.USAGE
    told = [event for event in room.journal.chain.events if event.kind is Kind.DRIFT]
    assert len(told) == 1
    assert told[0].data["who"] == "bob"
    assert room.state.held is not None
    assert room.state.held.kind is HoldKind.DRIFT


def test_a_stack_file_that_cannot_be_read_stops_forward_steps_and_no_way_back(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable() -> Declared:
        raise UsageError("Pulumi.prod.yaml cannot be read: line 3. Correct it.")

    room.until(lambda tick: tick.state.step == 0)
    monkeypatch.setattr(room.file, "read", unreadable)
    tick = room.until(lambda tick: tick.state.held is not None)
    assert tick.exit_code is ExitCode.USAGE
    assert "Pulumi.prod.yaml cannot be read" in tick.text
    room.say(Kind.ROLLBACK_REQUESTED, by="ada", reason="no", outcome="rolled_back")
    room.to_the_end()
    assert room.azure.split == BLUE


def test_what_decides_nothing_is_noted_once(room: Room) -> None:
    room.azure.deployments["teal"] = LiveDeployment(name="teal", provisioning_state="Succeeded")
    room.to_the_end()
    assert room.state.phase is Phase.DONE
    notes = [event.data["text"] for event in room.journal.chain.events if event.kind is Kind.NOTED]
    assert len([text for text in notes if text.startswith("teal is in Azure at 0 %")]) == 1


def test_another_auth_mode_holds_the_rollout_until_it_is_put_back(tmp_path: Path) -> None:
    room = Room(tmp_path, auth_mode="aadtoken", identities=[])
    tick = room.until(lambda tick: tick.state.held is not None)
    assert tick.exit_code is ExitCode.USAGE
    assert "the endpoint's auth mode is key, at the start it was aadtoken" in tick.text
    room.azure.auth_mode = "aadtoken"
    assert room.to_the_end().exit_code is ExitCode.DONE

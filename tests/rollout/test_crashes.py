"""The controller is killed at each point of a change and goes on, in place and from a fresh clone of what was pushed.

The numbers are the crash points of a change: 1 before the intent, 2 in the middle of its line, 3 after it, 4 after the
stack file, 5 before the push, 6 after it, 7 before the PUT, 8 after Azure accepted, 10 after `up`, 11 after `applied`,
13 after a verdict, 14 in break-glass. (9, a failed operation, is a fault; 12, missing evidence, is every clone.)
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rollout.decision.order import Direction
from rollout.errors import BrokenRecord, ForeignRecord, PushUnanswered, RecordUnwritable
from rollout.ports import Message
from rollout.record.chain import Chain
from rollout.record.event import Kind
from rollout.record.journal import Journal
from rollout.record.state import HoldKind, Phase
from rollout.split import Split
from tests.rollout.record.rollouts import BLUE, GREEN, Story, write
from tests.rollout.test_drills import bad_at_50
from tests.rollout.world import Killed, Room, good

pytestmark = pytest.mark.slow

PLACES: dict[str, Callable[[Room], None]] = {"in place": Room.boot, "from a fresh clone": Room.clone}


def die(room: Room, point: int) -> None:
    """Tick until the controller is killed at this point."""
    room.crash_at = point
    with pytest.raises(Killed):
        room.to_the_end()


def intents(room: Room, direction: Direction) -> list[int]:
    """The steps of the intents that are in the record."""
    events = room.journal.chain.events
    kinds = [event for event in events if event.kind is Kind.INTENT and event.data["direction"] == direction]
    return [event.data["step"] for event in kinds]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("point", [1, 2, 3, 4, 5, 6, 7, 8, 10, 11])
@pytest.mark.parametrize("step", range(-1, 3))
def test_a_step_survives_a_kill_at_every_point(step: int, point: int, place: str, tmp_path: Path) -> None:
    room = Room(tmp_path)
    if step >= 0:
        room.until(lambda tick: tick.state.step == step)
    die(room, point)
    before = room.azure.split
    PLACES[place](room)
    tick = room.tick()
    assert tick.act is not None
    assert room.azure.split.percent_of("green") >= before.percent_of("green"), "a crash takes nothing back"
    room.to_the_end()
    assert (room.state.phase, room.azure.split, room.file.stable) == (Phase.DONE, GREEN, "green")
    assert sorted({split.percent_of("green") for split in room.file.writes} - {0}) == [10, 50, 100]
    room.assert_agreed()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("point", [1, 2, 3, 4, 7, 8, 10, 11])
def test_a_way_back_survives_a_kill_at_every_point(point: int, place: str, tmp_path: Path) -> None:
    room = Room(tmp_path, bad=bad_at_50)
    room.until(lambda tick: tick.state.step == 1)
    die(room, point)
    PLACES[place](room)
    room.to_the_end()
    assert (room.state.phase, room.azure.split, room.file.stable) == (Phase.ROLLED_BACK, BLUE, "blue")
    assert max(intents(room, Direction.FORWARD)) == 1
    room.assert_agreed()


@pytest.mark.parametrize("place", PLACES)
def test_a_kill_in_break_glass_is_reconciled(place: str, tmp_path: Path) -> None:
    room = Room(tmp_path, bad=bad_at_50)
    room.until(lambda tick: tick.state.step == 1)
    room.engine.faults = ["locked"]
    die(room, 14)
    assert room.azure.split == BLUE
    PLACES[place](room)
    room.to_the_end()
    assert (room.state.phase, room.azure.split, room.file.stable) == (Phase.ROLLED_BACK, BLUE, "blue")
    room.assert_agreed()


def test_after_a_verdict_the_way_back_comes_first(tmp_path: Path) -> None:
    room = Room(tmp_path, bad=bad_at_50)
    room.until(lambda tick: tick.state.step == 1)
    die(room, 1)
    assert room.journal.chain.events[-1].kind is Kind.VERDICT
    room.boot()
    room.metrics.error_rate = good
    room.azure.unreachable = True
    room.tick()
    assert room.azure.split == BLUE


def test_a_step_that_was_decided_before_a_crash_is_withdrawn_if_the_evidence_has_turned(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.until(lambda tick: tick.state.step == 0)
    die(room, 6)
    room.boot()
    room.metrics.fault, room.metrics.fault_until = "error", room.clock.now() + 40
    room.tick()
    kinds = [event.kind for event in room.journal.chain.events]
    assert kinds[-1] is Kind.WITHDRAWN
    assert room.file.split == room.azure.split
    room.to_the_end()
    assert room.state.phase is Phase.DONE
    room.assert_agreed()


def test_a_step_that_was_decided_before_a_crash_goes_back_if_it_fails_now(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.until(lambda tick: tick.state.step == 0)
    die(room, 6)
    room.boot()
    room.metrics.error_rate = lambda split, age: 0.3
    room.clock.sleep(300)
    room.to_the_end()
    assert (room.state.phase, room.azure.split) == (Phase.ROLLED_BACK, BLUE)
    room.assert_agreed()


def test_azure_that_has_something_else_is_drift_for_a_step_and_not_for_a_way_back(tmp_path: Path) -> None:
    forward, back = Room(tmp_path / "forward"), Room(tmp_path / "back", bad=bad_at_50)
    forward.until(lambda tick: tick.state.step == 0)
    back.until(lambda tick: tick.state.step == 1)
    for room in (forward, back):
        die(room, 7)
        room.azure.put(Split(traffic={"blue": 33, "green": 67}), by="bob")
        room.boot()
        room.tick()
    assert forward.state.held is not None
    assert forward.state.held.kind is HoldKind.DRIFT
    assert back.azure.split == BLUE


def test_an_update_that_azure_does_not_finish_is_tried_again_and_then_held(tmp_path: Path) -> None:
    room = Room(tmp_path)
    die(room, 7)
    room.azure.updating_until = room.clock.now() + 30 * 3600
    room.engine.faults = ["409"] * 3
    room.boot()
    tick = room.until(lambda tick: tick.state.held is not None, most=60)
    assert tick.at - room.state.spans[-1].since >= 20 * 60
    assert tick.exit_code == 4


def test_evidence_that_was_not_pushed_is_read_again(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.until(lambda tick: tick.evidence.requests_in_step >= 120)
    here = room.state
    room.clone()
    assert len(room.state.intervals) < len(here.intervals)
    room.tick(pause=0)
    assert room.state.intervals[: len(here.intervals)] == here.intervals
    assert room.ticks[-1].evidence.results == room.ticks[-2].evidence.results


def test_the_record_says_that_nothing_watched(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.until(lambda tick: tick.state.step == 0)
    room.clock.sleep(3 * 3600 + 60)
    room.boot()
    room.tick()
    notes = [event.data["text"] for event in room.journal.chain.events if event.kind is Kind.NOTED]
    assert notes == ["unwatched for 3 h"]
    assert room.state.step == 1, "no evidence is lost"


def test_of_two_runners_one_moves_and_the_other_exits_3(tmp_path: Path) -> None:
    one = Room(tmp_path / "one")
    two = Room(tmp_path / "two", azure=one.azure, remote=one.remote)
    decided: list[int] = []

    def race() -> None:
        """The other runner decides the same step at the same time, and its push arrives first."""
        if not decided:
            decided.append(1)
            one.until(lambda tick: tick.state.step == 0)

    publish = two.repository.publish

    def late(message: Message, *, patient: bool = True) -> None:
        race()
        publish(message, patient=patient)

    two.repository.publish = late  # type: ignore[method-assign]  # the moment between fetch and push
    tick = two.until(lambda tick: bool(decided))
    assert tick.exit_code == 3
    assert two.engine.ups == 0
    assert one.azure.split.percent_of("green") == 10
    two.until(lambda tick: tick.state.step >= 0)
    two.to_the_end()
    two.assert_agreed()


def test_an_approval_that_was_pushed_meanwhile_is_taken_over(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.until(lambda tick: tick.state.step == 0)
    room.tick()
    elsewhere = tmp_path / "elsewhere.jsonl"
    elsewhere.write_bytes(room.remote.record)
    Journal(Chain(elsewhere), room.clock).append(Kind.PAUSED, {"by": "eve", "reason": "wait for the release notes"})
    room.remote.record = elsewhere.read_bytes()
    tick = room.tick()
    assert tick.state.paused == "eve: wait for the release notes"
    assert tick.exit_code == 3


def test_a_fetch_that_fails_stops_steps_and_not_the_way_back(tmp_path: Path) -> None:
    def fails() -> str | None:
        raise PushUnanswered("the remote did not answer")

    room = Room(tmp_path)
    room.repository.sync = fails  # type: ignore[method-assign]  # the fault
    codes = [room.tick().exit_code for _ in range(4)]
    assert 4 in codes
    assert room.azure.split == BLUE
    bad = Room(tmp_path / "bad", bad=bad_at_50)
    bad.until(lambda tick: tick.state.step == 1)
    bad.repository.sync = fails  # type: ignore[method-assign]  # the fault
    bad.until(lambda tick: tick.state.phase is Phase.ROLLED_BACK)
    assert bad.azure.split == BLUE


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)


def test_a_full_disk_stops_a_step_before_the_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(tmp_path)
    room.until(lambda tick: tick.state.step == 0)
    writes = len(room.file.writes)
    full_disk(monkeypatch)
    with pytest.raises(RecordUnwritable, match="No space left on device"):
        room.to_the_end()
    assert len(room.file.writes) == writes
    assert room.azure.split.percent_of("green") == 10
    monkeypatch.undo()
    room.to_the_end()
    assert room.state.phase is Phase.DONE
    room.assert_agreed()


def test_a_full_disk_does_not_stop_the_way_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(tmp_path, bad=bad_at_50)
    room.until(lambda tick: tick.state.step == 1)
    full_disk(monkeypatch)
    tick = room.to_the_end()
    assert room.azure.split == BLUE == room.file.split
    assert "NOT IN THE RECORD" in tick.text


def edited(path: Path) -> None:
    path.write_text(path.read_text().replace("every gate passes", "every gate passed"))


def cut(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:-3], lines[-1]]))


BREAKS: dict[str, Callable[[Path], None]] = {"edited": edited, "cut out": cut, "missing": Path.unlink}


@pytest.mark.parametrize("how", BREAKS)
def test_a_broken_record_stops_steps_and_not_the_way_back(how: str, tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.until(lambda tick: tick.state.step == 1)
    room.repository.sync = lambda: None  # type: ignore[method-assign]  # without --push
    BREAKS[how](room.path)
    with pytest.raises(BrokenRecord, match="git checkout"):
        room.until(lambda tick: tick.state.step == 2)
    assert room.azure.split.percent_of("green") == 50
    data = {"by": "ada", "reason": "the record is broken", "outcome": "rolled_back"}
    room.journal.note(Kind.ROLLBACK_REQUESTED, data)
    tick = room.to_the_end()
    assert room.azure.split == BLUE == room.file.split
    assert "NOT IN THE RECORD" in tick.text


def test_the_record_of_another_stack_in_its_place_is_refused(tmp_path: Path) -> None:
    room = Room(tmp_path)
    write(room.path, Story(stack="dev").events)
    with pytest.raises(ForeignRecord, match="stack 'dev'"):
        room.tick()
    assert room.azure.split == BLUE

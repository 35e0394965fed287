"""Ticks until the end, until a person is needed, for a time, or until Ctrl-C."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from command_errors import UsageError
from exit_codes import ExitCode
from rollout.decision.acts import Wait
from rollout.record.event import Kind
from rollout.record.state import HoldKind, Phase
from rollout.split import Split
from rollout.tick.controller import Tick
from rollout.tick.runner import pause_after, run
from rollout_config import PlanSettings
from tests.rollout.record.rollouts import BLUE
from tests.rollout.world import QUICK, Room


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def kinds(room: Room) -> list[Kind]:
    return [event.kind for event in room.journal.chain.events]


def test_a_run_goes_to_the_end(room: Room) -> None:
    tick = run(room.controller, room.clock)
    assert tick.exit_code is ExitCode.DONE
    assert room.state.phase is Phase.DONE
    room.assert_agreed()


def test_a_run_ends_where_a_person_is_needed(tmp_path: Path) -> None:
    steps = [{"weight": 10, "bake": "4m"}, {"weight": 100, "bake": "4m", "approve": True}]
    room = Room(tmp_path, plan=PlanSettings.from_values({**QUICK.as_values(), "steps": steps}))
    tick = run(room.controller, room.clock)
    assert tick.exit_code is ExitCode.WAITING
    assert room.state.approval_requested == {1}
    room.say(Kind.APPROVED, by="eve", reason="", run=None, step=1, unreviewed=False)
    assert run(room.controller, room.clock).exit_code is ExitCode.DONE


def test_a_run_waits_for_holds_that_pass_and_ends_at_the_deadline(room: Room) -> None:
    room.until(lambda tick: tick.state.step == 0)
    room.metrics.shared_error_rate = 0.3
    room.metrics.error_rate = lambda split, age: 0.3
    begun = room.clock.now()
    tick = run(room.controller, room.clock)
    assert tick.state.held is not None
    assert tick.state.held.kind is HoldKind.INCIDENT
    assert tick.exit_code is ExitCode.WAITING
    assert room.clock.now() - begun > 20 * 60


def test_zero_seconds_are_one_tick(room: Room) -> None:
    ticks: list[Tick] = []
    run(room.controller, room.clock, seconds=0, watch=ticks.append)
    assert len(ticks) == 1


def test_a_run_for_a_time_does_not_take_longer(room: Room) -> None:
    begun = room.clock.now()
    tick = run(room.controller, room.clock, seconds=200)
    assert 200 <= room.clock.now() - begun < 230
    assert tick.exit_code is ExitCode.DONE
    assert not tick.state.is_over


@pytest.mark.parametrize(("grain", "pause"), [(1, 1), (10, 10), (60, 30), (300, 30)])
def test_a_tick_follows_every_interval_and_at_the_latest_after_half_a_minute(
    grain: int, pause: int, room: Room
) -> None:
    tick = room.until(lambda tick: isinstance(tick.act, Wait))
    assert pause_after(replace(tick, state=replace(tick.state, grain_seconds=grain))) == pause


def test_after_a_change_the_next_tick_follows_at_once(room: Room) -> None:
    assert pause_after(room.until(lambda tick: tick.state.step == 0)) == 0


def test_a_run_ends_at_drift(room: Room) -> None:
    room.until(lambda tick: tick.state.step == 0)
    room.azure.put(Split(traffic={"blue": 60, "green": 40}), by="bob")
    assert run(room.controller, room.clock).exit_code is ExitCode.USAGE


def test_a_way_back_ends_when_file_and_state_cannot_follow(room: Room) -> None:
    room.until(lambda tick: tick.state.step == 0)
    room.say(Kind.ROLLBACK_REQUESTED, by="ada", reason="", outcome="rolled_back", keep_weights=False)
    room.locks.until = room.clock.now() + 10**9
    tick = run(room.controller, room.clock)
    assert (room.azure.split, tick.exit_code) == (BLUE, ExitCode.UNAVAILABLE)
    assert tick.text.startswith("Azure has blue 100 %; the stack file and Pulumi's state have yet to follow: ")
    assert tick.text.endswith("finish it with `sluice rollout step fraud-detection --stack prod`.")
    attempts = kinds(room).count(Kind.ATTEMPT)
    assert run(room.controller, room.clock, seconds=0).exit_code is ExitCode.UNAVAILABLE
    assert kinds(room).count(Kind.ATTEMPT) == attempts, "a later try adds no line"
    room.locks.until = 0
    assert run(room.controller, room.clock, seconds=0).state.phase is Phase.ROLLED_BACK
    room.assert_agreed()


def test_a_way_back_goes_on_when_the_engine_is_back_in_time(room: Room) -> None:
    room.until(lambda tick: tick.state.step == 0)
    room.say(Kind.ROLLBACK_REQUESTED, by="ada", reason="", outcome="rolled_back", keep_weights=False)
    room.locks.until = room.clock.now() + 10**9

    def repair(tick: Tick) -> None:
        if room.state.open_intent is not None and room.state.open_intent.attempts == 2:
            room.locks.until = 0

    assert run(room.controller, room.clock, watch=repair).state.phase is Phase.ROLLED_BACK
    room.assert_agreed()


def test_a_way_back_to_a_colour_that_is_gone_ends_and_asks_for_other_weights(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(split: Split) -> None:
        raise UsageError("the endpoint has no deployment blue any more.")

    room.until(lambda tick: tick.state.step == 0)
    room.say(Kind.ROLLBACK_REQUESTED, by="ada", reason="", outcome="rolled_back", keep_weights=False)
    room.locks.until = room.clock.now() + 10**9
    monkeypatch.setattr(room.azure, "set_split", gone)
    tick = run(room.controller, room.clock)
    assert tick.exit_code is ExitCode.USAGE
    assert "blue 100 % cannot be set: the endpoint has no deployment blue any more." in tick.text


@pytest.mark.parametrize("hold", ["approval", "paused", "drift"])
def test_a_way_back_waits_for_nobody(hold: str, room: Room) -> None:
    room.until(lambda tick: tick.state.step == 0)
    if hold == "paused":
        room.say(Kind.PAUSED, by="ada", reason="")
    else:
        room.say(Kind.HELD, hold=hold, reason="a person is needed")
    room.say(Kind.ROLLBACK_REQUESTED, by="ada", reason="", outcome="rolled_back", keep_weights=False)
    room.azure.unreachable = True
    ticks: list[Tick] = []

    def repair(tick: Tick) -> None:
        ticks.append(tick)
        room.azure.unreachable = len(ticks) < 3

    assert run(room.controller, room.clock, watch=repair).state.phase is Phase.ROLLED_BACK
    assert ticks[0].state.held is None
    assert len(ticks) >= 3
    room.assert_agreed()


def test_ctrl_c_ends_a_run_between_two_writes_and_says_how_to_go_on(room: Room) -> None:
    def press(tick: Tick) -> None:
        if tick.state.step == 0:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    tick = run(room.controller, room.clock, watch=press)
    assert "Stopped between two writes; the weights stay at blue 90 %, green 10 %" in tick.text
    assert "sluice rollout run fraud-detection --stack prod" in tick.text
    assert room.state.open_intent is None
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_in_a_pause_ends_it_at_once(room: Room) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 8:
            os.kill(os.getpid(), signal.SIGINT)
        room.clock.time += max(1, round(seconds))

    room.clock.sleep = sleep  # type: ignore[method-assign]  # the moment of the key
    tick = run(room.controller, room.clock)
    assert "Stopped between two writes" in tick.text


def test_a_runner_that_leaves_pushes_what_it_wrote_so_that_the_next_one_knows_it_was_watched(room: Room) -> None:
    room.metrics.rpm = 60
    run(room.controller, room.clock, seconds=20 * 60)
    assert room.remote.record == room.path.read_bytes()
    room.clone()
    run(room.controller, room.clock, seconds=0)
    assert not [event for event in room.journal.chain.events if event.kind is Kind.NOTED]


def test_runs_of_a_single_tick_send_the_counted_requests_once(tmp_path: Path) -> None:
    """Each is a fresh clone, as a run of a pipeline is: what it writes must reach the next one."""
    room = Room(tmp_path, plan=PlanSettings.from_values({**QUICK.as_values(), "verify": True}))
    for _ in range(3):
        run(room.controller, room.clock, seconds=0)
        room.clone()
        room.clock.time += 120
    assert kinds(room).count(Kind.PROBED) == 1
    assert kinds(room).count(Kind.VERIFIED) == 1


def test_a_runner_that_leaves_soon_after_a_push_adds_no_commit(room: Room) -> None:
    room.until(lambda tick: tick.state.step == 0)
    pushed = room.remote.record
    run(room.controller, room.clock, seconds=150)
    assert room.remote.record == pushed

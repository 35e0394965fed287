"""Break-glass: weights without the engine, kept against an update that still runs, then file and state follow."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_errors import UnavailableError, UsageError
from exit_codes import ExitCode
from rollout.change.attempt import opened
from rollout.decision.order import Ending, Intent
from rollout.errors import EngineUnavailable, PushUnanswered
from tests.rollout.change.world import BACK, CLOSING, TEN, World
from tests.rollout.record.rollouts import BLUE


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Green has 10 %, and the engine cannot be reached."""
    world = World(tmp_path)
    world.ready_to_go_back()
    world.engine.errors = [EngineUnavailable("no backend")]
    return world


def intent_of(world: World) -> Intent:
    changed = world.change.make(world.record, BACK, CLOSING)
    assert changed.needs_break_glass
    intent = world.record.state.open_intent
    assert intent is not None
    return intent


def test_weights_are_put_read_twice_and_recorded(world: World) -> None:
    intent = intent_of(world)
    before = world.clock.time
    changed = world.change.break_glass(world.record, intent, CLOSING)
    assert (changed.ending, changed.reason) == (Ending.APPLIED, "")
    assert world.azure.puts == [BLUE]
    assert world.clock.time - before >= 30
    assert world.kinds()[2:] == ["intent", "attempt", "break_glass"]
    assert world.record.state.broken_glass
    assert world.record.state.weights == world.file.lines().split == BLUE


def test_reconciling_lets_file_and_state_follow_until_the_preview_is_empty(world: World) -> None:
    intent = intent_of(world)
    world.change.break_glass(world.record, intent, CLOSING)
    world.engine.errors = [EngineUnavailable("no backend")]
    changed = world.change.reconcile(world.record, intent, CLOSING)
    assert (changed.ending, changed.exit_code) == (Ending.OPEN, ExitCode.UNAVAILABLE)
    assert world.engine.state == TEN, "the state is behind"
    changed = world.change.reconcile(world.record, intent, CLOSING)
    assert changed.ending is Ending.APPLIED
    assert world.kinds()[2:] == ["intent", "attempt", "break_glass", "attempt", "reconciled", "ended"]
    assert not world.record.state.broken_glass
    world.require_settled(BLUE)


def test_an_update_that_still_runs_does_not_win(world: World) -> None:
    intent = intent_of(world)
    world.locks.living = "ada@ci, process 7"

    def update_ends() -> None:
        world.azure.split = TEN
        world.locks.living = None

    world.clock.at = [(world.clock.time + 90, update_ends)]
    changed = world.change.break_glass(world.record, intent, CLOSING)
    assert (changed.ending, changed.reason) == (Ending.APPLIED, "")
    assert world.azure.puts == [BLUE, BLUE]
    assert world.azure.split == BLUE
    assert any("waiting for the engine's lock" in text and "process 7" in text for text in world.said)


def test_a_lock_that_never_goes_is_named(world: World) -> None:
    intent = intent_of(world)
    world.locks.living = "ada@ci, process 7"
    changed = world.change.break_glass(world.record, intent, CLOSING)
    assert (changed.ending, changed.reason) == (Ending.APPLIED, "the engine is still locked: ada@ci, process 7")


def test_a_backend_that_does_not_show_its_lock_stops_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable() -> str | None:
        raise UnavailableError("the container of the backend does not answer")

    intent = intent_of(world)
    monkeypatch.setattr(world.locks, "holder", unreachable)
    assert world.change.break_glass(world.record, intent, CLOSING).ending is Ending.APPLIED
    assert "the engine's lock cannot be read: the container of the backend does not answer" in world.said


def test_azure_is_tried_while_another_operation_runs(world: World) -> None:
    intent = intent_of(world)
    world.azure.put_errors = [UnavailableError("409: another operation is in progress")] * 3
    assert world.change.break_glass(world.record, intent, CLOSING).ending is Ending.APPLIED
    assert [text for text in world.said if "409" in text] == [
        "Azure did not take the weights yet, trying on: 409: another operation is in progress"
    ]


def test_azure_that_does_not_answer_leaves_the_intent_open(world: World) -> None:
    intent = intent_of(world)
    world.azure.put_errors = [UnavailableError("Azure does not answer")] * 999
    changed = world.change.break_glass(world.record, intent, CLOSING)
    assert (changed.ending, changed.exit_code) == (Ending.OPEN, ExitCode.UNAVAILABLE)
    assert world.record.state.open_intent is not None


def test_weights_that_azure_can_never_take_need_a_person(world: World) -> None:
    intent = intent_of(world)
    world.azure.put_errors = [UsageError("fraud-detection-prod has no deployment blue any more.")]
    changed = world.change.break_glass(world.record, intent, CLOSING)
    assert (changed.ending, changed.exit_code) == (Ending.OPEN, ExitCode.USAGE)
    assert changed.reason.startswith("blue 100 % cannot be set: fraud-detection-prod has no deployment blue any more.")
    assert "sluice rollout rollback fraud-detection --stack prod --to " in changed.reason
    assert world.clock.now() < intent.at + 60, "it is not tried again and again"


def test_another_client_that_keeps_setting_weights_is_reported(world: World) -> None:
    intent = intent_of(world)
    put = world.azure.set_split

    def undone(split: object) -> None:
        put(BLUE)
        world.azure.split = TEN

    world.azure.set_split = undone  # type: ignore[method-assign, assignment]  # a fake
    changed = world.change.break_glass(world.record, intent, CLOSING)
    assert changed.ending is Ending.OPEN
    assert "another client sets others each time" in changed.reason


def test_a_file_or_a_remote_that_fails_does_not_stop_it(world: World) -> None:
    intent = intent_of(world)
    world.file.path.unlink()
    changed = world.change.break_glass(world.record, intent, CLOSING)
    assert changed.ending is Ending.APPLIED
    assert "there is no stack file" in changed.reason


def test_a_push_that_fails_does_not_stop_it_either(world: World) -> None:
    intent = intent_of(world)
    world.remote.answers = [PushUnanswered("no route")]
    changed = world.change.break_glass(world.record, intent, CLOSING)
    assert (changed.ending, changed.reason) == (Ending.APPLIED, "no route")


def test_a_second_intent_back_replaces_the_first(world: World) -> None:
    intent_of(world)
    again = opened(world.record, BACK)
    assert world.change.resume(world.record, again, CLOSING).ending is Ending.APPLIED
    world.require_settled(BLUE)

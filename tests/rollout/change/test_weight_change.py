"""One change of weights: its order of events, what stops it, and what is true after a kill at any point."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_errors import UnavailableError, UsageError
from exit_codes import ExitCode
from rollout.decision.order import Direction, Ending, Order
from rollout.decision.order import Outcome as RolloutOutcome
from rollout.errors import EngineLocked, EngineRefused, EngineUnavailable, Overtaken, PushRefused, PushUnanswered
from rollout.events import ENDPOINT_TYPE
from rollout.ports import Message
from rollout.record.chain import Chain
from rollout.record.event import Kind
from rollout.record.lock import endpoint_lock
from rollout.split import Split
from tests.rollout.change.world import BACK, CLOSING, FORWARD, STACK, TEN, Killed, World, failed, update
from tests.rollout.record.rollouts import BLUE, GREEN, T0, started

TARGET = ("urn:pulumi:prod::sluice::**azure-native:machinelearningservices:OnlineEndpoint::fraud-detection-endpoint",)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def at_ten(world: World) -> World:
    """Green has 10 %."""
    world.ready_to_go_back()
    return world


# Forward


def test_a_step_forward_is_pushed_previewed_applied_and_read_twice(world: World) -> None:
    changed = world.change.make(world.record, FORWARD, None, {"read": 1.5, "decide": 0.001})
    assert (changed.ending, changed.reason) == (Ending.APPLIED, "")
    assert world.kinds() == ["intent", "applied"]
    assert world.engine.calls == [("preview", False, ()), ("up", False, TARGET)]
    assert world.remote.subjects == [
        "rollout(fraud-detection): green 0 → 10 % in prod",
        "rollout(fraud-detection): blue 90 %, green 10 % in prod",
    ]
    parts = {"read", "decide", "write", "publish", "preview", "up", "verify"}
    applied = world.record.chain.events[-1].data
    assert applied["seconds"].keys() == set(changed.seconds or ()) == parts
    assert applied["update"] == "prod-1795867200000000000"
    world.require_settled(TEN)


def test_the_last_write_moves_stable_and_ends_the_rollout_in_the_same_commit(world: World) -> None:
    world.azure.split = world.engine.state = GREEN
    world.file.write(GREEN)
    order = Order(
        start=GREEN,
        to=GREEN,
        direction=Direction.FORWARD,
        step=2,
        why="baked",
        outcome=RolloutOutcome.DONE,
        stable="green",
    )
    changed = world.change.make(world.record, order, {**CLOSING, "outcome": "done"})
    assert changed.ending is Ending.APPLIED
    assert world.kinds() == ["intent", "applied", "ended"]
    assert world.file.lines().stable == "green"
    calls = [("preview", False, ()), ("preview", False, ()), ("up", False, ())]
    assert world.engine.calls == calls, "Azure has the weights; the last update only moves protection"
    assert world.remote.subjects == [
        "rollout(fraud-detection): green becomes stable in prod",
        "rollout(fraud-detection): done, green is stable",
    ]
    world.require_settled(GREEN)


def test_other_changes_of_the_stack_never_ride_along(world: World) -> None:
    world.engine.pending = (update("azure-native:keyvault:Vault", "vault"),)
    changed = world.change.make(world.record, FORWARD, None)
    assert (changed.ending, changed.exit_code) == (Ending.WITHDRAWN, ExitCode.USAGE)
    assert changed.pending == ("update azure-native:keyvault:Vault vault [tags]",)
    assert world.kinds() == ["intent", "withdrawn"]
    assert world.file.path.read_text() == STACK.replace("blue: 100", "blue: 100, green: 0")
    assert "up" not in [call[0] for call in world.engine.calls]
    world.engine.pending = ()
    world.require_settled(BLUE)


def test_a_preview_with_other_weights_is_withdrawn(world: World) -> None:
    world.engine.declared = lambda: Split(traffic={"blue": 50, "green": 50})
    changed = world.change.make(world.record, FORWARD, None)
    assert changed.pending == ("other weights than blue 90 %, green 10 %",)


def credit_score(world: World, *, of: Split) -> None:
    """Another endpoint of the stack, whose record has an open change, and what the preview shows of it."""
    place = {"endpoint": "credit-score", "endpoint_id": "/subscriptions/0/onlineEndpoints/credit-score-prod-1"}
    chain = Chain(world.folder / "rollouts/prod/credit-score/20261127T140000Z-green.jsonl")
    chain.append(Kind.STARTED, {**started(), **place}, T0)
    chain.append(Kind.INTENT, FORWARD.as_values(), T0)
    inputs = {"endpointName": "credit-score-prod-1", "properties": {"traffic": dict(of.traffic)}}
    world.engine.pending = (update(ENDPOINT_TYPE, "credit-score-endpoint", ("properties.traffic.green",), inputs),)


def test_an_open_change_of_another_endpoint_stops_no_step_and_does_not_ride_along(world: World) -> None:
    credit_score(world, of=TEN)
    changed = world.change.make(world.record, FORWARD, None)
    assert changed.ending is Ending.APPLIED
    assert world.engine.calls[-1] == ("up", False, TARGET)
    assert any("an open change of another endpoint's rollout" in said for said in world.said)
    assert world.azure.split == TEN


def test_weights_of_another_endpoint_that_no_record_explains_stop_a_step(world: World) -> None:
    credit_score(world, of=GREEN)
    changed = world.change.make(world.record, FORWARD, None)
    assert changed.ending is Ending.WITHDRAWN
    assert len(changed.pending) == 1
    assert world.azure.split == BLUE
    assert world.azure.split == BLUE


@pytest.mark.parametrize(
    ("error", "ending", "exit_code", "kinds"),
    [
        (PushRefused("protected"), Ending.REFUSED, 2, ["intent", "withdrawn"]),
        (UsageError("staged edits"), Ending.REFUSED, 2, ["intent", "withdrawn"]),
        (UnavailableError("index.lock exists"), Ending.WITHDRAWN, 4, ["intent", "withdrawn"]),
        (PushUnanswered("no route"), Ending.OPEN, 4, ["intent", "attempt"]),
        (Overtaken("another runner"), Ending.OVERTAKEN, 3, ["intent"]),
    ],
)
def test_what_git_answers_decides_before_anything_changes(
    world: World, error: Exception, ending: Ending, exit_code: int, kinds: list[str]
) -> None:
    world.remote.answers = [error]
    changed = world.change.make(world.record, FORWARD, None)
    assert (changed.ending, changed.exit_code) == (ending, exit_code)
    assert str(error) in changed.reason
    assert world.kinds() == kinds
    assert world.azure.split == BLUE
    assert world.engine.calls == []
    if ending in (Ending.REFUSED, Ending.WITHDRAWN):
        assert world.file.lines().split == BLUE


def test_a_program_that_refuses_is_withdrawn_with_its_words(world: World) -> None:
    world.engine.errors = [EngineRefused("green must be 0 for now")]
    changed = world.change.make(world.record, FORWARD, None)
    assert (changed.ending, changed.exit_code) == (Ending.REFUSED, ExitCode.USAGE)
    assert "green must be 0 for now" in changed.reason
    world.require_settled(BLUE)


def test_a_file_that_cannot_be_edited_stops_before_git(world: World) -> None:
    world.file.path.write_text(STACK.replace("{stable", "&a {stable") + "    other: *a\n")
    changed = world.change.make(world.record, FORWARD, None)
    assert (changed.ending, changed.exit_code) == (Ending.REFUSED, ExitCode.USAGE)
    assert "is an anchor with an alias" in changed.reason
    assert world.remote.subjects == []


def test_a_failed_update_stays_open_and_is_carried_out_later(world: World) -> None:
    calls = world.engine.up
    world.engine.up = lambda **options: (_ for _ in ()).throw(failed())  # type: ignore[method-assign]  # a fake
    changed = world.change.make(world.record, FORWARD, None)
    assert (changed.ending, changed.exit_code, changed.needs_break_glass) == (Ending.OPEN, ExitCode.UNAVAILABLE, False)
    assert world.kinds() == ["intent", "attempt"]
    world.engine.up = calls  # type: ignore[method-assign]  # the fake is over
    changed = world.finish(FORWARD, None) or changed
    assert changed.ending is Ending.APPLIED
    assert world.kinds() == ["intent", "attempt", "applied"]
    world.require_settled(TEN)


def test_an_update_that_azure_does_not_show_is_not_applied(world: World) -> None:
    world.azure.state = "Updating"
    changed = world.change.make(world.record, FORWARD, None)
    assert changed.ending is Ending.OPEN
    assert "Azure does not have blue 90 %, green 10 %" in changed.reason
    world.azure.state = "Succeeded"
    assert world.finish(FORWARD, None)
    world.require_settled(TEN)


def test_a_reading_that_fails_is_repeated(world: World) -> None:
    world.azure.errors = [UnavailableError("Azure does not answer")]
    assert world.change.make(world.record, FORWARD, None).ending is Ending.APPLIED
    assert "Azure does not answer" in world.said


def test_drift_is_restored_though_the_engine_sees_no_change(world: World) -> None:
    world.azure.split = Split(traffic={"green": 100})
    order = Order(start=world.azure.split, to=BLUE, direction=Direction.RESTORE, step=-1, why="restored by Ada")
    assert world.change.make(world.record, order, None).ending is Ending.APPLIED
    assert world.engine.calls == [("preview", False, ()), ("up", True, TARGET)]
    world.require_settled(BLUE)


def test_an_event_of_another_runner_after_the_intent_keeps_the_change(world: World) -> None:
    def paused() -> None:
        world.path.write_bytes(world.remote.record)
        other = type(world.record)(world.path, world.clock, lambda name: None)
        other.append(Kind.PAUSED, {"by": "Bea", "reason": "lunch"})
        world.remote.record = world.path.read_bytes()
        raise Overtaken("another runner")

    world.remote.answers = [lambda: None, paused]
    assert world.change.make(world.record, FORWARD, None).ending is Ending.APPLIED
    assert world.kinds() == ["intent", "paused", "applied"]
    world.require_settled(TEN)


def test_a_change_that_another_runner_took_back_is_not_said_to_be_applied(world: World) -> None:
    def rolled_back() -> None:
        world.path.write_bytes(world.remote.record)
        other = type(world.record)(world.path, world.clock, lambda name: None)
        other.append(Kind.INTENT, BACK.as_values())
        raise Overtaken("another runner")

    world.remote.answers = [lambda: None, rolled_back]
    changed = world.change.make(world.record, FORWARD, None)
    assert (changed.ending, changed.exit_code) == (Ending.OVERTAKEN, ExitCode.WAITING)
    assert world.kinds() == ["intent", "intent"]


def test_a_step_whose_engine_gets_no_login_is_tried_again_later(world: World) -> None:
    world.engine.errors = [UnavailableError("no ID token")]
    changed = world.change.make(world.record, FORWARD, None)
    assert (changed.ending, changed.exit_code) == (Ending.OPEN, ExitCode.UNAVAILABLE)
    assert world.kinds() == ["intent", "attempt"]
    assert world.azure.split == BLUE


# Back


def test_a_way_back_waits_for_neither_push_nor_preview(at_ten: World) -> None:
    at_ten.engine.pending = (update("azure-native:keyvault:Vault", "vault"),)
    changed = at_ten.change.make(at_ten.record, BACK, CLOSING)
    assert (changed.ending, changed.reason) == (Ending.APPLIED, "")
    assert at_ten.engine.calls == [("up", False, TARGET), ("preview", False, ())]
    assert at_ten.said[-1] == "the stack file declares other changes too: run `pulumi up --stack prod`."
    assert at_ten.kinds()[2:] == ["intent", "applied", "ended"]
    assert at_ten.remote.patience == [False, True]
    assert at_ten.remote.subjects[-1] == "rollout(fraud-detection): green rolled back from 10 %: error_rate 64:1"
    assert set(changed.seconds or ()) == {"write", "publish", "up", "verify"}
    at_ten.engine.pending = ()
    at_ten.require_settled(BLUE)


@pytest.mark.parametrize("error", [PushRefused("protected"), PushUnanswered("no route"), UsageError("no branch")])
def test_a_way_back_goes_through_though_nothing_can_be_pushed(at_ten: World, error: Exception) -> None:
    at_ten.remote.answers = [error, error]
    changed = at_ten.change.make(at_ten.record, BACK, CLOSING)
    assert changed.ending is Ending.APPLIED
    assert changed.reason == f"not pushed: {error}"
    assert at_ten.azure.split == at_ten.file.lines().split == at_ten.record.state.weights == BLUE


def test_a_way_back_is_said_again_behind_what_another_runner_pushed(at_ten: World) -> None:
    def ahead() -> None:
        at_ten.path.write_bytes(at_ten.remote.record)
        other = type(at_ten.record)(at_ten.path, at_ten.clock, lambda name: None)
        other.append(Kind.NOTED, {"what": "capacity", "text": "x"})
        at_ten.remote.record = at_ten.path.read_bytes()
        at_ten.file.write(TEN)
        raise Overtaken("another runner")

    at_ten.remote.answers = [PushUnanswered("slow"), ahead]
    assert at_ten.change.make(at_ten.record, BACK, CLOSING).ending is Ending.APPLIED
    assert at_ten.kinds()[2:] == ["noted", "intent", "applied", "ended"]
    at_ten.require_settled(BLUE)


def test_a_failed_way_back_is_tried_three_times_at_once(at_ten: World) -> None:
    at_ten.engine.errors = [failed(), failed()]
    assert at_ten.change.make(at_ten.record, BACK, CLOSING).ending is Ending.APPLIED
    assert at_ten.kinds()[2:] == ["intent", "attempt", "attempt", "applied", "ended"]
    at_ten.require_settled(BLUE)


@pytest.mark.parametrize(
    "errors",
    [
        [EngineUnavailable("no backend")],
        [EngineRefused("the program has an error")],
        [failed(), failed(), failed()],
        [UnavailableError("no ID token")],
    ],
    ids=["unavailable", "refused", "failed", "no login"],
)
def test_a_way_back_that_the_engine_cannot_take_asks_for_break_glass(at_ten: World, errors: list[Exception]) -> None:
    at_ten.engine.errors = errors
    changed = at_ten.change.make(at_ten.record, BACK, CLOSING)
    assert (changed.ending, changed.needs_break_glass) == (Ending.OPEN, True)
    assert at_ten.azure.split == TEN


def test_a_stack_file_that_cannot_be_written_asks_for_break_glass(at_ten: World) -> None:
    at_ten.file.path.unlink()
    changed = at_ten.change.make(at_ten.record, BACK, CLOSING)
    assert changed.needs_break_glass
    assert "the weights cannot be declared" in changed.reason


def test_a_full_disk_stops_no_way_back(at_ten: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(at_ten.record.chain, "_write", full)
    at_ten.record.way_back = True
    changed = at_ten.change.make(at_ten.record, BACK, CLOSING)
    assert changed.ending is Ending.APPLIED
    assert at_ten.azure.split == BLUE
    assert at_ten.record.unwritten


# The engine's lock


def test_a_dead_lock_is_removed_and_the_change_goes_on(world: World) -> None:
    world.locks.dead = True
    world.engine.errors = [EngineLocked("locked by 1 lock"), EngineUnavailable("failed to load checkpoint: EOF")]
    changed = world.change.make(world.record, FORWARD, None)
    assert changed.ending is Ending.OPEN, "the second error is another one"
    world.engine.errors = [EngineLocked("locked by 1 lock")]
    world.locks.dead = True
    assert world.finish(FORWARD, None)
    world.require_settled(TEN)


def test_a_living_lock_is_waited_for(world: World) -> None:
    world.locks.living = "ada@ci, process 7"
    world.engine.errors = [EngineLocked("locked")] * 6

    def gone() -> None:
        world.locks.living = None
        world.engine.errors = []

    world.clock.at = [(world.clock.time + 10, gone)]
    assert world.change.make(world.record, FORWARD, None).ending is Ending.APPLIED
    assert [text for text in world.said if "ada@ci, process 7" in text] == [
        "waiting up to 60 s: an update of stack prod is running: ada@ci, process 7."
    ]


@pytest.mark.parametrize("order", [FORWARD, BACK], ids=["forward", "back"])
def test_a_living_lock_that_stays_holds_forward_and_breaks_glass_back(at_ten: World, order: Order) -> None:
    at_ten.locks.living = "ada@ci, process 7"
    at_ten.engine.errors = [EngineLocked("locked")] * 99
    before = at_ten.clock.time
    changed = at_ten.change.make(at_ten.record, order, None)
    assert (changed.ending, changed.needs_break_glass) == (Ending.OPEN, order is BACK)
    assert 60 <= at_ten.clock.time - before < 70
    assert "ada@ci, process 7" in changed.reason


def test_two_endpoints_of_a_stack_go_forward_one_after_another(world: World) -> None:
    with endpoint_lock(world.path.parents[1], world.clock):  # another endpoint's change
        changed = world.change.make(world.record, FORWARD, None)
        assert (changed.ending, changed.exit_code, world.kinds()) == (Ending.WITHDRAWN, ExitCode.DONE, [])
        assert "waits for the rollout of another endpoint" in changed.reason
        assert world.file.path.read_text() == STACK
    world.change.make(world.record, FORWARD, None)
    with endpoint_lock(world.path.parents[1], world.clock):
        assert world.change.make(world.record, BACK, CLOSING).ending is Ending.APPLIED, "a way back does not wait"


# Kills

FORWARD_POINTS = (
    *("before intent", "after intent", "write", "written", "push", "pushed", "preview", "up", "put", "read"),
    *("before applied", "after applied"),
)
BACK_POINTS = (
    *("before intent", "after intent", "write", "written", "up", "put", "read", "before applied", "after applied"),
    *("before ended", "after ended", "push", "pushed"),
)


@pytest.mark.parametrize("clone", ["same machine", "fresh clone"])
@pytest.mark.parametrize("point", FORWARD_POINTS)
def test_a_step_forward_survives_a_kill(world: World, point: str, clone: str) -> None:
    world.kill_at = point
    with pytest.raises(Killed):
        world.change.make(world.record, FORWARD, None)
    recover(world, point, clone)
    world.finish(FORWARD, None)
    world.publish(Message(subject="the next event"))
    world.require_settled(TEN)
    assert world.kinds().count("applied") == 1


@pytest.mark.parametrize("clone", ["same machine", "fresh clone"])
@pytest.mark.parametrize("point", BACK_POINTS)
def test_a_way_back_survives_a_kill(at_ten: World, point: str, clone: str) -> None:
    at_ten.kill_at = point
    with pytest.raises(Killed):
        at_ten.change.make(at_ten.record, BACK, CLOSING)
    recover(at_ten, point, clone)
    while at_ten.record.state.weights != BLUE or at_ten.record.state.open_intent:
        at_ten.finish(BACK, CLOSING)
    if not at_ten.record.state.ended:  # killed between the two lines: the controller writes the end
        at_ten.record.append(Kind.ENDED, CLOSING)
    at_ten.publish(Message(subject="the next event"))
    at_ten.require_settled(BLUE)
    assert at_ten.kinds().count("ended") == 1


def recover(world: World, point: str, clone: str) -> None:
    """A kill in an update leaves the engine's state behind Azure and a dead lock."""
    if clone == "fresh clone":
        world.fresh_clone()
    else:
        world.restart()
    if point in ("up", "put"):
        world.locks.dead = True
        world.engine.errors = [EngineLocked("locked by a dead update")]

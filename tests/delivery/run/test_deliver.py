"""`sluice ci deliver` as a loop: what comes before what, what stops an update and what stops no tick, when it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from command_errors import UnavailableError, UsageError, WaitingError
from delivery.run.deliver import BEHIND_POLL_SECONDS, BEHIND_SECONDS, Delivered, Delivery, Look, Ticked
from exit_codes import ExitCode

T = TypeVar("T")


@dataclass
class World:
    """A fake of everything: it notes what is asked of it, and answers from lists whose last entry stays."""

    looks: list[Look | Exception] = field(default_factory=lambda: [Look.MOVED, Look.SAME])
    problem_lists: list[tuple[str, ...]] = field(default_factory=lambda: [()])
    deployments: list[bool | Exception] = field(default_factory=lambda: [True])
    ticks: list[Ticked] = field(default_factory=lambda: [Ticked()])
    open_changes: list[bool] = field(default_factory=lambda: [False])
    ends: tuple[tuple[ExitCode, str], ...] = ()
    canary: bool = False
    time: int = 1000
    did: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    interrupted: bool = False
    dispatch_error: Exception | None = None
    seconds_of_a_deployment: int = 0
    behinds: list[str | None] = field(default_factory=lambda: [None])

    def now(self) -> int:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += int(seconds)

    def look(self) -> Look:
        self.did.append("look")
        return raised(taken(self.looks))

    def behind(self) -> str | None:
        return taken(self.behinds)

    def problems(self) -> tuple[str, ...]:
        return taken(self.problem_lists)

    def deploy(self, may_begin: Callable[[], bool]) -> bool:
        if not may_begin():
            return False
        self.did.append("deploy")
        self.time += self.seconds_of_a_deployment
        return raised(taken(self.deployments))

    def has_open_change(self) -> bool:
        return taken(self.open_changes)

    def reload(self) -> None:
        pass

    def start_new(self) -> None:
        self.did.append("start")

    def tick(self) -> Ticked:
        self.did.append("tick")
        return taken(self.ticks)

    def results(self) -> tuple[tuple[ExitCode, str], ...]:
        return self.ends

    def serves_canary(self) -> bool:
        return self.canary

    def close(self) -> None:
        self.did.append("close")

    def dispatch_next(self) -> str:
        self.did.append("dispatch")
        if self.dispatch_error:
            raise self.dispatch_error
        return "the next run was started"

    def deliver(self, seconds: int | None = None) -> Delivered:
        return Delivery(self, self, self, self, self, self.said.append, lambda: self.interrupted).run(seconds)


def taken(answers: list[T]) -> T:
    return answers[0] if len(answers) == 1 else answers.pop(0)


def raised(answer: T | Exception) -> T:
    if isinstance(answer, Exception):
        raise answer
    return answer


def test_a_run_looks_deploys_starts_and_ticks_in_this_order() -> None:
    world = World()
    assert world.deliver().exit_code is ExitCode.DONE
    assert world.did == ["look", "deploy", "start", "tick", "close"]


def test_it_looks_before_every_tick_and_goes_on_from_the_new_tip() -> None:
    world = World(
        looks=[Look.MOVED, Look.SAME, Look.MOVED, Look.SAME], ticks=[*[Ticked(pause=10)] * 3, Ticked()], canary=True
    )
    world.deliver(3000)
    rounds = ["look", "deploy", "start", "tick", "look", "tick", "look", "deploy", "start", "tick", "look", "tick"]
    assert world.did == [*rounds, "close", "dispatch"]


def test_another_program_on_the_branch_is_left_to_the_next_run() -> None:
    world = World(looks=[Look.MOVED, Look.PROGRAM], ticks=[Ticked(pause=10)])
    world.deliver(3000)
    assert world.did == ["look", "deploy", "start", "tick", "look", "close", "dispatch"]


def test_a_run_waits_for_the_stack_before_it_and_deploys_what_that_has_deployed() -> None:
    world = World(looks=[Look.MOVED, Look.SAME, Look.MOVED, Look.SAME], behinds=["dev deploys", "dev deploys", None])
    delivered = world.deliver(3000)
    assert (delivered.exit_code, delivered.lines) == (ExitCode.DONE, ())
    assert world.did.count("deploy") == 2
    assert world.said == ["dev deploys"]
    assert world.time == 1000 + 2 * BEHIND_POLL_SECONDS


@pytest.mark.parametrize("seconds", [None, 120, 3000])
def test_a_stack_that_does_not_deploy_holds_up_the_next_one_for_a_while_and_is_no_failure(seconds: int | None) -> None:
    world = World(behinds=["dev deploys"])
    delivered = world.deliver(seconds)
    assert (delivered.exit_code, delivered.lines) == (ExitCode.DONE, ("dev deploys",))
    assert world.time - 1000 <= min(seconds or 0, BEHIND_SECONDS)


@pytest.mark.parametrize(("canary", "dispatches"), [(True, 1), (False, 0)])
def test_the_next_run_is_started_while_a_canary_has_weight(canary: bool, dispatches: int) -> None:
    world = World(ticks=[Ticked(pause=30)], canary=canary)
    world.deliver(100)
    assert world.did.count("dispatch") == dispatches
    assert world.did.count("tick") == 4
    assert world.time < 1100


def test_weights_set_by_hand_stop_the_update_and_no_tick() -> None:
    world = World(problem_lists=[("e has other weights.",)], ticks=[Ticked(pause=30)], canary=True)
    delivered = world.deliver(100)
    assert delivered.exit_code is ExitCode.USAGE
    assert delivered.lines == ("no update was made: e has other weights.",)
    assert "deploy" not in world.did
    assert "start" not in world.did
    assert world.did.count("tick") == 4


def test_the_update_is_tried_again_when_a_tick_has_put_the_weights_right() -> None:
    world = World(
        problem_lists=[("e has other weights.",), ()],
        ticks=[Ticked(pause=0, changed=True), Ticked(pause=10), Ticked()],
    )
    delivered = world.deliver(600)
    assert delivered == Delivered(exit_code=ExitCode.DONE, lines=())
    assert world.did[:6] == ["look", "tick", "look", "deploy", "start", "tick"]


def test_a_change_that_a_killed_run_began_is_finished_before_an_update() -> None:
    world = World(open_changes=[True, False], ticks=[Ticked(pause=0, changed=True), Ticked()])
    world.deliver(600)
    assert world.did == ["look", "tick", "look", "deploy", "start", "tick", "close"]


def test_a_deployment_that_fails_is_tried_again_later_and_counts_until_then() -> None:
    world = World(deployments=[UnavailableError("no answer"), True], ticks=[*[Ticked(pause=100)] * 4, Ticked()])
    assert world.deliver(3000).exit_code is ExitCode.DONE
    assert world.did.count("deploy") == 2
    failing = World(deployments=[UnavailableError("no answer")], ticks=[Ticked()])
    delivered = failing.deliver(3000)
    assert (delivered.exit_code, delivered.lines) == (ExitCode.UNAVAILABLE, ("deployment: no answer",))


def test_nothing_begins_after_the_time_and_an_update_that_runs_is_not_cut() -> None:
    world = World(
        looks=[Look.MOVED, Look.MOVED],
        ticks=[Ticked(pause=10)],
        seconds_of_a_deployment=500,
    )
    world.deliver(60)
    assert world.did == ["look", "deploy", "start", "tick", "close"]
    assert world.time == 1500


def test_a_remote_that_does_not_answer_stops_the_update_and_no_tick() -> None:
    world = World(looks=[UnavailableError("origin does not answer")])
    assert world.deliver().exit_code is ExitCode.UNAVAILABLE
    assert world.did == ["look", "tick", "close"]


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((ExitCode.WAITING,), ExitCode.DONE),
        ((ExitCode.WAITING, ExitCode.USAGE), ExitCode.USAGE),
        ((ExitCode.FAILED, ExitCode.UNAVAILABLE), ExitCode.FAILED),
        ((ExitCode.UNAVAILABLE, ExitCode.USAGE), ExitCode.UNAVAILABLE),
    ],
)
def test_only_waiting_becomes_success(ends: tuple[ExitCode, ...], expected: ExitCode) -> None:
    assert World(ends=tuple((code, f"{code}") for code in ends)).deliver().exit_code is expected


def test_a_stack_that_another_runner_updates_is_no_failure() -> None:
    assert World(deployments=[WaitingError("an update is running")]).deliver().exit_code is ExitCode.DONE


def test_a_next_run_that_cannot_be_started_is_told() -> None:
    world = World(canary=True, dispatch_error=UsageError("give the job actions: write"))
    delivered = world.deliver()
    assert (delivered.exit_code, delivered.lines) == (ExitCode.USAGE, ("next run: give the job actions: write",))


def test_ctrl_c_ends_it_after_the_round_and_starts_no_other_run() -> None:
    world = World(ticks=[Ticked(pause=10)], canary=True, interrupted=True)
    world.deliver(3000)
    assert world.did == ["look", "deploy", "start", "tick", "close"]


def test_a_defect_is_not_swallowed() -> None:
    world = World(deployments=[ZeroDivisionError()])
    with pytest.raises(ZeroDivisionError):
        world.deliver()
    assert world.did[-1] == "close"

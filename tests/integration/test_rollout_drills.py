"""Drills of a rollout on the real engine, under load: a colour that turns bad, and kills at held moments.

The first two rows of the table, a good colour and one that is bad from the start, are in `test_rollout.py`; `make
drills` runs the whole table.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from endpoint_client.load import Load
from exit_codes import ExitCode
from tests.integration.crash_drill import Crash, Point, Victims, survive
from tests.integration.drill import BLUE, FORWARD, HALF, PLAN, STEPS, TAKES_EFFECT, TEN, Drill, callers, lost
from tests.integration.rehearsal import Azure, Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


CRASHES = (
    Crash(Point.TORN, Victims.CONTROLLER, clone=False),
    Crash(Point.INTENDED, Victims.CONTROLLER, clone=False),
    Crash(Point.WRITTEN, Victims.CONTROLLER, clone=False),
    Crash(Point.PUSH, Victims.CONTROLLER, clone=False),
    Crash(Point.PUSHED, Victims.CONTROLLER, clone=True),
    Crash(Point.NOT_PUT, Victims.ENGINE, clone=False),
    Crash(Point.UNDER_WAY, Victims.BOTH, clone=True),
    Crash(Point.UNDER_WAY, Victims.CONTROLLER, clone=False),
    Crash(Point.UPDATED, Victims.CONTROLLER, clone=False),
    Crash(Point.APPLIED, Victims.CONTROLLER, clone=True),
    Crash(Point.UNDER_WAY, Victims.BOTH, clone=True, back=True),
)


QUICK = PLAN | {"verify": False, "settle": "2s"}
"""`test_rollout.py` waits for `verify`; these begin with the first step."""


@pytest.fixture
def drill(simulated_azure: Azure, tmp_path: Path) -> Iterator[Drill]:
    """Blue at 100 %, green at 0 %, a plan of seconds, and a bare repository to push to."""
    drill = Drill(Stack(simulated_azure, "dev"), tmp_path, QUICK)
    yield drill
    drill.close()


@pytest.fixture
def load(drill: Drill) -> Iterator[Load]:
    with callers(drill.stack) as load:
        yield load


@pytest.mark.parametrize("reached", [1, 2], ids=["at 50 percent", "after 100 percent"])
def test_a_colour_that_turns_bad_comes_back_by_itself(reached: int, drill: Drill, load: Load) -> None:
    process = drill.run()

    def at_step(step: int) -> None:
        if step == reached:
            drill.turn_bad(process)
        else:
            drill.origin.release()

    assert drill.follow(process, at_step) == 1, drill.said()
    assert drill.weights_set() == [*STEPS[: reached + 1], BLUE]
    assert drill.events()[-1]["data"]["outcome"] == "rolled_back"
    drill.require_agreed(BLUE, over=True)
    assert lost(load) == 0


@pytest.mark.parametrize("crash", CRASHES, ids=str)
def test_a_change_survives_a_kill(crash: Crash, drill: Drill, load: Load) -> None:
    survive(drill, crash)
    assert lost(load) == 0


def test_of_two_runners_at_once_one_moves_and_the_other_exits_3(drill: Drill, load: Load) -> None:
    first, slower = drill.run(), drill.stack.file.with_name("run.log")
    drill.origin.hold(TAKES_EFFECT, FORWARD)
    assert drill.origin.held(first), slower.read_text()
    drill.origin.release()
    wait_until(lambda: drill.weights_set() == [TEN], "green does not get 10 %")
    assert drill.origin.held(first), slower.read_text()
    drill.origin.spare_others()

    drill.clone()
    while drill.weights_set() == [TEN]:
        drill.step()
    drill.origin.let_go()
    assert first.wait() == ExitCode.WAITING, slower.read_text()
    assert "another runner" in slower.read_text()
    assert drill.weights_set() == [TEN, HALF]
    drill.require_agreed(HALF, over=False)
    assert lost(load) == 0

"""kill -9 at a held moment of a change of weights, and what goes on afterwards."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from exit_codes import ExitCode
from tests.integration.drill import BLUE, FORWARD, TAKES_EFFECT, TEN, TOOK_EFFECT, Drill, weights_that_were_set
from tests.integration.rehearsal import processes_with
from tests.waiting import wait_until

TICKS = 60


class Point(Enum):
    """The moment, with its number in the table of crash points."""

    BEFORE = "1 before the intent"
    TORN = "2 in the line of the intent"
    INTENDED = "3 after the intent, before the file"
    WRITTEN = "4 after the file, before the commit"
    PUSH = "5 in the push of the intent"
    PUSHED = "6 after the push"
    NOT_PUT = "7 before Azure gets the PUT"
    UNDER_WAY = "8 Azure has accepted the PUT"
    UNANSWERED = "8 Azure is done, the answer is lost"
    UPDATED = "10 after the update, before `applied`"
    APPLIED = "11 after `applied`, before its push"

    @property
    def is_of_the_engine(self) -> bool:
        """Whether an update is under way then."""
        return self in (Point.NOT_PUT, Point.UNDER_WAY, Point.UNANSWERED)


class Victims(Enum):
    """Who is killed."""

    CONTROLLER = "controller"
    ENGINE = "engine"
    BOTH = "both"


@dataclass(frozen=True)
class Crash:
    """One drill: `clone`, it goes on from a fresh clone of what was pushed; `back`, the change is the way back."""

    point: Point
    victims: Victims
    clone: bool
    back: bool = False

    def __str__(self) -> str:
        return ", ".join(self.facts().values())

    def facts(self) -> dict[str, str]:
        """What names it in the table."""
        return {
            "direction": "back" if self.back else "step",
            "point": self.point.value,
            "victims": self.victims.value,
            "place": "fresh clone" if self.clone else "in place",
        }


GITS = {
    Point.BEFORE: ("fetch", '"kind":"verified"'),
    Point.TORN: ("fetch", '"kind":"verified"'),
    Point.INTENDED: ("commit-tree", '"direction":"forward"'),
    Point.WRITTEN: ("commit-tree", '"direction":"forward"'),
    Point.UPDATED: ("commit-tree", '"kind":"applied"'),
}
"""Which command of the clone is held, and at which last line of the record."""
REWOUND: dict[Point, Callable[[Drill], None]] = {
    Point.TORN: Drill.tear_record,
    Point.INTENDED: Drill.unwrite_stack_file,
    Point.UPDATED: Drill.forget_applied,
}
"""Moments that last for microseconds: the controller is killed at the next one that can be held, or at the one before,
and what the disk has then is made what it would have had."""
BEFORE_THE_UPDATE = (Point.BEFORE, Point.TORN, Point.INTENDED, Point.WRITTEN, Point.PUSH, Point.PUSHED)
CRASHES = [
    Crash(point, victims, clone, back)
    for back in (False, True)
    for point in Point
    for victims in Victims
    for clone in (False, True)
    if (point.is_of_the_engine or victims is Victims.CONTROLLER)
    and not (victims is Victims.ENGINE and clone)
    and not (back and point in BEFORE_THE_UPDATE)
    and not (clone and point in REWOUND)
]
"""Without an engine only the controller can be killed; it goes on by itself if it lives; a way back awaits no push. A
fresh clone has nothing of a line or a file that was not pushed."""


def survive(drill: Drill, crash: Crash) -> None:
    """Start a rollout, kill it in a change, let it go on, and require that everything agrees."""
    process = drill.run()
    if crash.back:
        drill.origin.hold(TAKES_EFFECT, "applied")
        assert drill.origin.held(process), drill.said()
        drill.let_green_fail()
    with _moment(drill, crash) as is_reached:
        drill.origin.let_go(keep=_push(crash))
        assert is_reached(process), drill.said()
        if crash.victims is not Victims.CONTROLLER:
            drill.kill_engine()
        if crash.victims is not Victims.ENGINE:
            drill.kill_controller()
        if crash.point in REWOUND:
            REWOUND[crash.point](drill)
    if crash.clone:
        drill.clone()
    if crash.victims is Victims.ENGINE:
        _finish_by_itself(drill, process, crash)
    else:
        _finish_by_ticks(drill, crash)
    drill.require_agreed(BLUE if crash.back else TEN, over=crash.back)
    if crash.point is Point.UPDATED or (crash.point is Point.UNDER_WAY and crash.victims is Victims.BOTH):
        applied = [event["data"] for event in drill.events() if event["kind"] == "applied"]
        assert applied[-1]["found"], "it was applied a second time"
    wait_until(lambda: not processes_with(str(drill.folder)), "processes of a killed runner that do not end")


def _push(crash: Crash) -> tuple[str, str] | None:
    """Which push is held, and when; None for a moment of the engine."""
    return {
        Point.PUSH: (TAKES_EFFECT, FORWARD),
        Point.PUSHED: (TOOK_EFFECT, FORWARD),
        Point.APPLIED: (TAKES_EFFECT, "ended" if crash.back else "applied"),
    }.get(crash.point)


@contextlib.contextmanager
def _moment(drill: Drill, crash: Crash) -> Iterator[Callable[[subprocess.Popen[str]], object]]:
    """Whether the process is held at the moment; at the end of the block everything that still lives continues."""
    push = _push(crash)
    if push is not None:
        drill.origin.hold(*push)
        yield drill.origin.held
        drill.origin.let_go()
        return
    if crash.point in GITS:
        command, last = GITS[crash.point]
        drill.local_git.hold(command, last.replace("applied", "ended") if crash.back else last)
        yield drill.local_git.held
        drill.local_git.let_go()
        return
    with contextlib.ExitStack() as faults:
        if crash.point is Point.NOT_PUT:
            faults.enter_context(drill.put("500", count=1))
            moment = drill.put("hold", when="before", count=1)
        elif crash.point is Point.UNDER_WAY:
            moment = drill.put("operation-never-ends", count=1)
        else:
            moment = drill.put("hold", when="after", count=1)
        faults.enter_context(moment)
        yield moment.reached


def _finish_by_ticks(drill: Drill, crash: Crash) -> None:
    """Run single ticks, as a pipeline does, until the change is closed and that was pushed."""
    for _ in range(TICKS):
        drill.step()
        if _is_closed(drill.pushed_events(), crash):
            return
    raise AssertionError(f"not closed after {TICKS} ticks: {drill.events()[-3:]}")


def _finish_by_itself(drill: Drill, process: subprocess.Popen[str], crash: Crash) -> None:
    """The controller lives and goes on; after a step forward it is stopped by Ctrl-C."""
    if crash.back:
        assert process.wait() == ExitCode.FAILED, drill.said()
        return
    drill.origin.hold(TAKES_EFFECT, "applied")
    if not _is_closed(drill.pushed_events(), crash):
        assert drill.origin.held(process), drill.said()
    process.send_signal(signal.SIGINT)
    drill.origin.let_go()
    process.wait()


def _is_closed(events: list[dict[str, Any]], crash: Crash) -> bool:
    return events[-1]["kind"] == "ended" if crash.back else weights_that_were_set(events) == [TEN]

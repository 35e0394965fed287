"""Ticks of one rollout until it has ended or needs a person, or for a time. Ctrl-C ends it between two writes."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from exit_codes import ExitCode
from rollout.decision.acts import Wait
from rollout.decision.open_change import MOST_ATTEMPTS
from rollout.ports import Clock
from rollout.record.state import HoldKind, RolloutState
from rollout.tick.controller import Controller, Tick

LEAST_PAUSE_SECONDS = 1
MOST_PAUSE_SECONDS = 30
NEEDS_A_PERSON = frozenset({HoldKind.APPROVAL, HoldKind.PAUSED, HoldKind.DRIFT, HoldKind.ENGINE, HoldKind.NO_WAY_BACK})
"""Holds that no later tick releases by itself; the others end the run at a deadline."""

Watcher = Callable[[Tick], None]


def run(controller: Controller, clock: Clock, *, seconds: int | None = None, watch: Watcher | None = None) -> Tick:
    """Tick until the rollout has ended or needs a person, at most for `seconds`; return the last tick.

    `seconds=0` is one tick. A tick that was refused or overtaken (exit code 2 or 3 without a hold) ends the run too.
    """
    tick = _ticks(controller, clock, None if seconds is None else clock.now() + seconds, watch)
    controller.leave()
    return tick


def _ticks(controller: Controller, clock: Clock, until: int | None, watch: Watcher | None) -> Tick:
    with interrupts() as asked:
        while True:
            tick = controller.tick()
            if watch is not None:
                watch(tick)
            if is_last(tick) or (until is not None and clock.now() >= until):
                return tick
            pause = pause_after(tick)
            if until is not None:
                pause = min(pause, max(0, until - clock.now()))
            if asked.set or not slept(clock, pause, asked):
                return replace(tick, text=f"{tick.text.rstrip('.')}. {how_to_go_on(tick.state)}")


def is_last(tick: Tick) -> bool:
    """Whether another tick would find the same."""
    state = tick.state
    if state.is_over:
        refused = tick.exit_code in (ExitCode.USAGE, ExitCode.WAITING) or state.reserve_failures >= MOST_ATTEMPTS
        return state.reserved is None or refused
    if state.broken_glass and state.open_intent is not None and state.open_intent.attempts >= MOST_ATTEMPTS:
        return True  # the weights are back; what file and state wait for may take days
    if state.held is None:
        return tick.exit_code in (ExitCode.USAGE, ExitCode.WAITING)
    return state.held.kind in NEEDS_A_PERSON or (tick.exit_code is not ExitCode.DONE and _is_late(state, tick.at))


def how_to_go_on(state: RolloutState) -> str:
    """What to type after Ctrl-C."""
    return (
        f"Stopped between two writes; the weights stay at {state.weights.describe()}. Go on with `sluice rollout run "
        f"{state.endpoint} --stack {state.stack}`, or go back with `sluice rollout rollback {state.endpoint} --stack "
        f"{state.stack}`."
    )


def _is_late(state: RolloutState, now: int) -> bool:
    step = state.current_step
    late = step is not None and state.step_seconds(now) > state.plan.step_deadline_seconds(step)
    return late or state.execution_seconds(now) > state.plan.max_execution_seconds


def pause_after(tick: Tick) -> int:
    """Seconds until the next tick: a grain, and none after a tick that did something."""
    if not isinstance(tick.act, Wait) and tick.exit_code is ExitCode.DONE:
        return 0
    return max(LEAST_PAUSE_SECONDS, min(tick.state.grain_seconds, MOST_PAUSE_SECONDS))


def slept(clock: Clock, seconds: int, asked: Asked) -> bool:
    """False if Ctrl-C ended the sleep."""
    asked.sleeps = True
    try:
        clock.sleep(seconds)
    except KeyboardInterrupt:
        return False
    finally:
        asked.sleeps = False
    return True


@dataclass
class Asked:
    """Whether Ctrl-C was pressed, and whether the runner sleeps."""

    set: bool = False
    sleeps: bool = False


@contextlib.contextmanager
def interrupts() -> Iterator[Asked]:
    """The first Ctrl-C asks to stop after the tick, the second one interrupts it."""
    asked = Asked()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(_number: int, _frame: object) -> None:
        if asked.set or asked.sleeps:
            raise KeyboardInterrupt
        asked.set = True

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)

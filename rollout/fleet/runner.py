"""Runs a fleet: starts the rollouts of the present wave, ticks those under way, waits for the bake, goes on.

Each rollout is started and ticked as `sluice rollout run` does; nothing else changes weights here. An error at one
endpoint stops no other one. Ctrl-C ends it between two writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from command_errors import CommandError
from exit_codes import ExitCode
from fleet_config import FleetRollout, FleetSettings
from rollout.fleet.progress import FleetState, Found, Progress, Standing, progress_of
from rollout.ports import Clock
from rollout.tick.controller import Tick, exit_code_of
from rollout.tick.runner import MOST_PAUSE_SECONDS, Asked, interrupts, is_last, pause_after, slept

SEVERITY = (ExitCode.FAILED, ExitCode.UNAVAILABLE, ExitCode.USAGE, ExitCode.WAITING, ExitCode.DONE)
"""The exit code of several rollouts is the first of these that one of them has."""


class Member(Protocol):
    """One rollout of a wave, on its endpoint."""

    def find(self, *, synced: bool = False) -> Found:
        """Its records and what its stack file declares; `synced`: after what others pushed was taken over."""

    def start(self, colour: str) -> None:
        """Start the rollout of a colour. Raises CommandError with everything that stands against it."""

    def tick(self) -> Tick:
        """One tick of the rollout that is under way."""

    def leave(self) -> None:
        """Push what the ticks wrote, and end what they need."""


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Why a rollout could not be started or ticked."""

    exit_code: ExitCode
    text: str


@dataclass(frozen=True, kw_only=True)
class FleetView:
    """What a fleet has come to. `troubles` are errors of this run only; no record has them."""

    state: FleetState
    now: int
    troubles: Mapping[FleetRollout, Trouble] = field(default_factory=dict)
    codes: Mapping[FleetRollout, ExitCode] = field(default_factory=dict)
    """How the last tick of each rollout ended."""

    @property
    def exit_code(self) -> ExitCode:
        """The worst of all rollouts; 0 if nothing is wrong."""
        codes = {trouble.exit_code for trouble in self.troubles.values()} | set(self.codes.values())
        codes |= {exit_code_of(one.state) for one in self.state.under_way if one.state is not None}
        codes |= {ExitCode.FAILED for _ in self.state.failed} | {ExitCode.USAGE for _ in self.state.blocked(self.now)}
        return worst(codes)


def worst(codes: set[ExitCode]) -> ExitCode:
    """The exit code of several rollouts; 0 without any."""
    return next((code for code in SEVERITY if code in codes), ExitCode.DONE)


Watch = Callable[[FleetView], None]


class Fleet:
    """A fleet file and its rollouts."""

    def __init__(self, settings: FleetSettings, members: Mapping[FleetRollout, Member], clock: Clock) -> None:
        self._settings = settings
        self._members = members
        self._clock = clock
        self._found: dict[FleetRollout, Found] = {}
        self._read_at = -MOST_PAUSE_SECONDS
        self._troubles: dict[FleetRollout, Trouble] = {}
        self._tried: set[FleetRollout] = set()
        self._ticks: dict[FleetRollout, Tick] = {}

    def look(self) -> FleetView:
        """How far the fleet is, without changing anything."""
        self._read()
        return self._view()

    def drive(self, *, seconds: int | None = None, watch: Watch = lambda view: None) -> FleetView:
        """Go on until every wave is done, or nothing is left to do without a person; at most for `seconds`."""
        until = None if seconds is None else self._clock.now() + seconds
        try:
            with interrupts() as asked:
                self._go_on(until, asked, watch)
        finally:
            for rollout in self._ticks:
                self._members[rollout].leave()
        return self._view()

    def _go_on(self, until: int | None, asked: Asked, watch: Watch) -> None:
        while True:
            if self._clock.now() - self._read_at >= MOST_PAUSE_SECONDS:
                self._read()
            started = self._start()
            pauses = [pause for one in self._state.to_tick if (pause := self._tick(one)) is not None]
            watch(self._view())
            now = self._clock.now()
            baked_at = self._state.bakes_until(now)
            if baked_at is not None:
                pauses.append(min(MOST_PAUSE_SECONDS, max(1, baked_at - now)))
            if started or (self._waiting(now) and not asked.set):
                pauses.append(0)
            pause = min(pauses, default=None)
            if pause is None or asked.set or (until is not None and now + pause >= until):
                return
            if pause and not slept(self._clock, pause, asked):
                return

    @property
    def _state(self) -> FleetState:
        return progress_of(self._settings, self._found)

    def _view(self) -> FleetView:
        codes = {rollout: tick.exit_code for rollout, tick in self._ticks.items()}
        return FleetView(state=self._state, now=self._clock.now(), troubles=dict(self._troubles), codes=codes)

    def _read(self, *, synced: bool = False) -> None:
        for rollout, member in self._members.items():
            self._find(rollout, member, synced=synced)
        self._read_at = self._clock.now()

    def _find(self, rollout: FleetRollout, member: Member, *, synced: bool = False) -> None:
        try:
            self._found[rollout] = member.find(synced=synced)
        except CommandError as error:
            rollouts = self._found[rollout].rollouts if rollout in self._found else ()
            self._found[rollout] = Found(problem=str(error), rollouts=rollouts)

    def _waiting(self, now: int) -> tuple[Standing, ...]:
        """What may start; each rollout is tried once in a run."""
        return tuple(one for one in self._state.to_start(now) if one.rollout not in self._tried)

    def _start(self) -> bool:
        """Start what the present wave waits for; whether there was anything."""
        if not self._waiting(self._clock.now()):
            return False
        self._read(synced=True)  # another runner may have started it, or taken an earlier wave back
        started = False
        for one in self._waiting(self._clock.now()):
            if one.colour is None:
                continue
            rollout, member = one.rollout, self._members[one.rollout]
            self._tried.add(rollout)
            try:
                member.start(one.colour)
            except CommandError as error:
                self._troubles[rollout] = Trouble(exit_code=error.exit_code, text=str(error))
            self._find(rollout, member)
            started = True
            if self._standing(rollout).progress is Progress.UNDER_WAY:  # by this run, or by another one just before
                self._troubles.pop(rollout, None)
        return started

    def _tick(self, one: Standing) -> int | None:
        """Tick a rollout; seconds until its next tick, None if another one would find the same."""
        rollout = one.rollout
        try:
            tick = self._members[rollout].tick()
        except CommandError as error:
            self._troubles[rollout] = Trouble(exit_code=error.exit_code, text=str(error))
            return None
        self._troubles.pop(rollout, None)
        self._ticks[rollout] = tick
        found = self._found[rollout]
        self._found[rollout] = Found(
            declared=found.declared,
            contents=found.contents,
            rollouts=(*(state for state in found.rollouts if state.id != tick.state.id), tick.state),
            problem=found.problem,
        )
        if tick.state.is_over:
            self._find(rollout, self._members[rollout])
        return None if is_last(tick) else pause_after(tick)

    def _standing(self, rollout: FleetRollout) -> Standing:
        return next(one for one in self._state.standings if one.rollout == rollout)

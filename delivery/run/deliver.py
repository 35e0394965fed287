"""`sluice ci deliver`: brings a stack to what the source branch says, and lets its rollouts tick, for a while.

One command that any run can repeat: what a killed run left is finished by the next one, because each step looks at what
is there. It knows its parts as protocols: the branch, the stack, the rollouts, the pipelines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeVar

from command_errors import expected_code
from exit_codes import ExitCode
from rollout.ports import Clock

SEVERITY = (ExitCode.FAILED, ExitCode.UNAVAILABLE, ExitCode.USAGE, ExitCode.WAITING, ExitCode.DONE)
"""The exit code of several parts is the first of these that one of them has."""
RETRY_SECONDS = 300
"""A deployment that failed is tried again after so long, or after weights have changed."""
BEHIND_POLL_SECONDS = 30
BEHIND_SECONDS = 1200
"""A run waits so long for the stack before it (`sluice:after`) to deploy: as long as two deployments take in Azure."""
T = TypeVar("T")


class Look(StrEnum):
    """What a look at the branch that is delivered found."""

    SAME = "same"
    """Nothing but records and weights, which the rollouts themselves write, has changed."""
    MOVED = "moved"
    """The checkout now has a newer commit, which is to be deployed."""
    PROGRAM = "program"
    """A newer commit changes the program or its packages: another run has to go on with it."""


class Branch(Protocol):
    """The branch that is delivered, and the checkout of it."""

    def look(self) -> Look:
        """Fetch the branch, and let the checkout follow. The first look finds MOVED or PROGRAM."""

    def behind(self) -> str | None:
        """Why the last look did not find what people merged: the stack before this one has not deployed it yet."""


class Stack(Protocol):
    """One stack, and its part in Azure."""

    def problems(self) -> tuple[str, ...]:
        """Why no update may run now: weights that were changed by hand."""

    def deploy(self, may_begin: Callable[[], bool]) -> bool:
        """Publish what is missing, and update until the preview is empty and the stack is settled.

        Begins no publication and no update once `may_begin` is false; then, and while Azure has to finish something,
        it returns False.
        """


@dataclass(frozen=True, kw_only=True)
class Ticked:
    """What one round of ticks came to. `pause` is None if no rollout needs another tick soon."""

    pause: int | None = None
    changed: bool = False
    """Weights were changed, or a rollout ended."""


class Rollouts(Protocol):
    """The rollouts of the stack's endpoints."""

    def has_open_change(self) -> bool:
        """Whether a change of weights was begun and neither finished nor withdrawn: a tick must come before an `up`."""

    def reload(self) -> None:
        """Read the stack file again: the checkout has moved."""

    def start_new(self) -> None:
        """Start what `plan.start: auto` asks for."""

    def tick(self) -> Ticked:
        """One tick of each rollout that has work; what people answered to approvals before, promotions after."""

    def results(self) -> tuple[tuple[ExitCode, str], ...]:
        """How the last tick, start, approval and promotion of each endpoint ended, with what to tell."""

    def serves_canary(self) -> bool:
        """Whether a rollout that is under way has given its new colour weight."""

    def close(self) -> None:
        """Push what the last ticks wrote."""


class Pipelines(Protocol):
    """The pipelines of this repository."""

    def dispatch_next(self) -> str:
        """Start the next run of `deliver`; return what to tell."""


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """How a delivery ended; `lines` say it for people."""

    exit_code: ExitCode
    lines: tuple[str, ...]


@dataclass
class Delivery:
    """One run of `sluice ci deliver`."""

    branch: Branch
    stack: Stack
    rollouts: Rollouts
    pipelines: Pipelines
    clock: Clock
    say: Callable[[str], None]
    is_interrupted: Callable[[], bool] = lambda: False
    sleep: Callable[[int], bool] | None = None
    """Sleeps so many seconds; False if Ctrl-C ended it. Default: the clock's."""
    propose: Callable[[], None] | None = None
    """Tells the source branch what rollouts that have ended left; None where they wrote it there themselves."""
    _outcomes: dict[str, tuple[ExitCode, str]] = field(default_factory=dict)

    def run(self, seconds: int | None) -> Delivered:
        """Deliver once, and tick for so many seconds; None: one round.

        No change begins after that time, except a way back; an update that runs is never cut.
        """
        until = self.clock.now() + (seconds or 0)
        goes_on = False
        try:
            goes_on = self._rounds(until, once=seconds is None)
        finally:
            self._attempt("leaving", self.rollouts.close)
        if self.propose is not None:
            self._attempt("record pull request", self.propose)
        if not self.is_interrupted() and (goes_on or self.rollouts.serves_canary()):
            self._attempt("next run", lambda: self.say(self.pipelines.dispatch_next()))
        ends = [*self._outcomes.values(), *self.rollouts.results()]
        worst = next((code for code in SEVERITY if code in {code for code, _ in ends}), ExitCode.DONE)
        lines = tuple(dict.fromkeys(text for _, text in ends if text))
        return Delivered(exit_code=ExitCode.DONE if worst is ExitCode.WAITING else worst, lines=lines)

    def _rounds(self, until: int, *, once: bool) -> bool:
        """Go round until the time is over or nothing is left to do; True if another run must go on with the program."""
        stale, tried_at = True, 0
        is_first = True
        patient_until = min(until, self.clock.now() + BEHIND_SECONDS)
        while True:
            look = self._attempt("branch", self._look)
            if look is Look.PROGRAM:
                self.say("the program itself has changed on the branch: the next run goes on with it.")
                return True
            stale = stale or look is Look.MOVED
            may_begin = is_first or self.clock.now() < until
            due = look is Look.MOVED or is_first or self.clock.now() - tried_at >= RETRY_SECONDS
            if stale and look is not None and due and may_begin:
                tried_at = self.clock.now()
                stale = not self._deploy(until, is_first=is_first)
                if not stale:
                    self._attempt("start", self.rollouts.start_new)
            ticked = self._attempt("ticks", self.rollouts.tick) or Ticked()
            if ticked.changed:
                tried_at = 0
            is_first = False
            pause = self._pause(ticked, stale=stale, patient=self._is_behind() and self.clock.now() < patient_until)
            if once or pause is None or self.is_interrupted() or self.clock.now() + pause >= until:
                return False
            if not self._slept(pause):
                return False

    def _look(self) -> Look:
        found = self.branch.look()
        if found is Look.MOVED:
            self.rollouts.reload()
        return found

    def _pause(self, ticked: Ticked, *, stale: bool, patient: bool) -> int | None:
        """Seconds until the next round; None: nothing is left that time could change."""
        if ticked.pause is not None:
            return ticked.pause
        if stale and ticked.changed:
            return 0
        return BEHIND_POLL_SECONDS if patient else None

    def _is_behind(self) -> bool:
        """Whether the stack before this one has to deploy first, which is told and no failure."""
        reason = self.branch.behind()
        if reason is None:
            self._outcomes.pop("behind", None)
            return False
        if "behind" not in self._outcomes:
            self.say(reason)
        self._outcomes["behind"] = (ExitCode.WAITING, reason)
        return True

    def _deploy(self, until: int, *, is_first: bool) -> bool:
        """Whether the stack is as declared now. What stands against an update stops no tick."""
        if self.rollouts.has_open_change():
            self.say("a change of weights was begun before: its rollout ticks first.")
            return False
        problems = self._attempt("weights", self.stack.problems)
        if problems is None:
            return False
        if problems:
            self._outcomes["weights"] = (ExitCode.USAGE, "no update was made: " + " ".join(problems))
            self.say(self._outcomes["weights"][1])
            return False
        begun = is_first

        def may_begin() -> bool:
            return begun or self.clock.now() < until

        return self._attempt("deployment", lambda: self.stack.deploy(may_begin)) is True

    def _attempt(self, part: str, work: Callable[[], T]) -> T | None:
        """Run one part; an error that the product expects is told, and counts until the part succeeds."""
        try:
            result = work()
        except Exception as error:
            if (code := expected_code(error)) is None:
                raise
            self._outcomes[part] = (code, f"{part}: {error}")
            self.say(f"{part}: {error}")
            return None
        self._outcomes.pop(part, None)
        return result

    def _slept(self, seconds: int) -> bool:
        if self.sleep is not None:
            return self.sleep(seconds)
        self.clock.sleep(seconds)
        return True

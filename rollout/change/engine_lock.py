"""The engine's lock on the stack: a dead one is removed, a living one is waited for; `pulumi cancel` is never run.

Which lock is dead, the port `EngineLocks` judges as `sluice recover` does (ADR 11).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from command_errors import WaitingError
from rollout.errors import EngineLocked, EngineUnavailable
from rollout.events import Outcome, Preview
from rollout.ports import Clock, Engine, EngineLocks

WAIT_SECONDS = 60
"""How long a living lock is waited for."""
POLL_SECONDS = 2.0
MOST_REMOVALS = 3
T = TypeVar("T")


class PatientEngine:
    """The engine, limited to the URN of one resource, with the rules for locks."""

    def __init__(self, engine: Engine, locks: EngineLocks, clock: Clock, urn: str, say: Callable[[str], None]) -> None:
        self._engine = engine
        self._locks = locks
        self._clock = clock
        self._targets: Sequence[str] = (urn,)
        self._say = say

    def limited_to(self, urn: str) -> PatientEngine:
        """The same engine, limited to another resource."""
        return PatientEngine(self._engine, self._locks, self._clock, urn, self._say)

    def preview(self, *, only_target: bool = False) -> Preview:
        """Return what an update would change in the stack, or in the resource only."""
        targets = self._targets if only_target else ()
        return self._unlocked(lambda: self._engine.preview(targets=targets))

    def up(self, *, refresh: bool) -> Outcome:
        """Update the resource only, without a preview; with `refresh`, its state is read from Azure first.

        Raises EngineLocked after `WAIT_SECONDS`, and the other errors of the engine.
        """
        return self._unlocked(lambda: self._engine.up(skip_preview=True, refresh=refresh, targets=self._targets))

    def up_without_changes(self) -> bool:
        """Run an update of the whole stack if it changes no resource; return whether it ran.

        It brings the flags of the engine's state up to date: an update of the endpoint alone leaves deployments
        protected that have no weight any more, and the engine would refuse to remove them.
        """
        if not self.preview().is_empty:
            return False
        self.up_all()
        return True

    def up_all(self) -> Outcome:
        """Update the whole stack, whose preview the caller has looked at."""
        return self._unlocked(lambda: self._engine.up(skip_preview=True))

    def _unlocked(self, operation: Callable[[], T]) -> T:
        deadline = self._clock.now() + WAIT_SECONDS
        removals, told = 0, False
        while True:
            try:
                return operation()
            except (EngineLocked, EngineUnavailable) as error:  # an update killed while it wrote is the latter
                try:
                    removed = removals < MOST_REMOVALS and self._locks.remove_dead()
                except WaitingError as living:
                    if self._clock.now() >= deadline:
                        raise EngineLocked(f"{error}\n{living}", errors=error.errors, log=error.log) from error
                    if not told:
                        self._say(f"waiting up to {WAIT_SECONDS} s: {living}")
                        told = True
                    self._clock.sleep(POLL_SECONDS)
                    continue
                if removed:
                    removals += 1
                elif isinstance(error, EngineLocked) and self._clock.now() < deadline:
                    self._clock.sleep(POLL_SECONDS)
                else:
                    raise

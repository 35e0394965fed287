"""The registry of faults: matching, counting, expiry. Pure: clock and random numbers are parameters.

It is nearly always empty, and then false: callers test that first. Faults live in memory only; a restart clears them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field
from typing import Any

from localazure.faults.fault import HOLDING, Fault, Kind, Subject

MAX_FAULTS = 1000


@dataclass
class ActiveFault:
    """An added fault and its counters."""

    number: int
    fault: Fault
    expires: float | None
    seen: int = 0
    hits: int = 0
    released: int = 0
    """How many hits of a holding kind may continue, counted from the first."""
    standing: set[int] = field(default_factory=set)
    """The hits that are currently held."""

    @property
    def held(self) -> int:
        """The number of hits that are currently held."""
        return len(self.standing)

    @property
    def left(self) -> int | None:
        """How often it will still act; None means without limit."""
        return None if self.fault.count is None else self.fault.count - self.hits


class Faults:
    """All faults of one local Azure, in the order they were added."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, chance: Callable[[], float] = random.random
    ) -> None:
        self._clock = clock
        self._chance = chance
        self._active: dict[int, ActiveFault] = {}
        self._last = 0
        self.closed = False
        """True while the server stops: nothing is held any more."""

    def __bool__(self) -> bool:
        return bool(self._active)

    def add(self, fault: Fault) -> ActiveFault:
        """Add a fault; ValueError when there are too many."""
        self._prune()
        if len(self._active) >= MAX_FAULTS:
            raise ValueError(f"There are {MAX_FAULTS} faults already; clear some.")
        self._last += 1
        expires = None if fault.for_seconds is None else self._clock() + fault.for_seconds
        self._active[self._last] = ActiveFault(self._last, fault, expires)
        return self._active[self._last]

    def clear(self, number: int | None = None) -> int:
        """Remove one fault, or all; returns the number removed."""
        self._prune()
        if number is not None:
            return 0 if self._active.pop(number, None) is None else 1
        count = len(self._active)
        self._active.clear()
        return count

    def take(self, kinds: Collection[Kind], subject: Subject, when: str | None = None) -> ActiveFault | None:
        """The first fault of one of the kinds that acts on the subject now; counts the hit.

        `when` selects holds: before or after a request takes effect.
        """
        self._prune()
        for active in self._active.values():
            fault = active.fault
            if fault.kind in kinds and when in (None, fault.when) and fault.matches(subject) and self._acts(active):
                if active.left == 0 and fault.kind not in HOLDING:
                    del self._active[active.number]
                return active
        return None

    def all(self) -> list[ActiveFault]:
        """Every fault that has neither ended nor been cleared."""
        self._prune()
        return list(self._active.values())

    def find(self, number: int) -> ActiveFault | None:
        """A fault that has neither ended nor been cleared."""
        self._prune()
        return self._active.get(number)

    def holds(self, active: ActiveFault, hit: int) -> bool:
        """Whether the `hit`-th hit of a fault is still held: not released, and the fault is still active."""
        return not self.closed and hit > active.released and self.find(active.number) is active

    def release(self, number: int) -> int | None:
        """Release what a fault currently holds; returns the number, or None if it does not exist. It holds later hits.

        A hold that has reached its count ends with its last release.
        """
        active = self.find(number)
        if active is None:
            return None
        released, active.released = active.held, active.hits
        if active.left == 0:
            del self._active[number]
        return released

    def leave(self, active: ActiveFault, hit: int) -> None:
        """The `hit`-th hit no longer waits; a fault that is used up ends with its last waiting hit."""
        active.standing.discard(hit)
        if active.left == 0 and not active.standing:
            self._active.pop(active.number, None)

    def close(self) -> None:
        """Release everything and hold nothing from now on."""
        self.clear()
        self.closed = True

    def describe(self) -> list[dict[str, Any]]:
        """Plain values of all faults without defaults."""
        return [self.describe_one(active) for active in self.all()]

    def describe_one(self, active: ActiveFault) -> dict[str, Any]:
        """Plain values of one fault."""
        plain = Fault(kind=active.fault.kind)
        facts = {key: value for key, value in asdict(active.fault).items() if value != getattr(plain, key)}
        facts |= {"number": active.number, "kind": str(active.fault.kind), "seen": active.seen}
        facts |= {"hits": active.hits, "left": active.left}
        if active.fault.kind in HOLDING:
            facts["held"] = active.held
        if active.expires is not None:
            facts["ends_in_seconds"] = round(active.expires - self._clock(), 3)
        return facts

    def _acts(self, active: ActiveFault) -> bool:
        if active.left == 0:
            return False
        active.seen += 1
        if active.seen <= active.fault.after or self._chance() * 100 >= active.fault.share_percent:
            return False
        active.hits += 1
        return True

    def _prune(self) -> None:
        now = self._clock()
        for active in [one for one in self._active.values() if one.expires is not None and one.expires <= now]:
            del self._active[active.number]

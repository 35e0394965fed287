"""Values that are sampled from time to time: instances, their utilization, the number of connections.

`Steps` keeps a value that seldom changes as a list of changes; `Samples` keeps a value that always changes as samples
per second and sums per minute. Both are bounded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from localazure.monitor.buckets import KEPT_MINUTES, KEPT_SECONDS, MINUTE

KEPT_CHANGES = 1000

Value = TypeVar("Value")


class Steps(Generic[Value]):
    """A value that holds until the next one."""

    def __init__(self) -> None:
        self._changes: deque[tuple[float, Value]] = deque(maxlen=KEPT_CHANGES)

    def set(self, now: float, value: Value) -> None:
        """Set the value from now on."""
        if not self._changes or self._changes[-1][1] != value:
            self._changes.append((now, value))

    @property
    def last(self) -> Value | None:
        return self._changes[-1][1] if self._changes else None

    @property
    def changed(self) -> float:
        """When the last value was set."""
        return self._changes[-1][0] if self._changes else 0.0

    def between(self, start: float, end: float) -> Iterator[tuple[float, Value]]:
        """The values in [start, end), each with the seconds for which it was valid, from the first value on."""
        changes = list(self._changes)
        for index, (since, value) in enumerate(changes):
            until = changes[index + 1][0] if index + 1 < len(changes) else end
            held = min(until, end) - max(since, start)
            if held > 0:
                yield held, value


@dataclass(slots=True)
class Spread:
    """Sum, number, minimum and maximum of some samples."""

    total: float = 0.0
    count: int = 0
    minimum: float = float("inf")
    maximum: float = float("-inf")

    def add(self, value: float) -> None:
        """Add one sample."""
        self.merge(Spread(value, 1, value, value))

    def merge(self, other: Spread) -> None:
        """Combine the samples of both."""
        self.total += other.total
        self.count += other.count
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)


class Samples:
    """One value of one instance, sampled about once a second."""

    def __init__(self) -> None:
        self._seconds: deque[tuple[int, float]] = deque()
        self._minutes: deque[tuple[int, Spread]] = deque(maxlen=KEPT_MINUTES)

    def add(self, now: float, value: float) -> None:
        """A sample taken now."""
        second = int(now)
        self._seconds.append((second, value))
        self.limit(now)
        start = second - second % MINUTE
        if not self._minutes or self._minutes[-1][0] != start:
            self._minutes.append((start, Spread()))
        self._minutes[-1][1].add(value)

    def limit(self, now: float) -> None:
        """Forget old seconds; their minutes still count them."""
        while self._seconds and self._seconds[0][0] < now - KEPT_SECONDS:
            self._seconds.popleft()

    @property
    def last(self) -> int:
        """The time of the last sample, in Unix time; only to the minute if it is old."""
        if self._seconds:
            return self._seconds[-1][0]
        return self._minutes[-1][0] if self._minutes else 0

    def seconds(self, start: int, end: int, now: float) -> Iterator[tuple[int, Spread]]:
        """Samples of [start, end) whose second has ended at `now`."""
        for second, value in self._seconds:
            if start <= second < end and second + 1 <= now:
                yield second, Spread(value, 1, value, value)

    def minutes(self, start: int, end: int, now: float) -> Iterator[tuple[int, Spread]]:
        """Minutes of [start, end) that have ended at `now`."""
        for minute, spread in self._minutes:
            if start <= minute < end and minute + MINUTE <= now:
                yield minute, spread

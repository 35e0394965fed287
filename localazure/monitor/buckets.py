"""Requests of one deployment, counted per second and per minute, in bounded memory.

A request costs a few dictionary operations; seconds are folded into minutes when they are over. Latencies are kept in
a histogram with steps of 2 %, so that any stretch of time has percentiles within 1 % of the true value. No time is
read here: a request brings its own, a reader says what `now` is.
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from localazure.scoring.traffic import ServedRequest

MINUTE = 60
KEPT_SECONDS = 300
"""How long seconds can be read one by one; after that only their minutes can."""
KEPT_MINUTES = 750
"""Twelve hours and a half: the longest window of an autoscale rule, and a little."""
_STEPS = 1 / math.log(1.02)
_SHORTEST_SECONDS = 1e-6

Status = tuple[int, int | None]
"""What the caller got, and what the model answered."""


class Bucket:
    """What happened in one second or minute that starts at `start` (Unix time)."""

    __slots__ = ("bytes", "histogram", "seconds", "start", "statuses", "timed")

    def __init__(self, start: int) -> None:
        self.start = start
        self.statuses: dict[Status, int] = {}
        self.histogram: dict[int, int] = {}
        self.seconds = 0.0
        """Sum of the latencies of the `timed` requests."""
        self.timed = 0
        self.bytes = 0

    def add(self, served: ServedRequest) -> None:
        """Count one request. Those refused before they had a deployment have no latency to speak of."""
        status = (served.status, served.model_status)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.bytes += served.request_bytes + served.response_bytes
        if served.deployment:
            step = math.floor(math.log(max(served.seconds, _SHORTEST_SECONDS)) * _STEPS)
            self.histogram[step] = self.histogram.get(step, 0) + 1
            self.seconds += served.seconds
            self.timed += 1

    def merge(self, other: Bucket | PackedBucket) -> None:
        """Count what another one holds as well."""
        for status, count in other.statuses.items():
            self.statuses[status] = self.statuses.get(status, 0) + count
        for step, count in other.steps():
            self.histogram[step] = self.histogram.get(step, 0) + count
        self.seconds += other.seconds
        self.timed += other.timed
        self.bytes += other.bytes

    def steps(self) -> Iterator[tuple[int, int]]:
        """Step of the histogram, and number of requests in it."""
        return iter(self.histogram.items())

    def average_seconds(self) -> float | None:
        """None without requests."""
        return self.seconds / self.timed if self.timed else None

    def percentile_seconds(self, share: float) -> float | None:
        """The latency that `share` of the requests did not exceed; None without requests."""
        rank, seen = math.ceil(share * self.timed), 0
        for step, count in sorted(self.histogram.items()):
            seen += count
            if seen >= rank:
                return math.exp((step + 0.5) / _STEPS)
        return None


@dataclass(frozen=True, slots=True)
class PackedBucket:
    """A second or minute that is over, or as far as it has come, in a tenth of the memory."""

    start: int
    statuses: dict[Status, int]
    seconds: float
    timed: int
    bytes: int
    packed_steps: array[int]
    """Of 16 bits."""
    packed_counts: array[int]
    """Of 64 bits, in the order of the steps."""

    @classmethod
    def of(cls, bucket: Bucket) -> PackedBucket:
        """What a bucket holds."""
        steps, counts = array("h", bucket.histogram.keys()), array("Q", bucket.histogram.values())
        return cls(bucket.start, bucket.statuses, bucket.seconds, bucket.timed, bucket.bytes, steps, counts)

    def steps(self) -> Iterator[tuple[int, int]]:
        """As of a `Bucket`."""
        return zip(self.packed_steps, self.packed_counts, strict=True)


class RequestSeries:
    """The requests of one deployment (or of an endpoint, refused before they had a deployment)."""

    def __init__(self, endpoint: str, deployment: str) -> None:
        self.endpoint, self.deployment = endpoint, deployment
        self._current = Bucket(0)
        self._minute = Bucket(0)
        self._seconds: deque[PackedBucket] = deque()
        self._minutes: deque[PackedBucket] = deque()
        self._restored: deque[PackedBucket] = deque()
        """Of earlier runs of the server; the last one may be of the same minute as the first of this run."""

    @property
    def last(self) -> int:
        """When the last request was, in Unix time."""
        return self._current.start

    def add(self, served: ServedRequest, second: int) -> None:
        """Count a request that ended in `second`. Earlier than the last one it counts as now: clocks are set back."""
        if second > self._current.start:
            self._close(second)
        self._current.add(served)

    def limit(self, minutes: int, now: float) -> None:
        """Forget what is older than the last `minutes` minutes with requests, and old seconds."""
        self._forget_seconds(now)
        while len(self._restored) + len(self._minutes) > minutes:
            (self._restored or self._minutes).popleft()

    def restore(self, minute: PackedBucket) -> None:
        """Take in a minute of an earlier run; they come in the order of time."""
        self._restored.append(minute)

    def seconds(self, start: int, end: int, now: float) -> Iterator[Bucket | PackedBucket]:
        """Seconds with requests in [start, end) that are over at `now`."""
        kept: tuple[Bucket | PackedBucket, ...] = (*self._seconds, self._current)
        for bucket in kept:
            if start <= bucket.start < end and bucket.start + 1 <= now and bucket.statuses:
                yield bucket

    def minutes(self, start: int, end: int, now: float) -> Iterator[Bucket | PackedBucket]:
        """Minutes with requests in [start, end) that are over at `now`."""
        for packed in chain(self._restored, self._minutes):
            if start <= packed.start < end and packed.start + MINUTE <= now:
                yield packed
        for bucket in self._running_minutes():
            if start <= bucket.start < end and bucket.start + MINUTE <= now and bucket.statuses:
                yield bucket

    def minutes_since(self, second: int) -> Iterator[PackedBucket]:
        """Minutes with a request in or after `second`, as far as they have come; none that was restored."""
        if self._current.start < second:
            return
        for packed in reversed(self._minutes):
            if packed.start + MINUTE <= second:
                break
            yield packed
        for bucket in self._running_minutes():
            if bucket.start + MINUTE > second and bucket.statuses:
                yield PackedBucket.of(bucket)

    def _running_minutes(self) -> list[Bucket]:
        """What is not packed yet, the current second included: of one minute, or of two at its end."""
        first = Bucket(self._minute.start)
        first.merge(self._minute)
        start = _minute_of(self._current.start)
        if start == first.start:
            first.merge(self._current)
            return [first]
        second = Bucket(start)
        second.merge(self._current)
        return [first, second]

    def _close(self, second: int) -> None:
        closed = self._current
        self._current = Bucket(second)
        if not closed.statuses:
            return
        self._seconds.append(PackedBucket.of(closed))
        self._forget_seconds(second)
        start = _minute_of(closed.start)
        if start != self._minute.start:
            if self._minute.statuses:
                self._minutes.append(PackedBucket.of(self._minute))
            self._minute = Bucket(start)
        self._minute.merge(closed)

    def _forget_seconds(self, now: float) -> None:
        while self._seconds and self._seconds[0].start < now - KEPT_SECONDS:
            self._seconds.popleft()


def _minute_of(second: int) -> int:
    return second - second % MINUTE

"""Requests of one deployment, counted per second and per minute, in bounded memory.

A request costs a few dictionary operations; seconds are merged into minutes once they have ended. A histogram with
steps of 2 % holds the latencies, so percentiles of any period are within 1 % of the true value. This module reads no
clock: a request brings its time, and a reader passes `now`.
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from localazure.scoring.served import ServedRequest

MINUTE = 60
KEPT_SECONDS = 300
"""How long single seconds can be read; after that only their minutes."""
KEPT_MINUTES = 750
"""Twelve and a half hours: the longest window of an autoscale rule, with a margin."""
_STEPS = 1 / math.log(1.02)
_SHORTEST_SECONDS = 1e-6

Status = tuple[int, int | None]
"""The caller's status and the model's."""


class Bucket:
    """The requests of one second or minute that starts at `start` (Unix time)."""

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
        """Count one request. Requests refused before a deployment was chosen have no meaningful latency."""
        status = (served.status, served.model_status)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.bytes += served.request_bytes + served.response_bytes
        if served.deployment:
            step = math.floor(math.log(max(served.seconds, _SHORTEST_SECONDS)) * _STEPS)
            self.histogram[step] = self.histogram.get(step, 0) + 1
            self.seconds += served.seconds
            self.timed += 1

    def merge(self, other: Bucket | PackedBucket) -> None:
        """Add the counts of another bucket."""
        for status, count in other.statuses.items():
            self.statuses[status] = self.statuses.get(status, 0) + count
        for step, count in other.steps():
            self.histogram[step] = self.histogram.get(step, 0) + count
        self.seconds += other.seconds
        self.timed += other.timed
        self.bytes += other.bytes

    def steps(self) -> Iterator[tuple[int, int]]:
        """Step of the histogram -> number of requests."""
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
    """A second or minute, complete or so far, in a tenth of the memory."""

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
        """Pack a bucket."""
        steps, counts = array("h", bucket.histogram.keys()), array("Q", bucket.histogram.values())
        return cls(bucket.start, bucket.statuses, bucket.seconds, bucket.timed, bucket.bytes, steps, counts)

    def steps(self) -> Iterator[tuple[int, int]]:
        """The same as for a `Bucket`."""
        return zip(self.packed_steps, self.packed_counts, strict=True)


class RequestSeries:
    """The requests of one deployment (or those of an endpoint that were refused before a deployment was chosen)."""

    def __init__(self, endpoint: str, deployment: str) -> None:
        self.endpoint, self.deployment = endpoint, deployment
        self._current = Bucket(0)
        self._minute = Bucket(0)
        self._seconds: deque[PackedBucket] = deque()
        self._minutes: deque[PackedBucket] = deque()
        self._restored: deque[PackedBucket] = deque()
        """Minutes of earlier runs of the server; the last may be the same minute as the first of this run."""

    @property
    def last(self) -> int:
        """The time of the last request, in Unix time."""
        return self._current.start

    def add(self, served: ServedRequest, second: int) -> None:
        """Count a request that ended in `second`. If the clock was set back, it counts as now."""
        if second > self._current.start:
            self._close(second)
        self._current.add(served)

    def limit(self, minutes: int, now: float) -> None:
        """Forget what is older than the last `minutes` minutes with requests, and old seconds."""
        self._forget_seconds(now)
        while len(self._restored) + len(self._minutes) > minutes:
            (self._restored or self._minutes).popleft()

    def restore(self, minute: PackedBucket) -> None:
        """Add a minute of an earlier run; call it in the order of time."""
        self._restored.append(minute)

    def seconds(self, start: int, end: int, now: float) -> Iterator[Bucket | PackedBucket]:
        """Seconds with requests in [start, end) that have ended at `now`."""
        kept: tuple[Bucket | PackedBucket, ...] = (*self._seconds, self._current)
        for bucket in kept:
            if start <= bucket.start < end and bucket.start + 1 <= now and bucket.statuses:
                yield bucket

    def minutes(self, start: int, end: int, now: float) -> Iterator[Bucket | PackedBucket]:
        """Minutes with requests in [start, end) that have ended at `now`."""
        for packed in chain(self._restored, self._minutes):
            if start <= packed.start < end and packed.start + MINUTE <= now:
                yield packed
        for bucket in self._running_minutes():
            if start <= bucket.start < end and bucket.start + MINUTE <= now and bucket.statuses:
                yield bucket

    def minutes_since(self, second: int) -> Iterator[PackedBucket]:
        """Minutes with a request in or after `second`, including the current one; no restored ones."""
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
        """Buckets that are not packed yet, including the current second: from one minute, or from two at its end."""
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

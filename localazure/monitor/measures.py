"""Turns counts and samples into time series as Azure Monitor defines them.

A period without requests has no value, rather than zero. Of the current period, only complete minutes (for a grain
below a minute: seconds) count. Percentiles cover all requests of the period, even if it is longer than the minute for
which Azure publishes them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from localazure.monitor.buckets import MINUTE, Bucket, PackedBucket
from localazure.monitor.definitions import (
    DEPLOYMENT,
    ENVOY_STATUS,
    INSTANCE,
    MODEL_STATUS,
    PERCENTILES,
    STATE,
    STATUS,
    STATUS_CLASS,
    Definition,
)
from localazure.monitor.filters import Filter
from localazure.monitor.gauges import Spread, Steps
from localazure.monitor.metrics import CPU, MEMORY, Metrics, States
from localazure.resource_id import ResourceId

_MODEL_NOT_REACHED = "-"
_USAGE = {"CpuUtilizationPercentage": CPU, "CpuMemoryUtilizationPercentage": MEMORY}

Point = dict[str, float]
"""Aggregation, in the API's spelling (`average`) -> value."""
Group = tuple[str, ...]
"""Values of the dimensions that the result is split by, in that order."""
Series = dict[Group, dict[int, Point]]
"""For each group, its points by the start of their grain."""


@dataclass(frozen=True)
class Span:
    """From `start` to `end` (Unix time, whole seconds) in grains, read at `now`."""

    start: int
    end: int
    grain: int
    now: float

    @property
    def fine(self) -> bool:
        """Whether to read seconds instead of minutes."""
        return self.grain < MINUTE

    def slot(self, second: int) -> int:
        """Start of the grain that contains a second."""
        return second - (second - self.start) % self.grain

    def slots(self) -> range:
        """Starts of all grains."""
        return range(self.start, self.end, self.grain)

    def over(self, slot: int) -> float:
        """The seconds of a grain that count so far."""
        step = 1 if self.fine else MINUTE
        return min(self.grain, self.end - slot, int(self.now) // step * step - slot)


@dataclass(frozen=True)
class Measured:
    """An endpoint, or one deployment of it."""

    endpoint: str
    deployment: str | None = None

    @classmethod
    def of(cls, resource_id: ResourceId) -> Measured:
        """From the ARM id of an endpoint or a deployment."""
        return cls(*resource_id.names[1:])


def measure(metrics: Metrics, definition: Definition, resource: Measured, span: Span, wanted: Filter) -> Series:
    """The time series of one metric, split by the dimensions of the filter."""
    if definition.name == "RequestsPerMinute":
        return _requests(metrics, resource, span, wanted)
    if definition.name.startswith("RequestLatency"):
        return _latency(metrics, definition, resource, span, wanted)
    if definition.name == "NetworkBytes":
        return _bytes(metrics, resource, span)
    if definition.name == "ConnectionsActive":
        return {(): _connections(metrics.connections(resource.endpoint), span)}
    assert resource.deployment is not None  # the other metrics belong to deployments
    if definition.name == "DeploymentCapacity":
        return _capacity(metrics, resource.endpoint, resource.deployment, span, wanted)
    return _usage(metrics, _USAGE[definition.name], resource.endpoint, resource.deployment, span, wanted)


def _buckets(metrics: Metrics, resource: Measured, span: Span) -> Iterator[tuple[str, Bucket | PackedBucket]]:
    for series in metrics.requests(resource.endpoint, resource.deployment):
        read = series.seconds if span.fine else series.minutes
        for bucket in read(span.start, span.end, span.now):
            yield series.deployment, bucket


def _requests(metrics: Metrics, resource: Measured, span: Span, wanted: Filter) -> Series:
    counts: dict[Group, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for deployment, bucket in _buckets(metrics, resource, span):
        slot = span.slot(bucket.start)
        for (status, model_status), count in bucket.statuses.items():
            values = {
                DEPLOYMENT: deployment,
                STATUS: str(status),
                STATUS_CLASS: f"{status // 100}xx",
                MODEL_STATUS: _MODEL_NOT_REACHED if model_status is None else str(model_status),
                ENVOY_STATUS: str(status),
            }
            if wanted.matches(values):
                counts[tuple(values[name] for name in wanted.dimensions)][slot] += count
    return {
        group: {slot: {"average": count * MINUTE / span.over(slot)} for slot, count in slots.items()}
        for group, slots in counts.items()
    }


def _latency(metrics: Metrics, definition: Definition, resource: Measured, span: Span, wanted: Filter) -> Series:
    merged: dict[Group, dict[int, Bucket]] = defaultdict(dict)
    for deployment, bucket in _buckets(metrics, resource, span):
        if bucket.timed and wanted.matches({DEPLOYMENT: deployment}):
            group: Group = (deployment,) if wanted.dimensions else ()
            slot = span.slot(bucket.start)
            merged[group].setdefault(slot, Bucket(slot)).merge(bucket)
    share = PERCENTILES.get(definition.name)
    series: Series = {}
    for group, slots in merged.items():
        for slot, bucket in slots.items():
            seconds = bucket.average_seconds() if share is None else bucket.percentile_seconds(share)
            if seconds is not None:
                series.setdefault(group, {})[slot] = {"average": round(seconds * 1000, 3)}
    return series


def _bytes(metrics: Metrics, resource: Measured, span: Span) -> Series:
    totals: dict[int, int] = defaultdict(int)
    for _, bucket in _buckets(metrics, resource, span):
        totals[span.slot(bucket.start)] += bucket.bytes
    return {(): {slot: {"average": total / span.over(slot)} for slot, total in totals.items()}}


def _capacity(metrics: Metrics, endpoint: str, deployment: str, span: Span, wanted: Filter) -> Series:
    states = metrics.gauges(endpoint, deployment).capacity
    series: Series = defaultdict(dict)
    for slot in _begun(span):
        held = [(seconds, _count(present, wanted)) for seconds, present in states.between(slot, slot + span.over(slot))]
        groups = {group for _, counts in held for group in counts}
        for group in groups:
            series[group][slot] = _weigh([(seconds, counts[group]) for seconds, counts in held])
    return series


def _count(present: States, wanted: Filter) -> Counter[Group]:
    counts: Counter[Group] = Counter() if wanted.dimensions else Counter({(): 0})
    for instance, state in present:
        values = {INSTANCE: instance, STATE: state}
        if wanted.matches(values):
            counts[tuple(values[name] for name in wanted.dimensions)] += 1
    return counts


def _usage(metrics: Metrics, kind: str, endpoint: str, deployment: str, span: Span, wanted: Filter) -> Series:
    spreads: dict[Group, dict[int, Spread]] = defaultdict(lambda: defaultdict(Spread))
    for (name, instance), samples in metrics.gauges(endpoint, deployment).usage.items():
        if name != kind or not wanted.matches({INSTANCE: instance}):
            continue
        read = samples.seconds if span.fine else samples.minutes
        for moment, spread in read(span.start, span.end, span.now):
            spreads[(instance,) if wanted.dimensions else ()][span.slot(moment)].merge(spread)
    return {
        group: {
            slot: {"average": one.total / one.count, "minimum": one.minimum, "maximum": one.maximum}
            for slot, one in slots.items()
        }
        for group, slots in spreads.items()
    }


def _connections(steps: Steps[int], span: Span) -> dict[int, Point]:
    points = {}
    for slot in _begun(span):
        if held := list(steps.between(slot, slot + span.over(slot))):
            points[slot] = _weigh(held)
    return points


def _weigh(held: Sequence[tuple[float, int]]) -> Point:
    """Average over time, and extremes, of a number; `held` maps each value to its seconds."""
    total = sum(seconds for seconds, _ in held)
    values = [value for _, value in held]
    average = sum(seconds * value for seconds, value in held) / total
    return {"average": round(average, 6), "minimum": min(values), "maximum": max(values)}


def _begun(span: Span) -> Iterable[int]:
    return (slot for slot in span.slots() if span.over(slot) > 0)

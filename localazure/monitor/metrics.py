"""All metrics of one local Azure: requests that the router reports, and values that `sampler.py` samples.

Names are compared without case, as ARM does. It returns buckets and samples; `measures.py` turns them into metrics as
Azure Monitor defines them. Only minutes of requests survive the process (`history.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from localazure.monitor.buckets import KEPT_MINUTES, PackedBucket, RequestSeries
from localazure.monitor.gauges import Samples, Steps
from localazure.scoring.served import ServedRequest

MAX_MINUTES = 40_000
"""For all series together: about 40 MB if all of them were busy. Beyond that, older minutes are dropped first."""
MAX_SERIES = 2000
"""The series that has been idle longest is dropped first."""
FORGET_AFTER_SECONDS = 3600.0
"""How long samples of a deployment or an endpoint stay after its deletion."""
CPU, MEMORY = "cpu", "memory"

States = tuple[tuple[str, str], ...]
"""Instance and state, for each instance of a deployment."""


@dataclass
class DeploymentGauges:
    """The samples of one deployment."""

    capacity: Steps[States] = field(default_factory=Steps)
    usage: dict[tuple[str, str], Samples] = field(default_factory=dict)
    """In percent, by CPU or MEMORY and instance."""


class Metrics:
    """The store. `observe` is called for every request; everything else is rare."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._requests: dict[tuple[str, str], RequestSeries] = {}
        self._as_spelled: dict[tuple[str, str], RequestSeries] = {}
        self._gauges: dict[tuple[str, str], DeploymentGauges] = {}
        self._connections: dict[str, Steps[int]] = {}

    def observe(self, served: ServedRequest) -> None:
        """Count one request."""
        series = self._as_spelled.get((served.endpoint, served.deployment))
        if series is None:
            series = self._new_series(served.endpoint, served.deployment)
        series.add(served, int(served.started + served.seconds))

    def record_instances(self, endpoint: str, deployment: str, now: float, states: States) -> None:
        """Record the current instances of a deployment and their states."""
        self._gauges_of(endpoint, deployment).capacity.set(now, states)

    def record_usage(self, endpoint: str, deployment: str, instance: str, now: float, **percent: float) -> None:
        """Record the utilization of an instance: `cpu` and `memory` in percent."""
        usage = self._gauges_of(endpoint, deployment).usage
        for name, value in percent.items():
            usage.setdefault((name, instance), Samples()).add(now, value)
        if len(usage) > 100:  # instances that ended long ago
            for key in sorted(usage, key=lambda key: usage[key].last)[:-100]:
                del usage[key]

    def record_connections(self, endpoint: str, now: float, count: int) -> None:
        """Record the number of connected clients that have called the endpoint."""
        self._connections.setdefault(endpoint.lower(), Steps()).set(now, count)

    def requests(self, endpoint: str, deployment: str | None = None) -> Iterator[RequestSeries]:
        """The series of one deployment, or all of an endpoint."""
        if deployment is not None:
            series = self._requests.get((endpoint.lower(), deployment.lower()))
            yield from [series] if series else []
            return
        yield from [one for (name, _), one in self._requests.items() if name == endpoint.lower()]

    def all_requests(self) -> Iterable[RequestSeries]:
        """The series of all endpoints."""
        return self._requests.values()

    def restore(self, endpoint: str, deployment: str, minute: PackedBucket) -> None:
        """Take in a minute of an earlier run of the server; they come in the order of time."""
        self._new_series(endpoint, deployment).restore(minute)

    def gauges(self, endpoint: str, deployment: str) -> DeploymentGauges:
        """The samples of a deployment; empty if there are none."""
        return self._gauges.get((endpoint.lower(), deployment.lower())) or DeploymentGauges()

    def connections(self, endpoint: str) -> Steps[int]:
        """Connections of an endpoint."""
        return self._connections.get(endpoint.lower()) or Steps()

    def limit(self, now: float) -> None:
        """Enforce all bounds; called from time to time."""
        while len(self._requests) > MAX_SERIES:
            key = min(self._requests, key=lambda key: self._requests[key].last)
            self._forget(key)
        kept = min(KEPT_MINUTES, MAX_MINUTES // max(1, len(self._requests)))
        for series in self._requests.values():
            series.limit(kept, now)
        for gauges in self._gauges.values():
            for samples in gauges.usage.values():
                samples.limit(now)
        for name, steps in list(self._connections.items()):
            if not steps.last and now - steps.changed > FORGET_AFTER_SECONDS:
                del self._connections[name]

    def forget_gauges(self, present: Mapping[tuple[str, str], object], now: float) -> None:
        """Drop the samples of deployments that were deleted some time ago."""
        for key in [key for key in self._gauges if key not in present]:
            gauges = self._gauges[key]
            gauges.capacity.set(now, ())
            if now - gauges.capacity.changed > FORGET_AFTER_SECONDS:
                del self._gauges[key]

    def _new_series(self, endpoint: str, deployment: str) -> RequestSeries:
        key = (endpoint.lower(), deployment.lower())
        series = self._requests.get(key)
        if series is None:
            series = self._requests[key] = RequestSeries(endpoint, deployment)
        self._as_spelled[endpoint, deployment] = series
        return series

    def _forget(self, key: tuple[str, str]) -> None:
        del self._requests[key]
        self._as_spelled = {
            spelled: series
            for spelled, series in self._as_spelled.items()
            if (spelled[0].lower(), spelled[1].lower()) != key
        }

    def _gauges_of(self, endpoint: str, deployment: str) -> DeploymentGauges:
        return self._gauges.setdefault((endpoint.lower(), deployment.lower()), DeploymentGauges())

"""The outcome of each request, and running totals per deployment.

`ServedRequest` goes to every observer of the router; `Totals` is the observer that the status needs. Other observers
compute metrics per minute, percentiles over time and traffic logs.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

_RECENT = 1000


@dataclass(slots=True)
class ServedRequest:
    """One answered request to a deployment."""

    endpoint: str
    deployment: str
    """Empty for a request that was refused before a deployment was chosen."""
    request_id: str
    method: str
    path: str
    started: float
    """Unix time in seconds."""
    seconds: float
    status: int
    """The caller's status (for a mirrored copy: the status that a caller would have got)."""
    model_status: int | None
    """The model server's status; None when it was not reached."""
    request_bytes: int
    response_bytes: int
    mirrored: bool = False
    direct: bool = False
    """Routed by the azureml-model-deployment header."""
    headers: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)
    """As the caller sent them, including the key: never write them as a whole."""


@dataclass
class Totals:
    """Running totals of one deployment since the process started."""

    requests: int = 0
    mirrored: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    recent_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))

    def add(self, served: ServedRequest) -> None:
        """Count one request."""
        self.requests += 1
        self.mirrored += served.mirrored
        self.statuses[served.status] += 1
        if served.model_status is not None:
            self.recent_seconds.append(served.seconds)

    def summary(self) -> dict[str, Any]:
        """Plain values; latencies are those of the most recent requests that reached a model."""
        ordered = sorted(self.recent_seconds)

        def percentile(share: float) -> float | None:
            return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 3) if ordered else None

        return {
            "requests": self.requests,
            "mirrored": self.mirrored,
            "errors": sum(count for status, count in self.statuses.items() if status >= 400),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "latency_ms": {"p50": percentile(0.50), "p95": percentile(0.95), "p99": percentile(0.99)},
        }

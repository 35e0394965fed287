"""What came back of a load: counts per deployment, status and kind of failure, latencies, and starts that were late."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DEPLOYMENT_HEADER = "azureml-model-deployment"
LATE_SECONDS = 0.01
"""A request that starts so much later than it was due is late; an event loop alone is less."""
NOT_STARTED = "NotStarted"
"""The kind of failure of a request that was due and for which there was no room until the time was up."""


@dataclass
class Tally:
    """What came back."""

    deployments: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    errors_by_deployment: Counter[str] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)
    scheduled: int = 0
    """Requests that started on a schedule; the figures below are theirs."""
    late: int = 0
    greatest_delay_ms: float = 0.0
    """Between when a request was due and when it started."""

    @property
    def requests(self) -> int:
        """Every request sent, answered or not, and those that were due and not sent."""
        return sum(self.statuses.values()) + sum(self.failures.values())

    @property
    def failed(self) -> int:
        """Requests that got no answer, or another one than 2xx."""
        return sum(self.failures.values()) + sum(n for status, n in self.statuses.items() if not 200 <= status < 300)

    def count_start(self, delay_seconds: float) -> None:
        """Count a request that started on a schedule, so long after it was due."""
        self.scheduled += 1
        self.late += delay_seconds > LATE_SECONDS
        self.greatest_delay_ms = max(self.greatest_delay_ms, delay_seconds * 1000)

    def count_answer(self, status: int, headers: Mapping[str, str], latency_seconds: float) -> None:
        """Count an answer, whatever its status."""
        self.statuses[status] += 1
        self.latencies_ms.append(latency_seconds * 1000)
        deployment = headers.get(DEPLOYMENT_HEADER)
        if deployment:
            self.deployments[deployment] += 1
            if not 200 <= status < 300:
                self.errors_by_deployment[deployment] += 1

    def split_percent(self) -> dict[str, float]:
        """The observed share of each deployment among the answered requests."""
        answered = sum(self.deployments.values())
        return {name: round(100 * count / answered, 1) for name, count in sorted(self.deployments.items())}

    def percentile_ms(self, share: float) -> float | None:
        """A latency percentile of the answered requests; None without answers."""
        if not self.latencies_ms:
            return None
        ordered = sorted(self.latencies_ms)
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

    def facts(self) -> dict[str, Any]:
        """The numbers for a machine; `starts` only where there was a schedule."""
        facts = {
            "requests": self.requests,
            "failed": self.failed,
            "deployments": dict(self.deployments),
            "split_percent": self.split_percent(),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "failures": dict(self.failures),
            "errors_by_deployment": dict(self.errors_by_deployment),
            "latency_ms": {"p50": self.percentile_ms(0.5), "p95": self.percentile_ms(0.95)},
        }
        if self.scheduled:
            greatest = round(self.greatest_delay_ms, 1)
            facts["starts"] = {"scheduled": self.scheduled, "late": self.late, "greatest_delay_ms": greatest}
        return facts

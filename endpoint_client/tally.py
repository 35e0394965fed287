"""The results of a load: counts per deployment, status and kind of failure, latencies, and late starts."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DEPLOYMENT_HEADER = "azureml-model-deployment"
LATE_SECONDS = 0.01
"""A request that starts at least this much after it was due is late; the event loop alone causes less."""
NOT_STARTED = "NotStarted"
"""The kind of failure of a request that was due but could not start before the end of the load."""


@dataclass
class Tally:
    """What came back."""

    deployments: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    errors_by_deployment: Counter[str] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)
    scheduled: int = 0
    """Requests that started on a schedule; the figures below concern them."""
    late: int = 0
    greatest_delay_ms: float = 0.0
    """The greatest time between when a request was due and when it started."""

    @property
    def requests(self) -> int:
        """Every request that was sent, answered or not, and those that were due but not sent."""
        return sum(self.statuses.values()) + sum(self.failures.values())

    @property
    def failed(self) -> int:
        """Requests that got no answer, or one other than 2xx."""
        return sum(self.failures.values()) + sum(n for status, n in self.statuses.items() if not 200 <= status < 300)

    def count_start(self, delay_seconds: float) -> None:
        """Count a request that started on a schedule, with its delay after it was due."""
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
        """The figures for JSON; `starts` only if there was a schedule."""
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

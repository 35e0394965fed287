"""Reads the metrics of one online endpoint from Azure Monitor, by the route through Resource Manager.

The client is azure-mgmt-monitor, which Microsoft names as the successor of `MetricsQueryClient`. Its route has the
address and the login of Resource Manager, so it works in every cloud that `ArmClient` finds, and it needs a role on the
endpoint only; the batch route (azure-monitor-querymetrics) has a host per region and needs one on the subscription
(docs/adr/0028). A refused query is repeated on a budget of its own: three attempts, ten seconds between two at most.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from resource_manager.client import ArmClient
from rollout.errors import MetricsError
from rollout.sources.metric_answer import MINUTE, PERCENTILES, Answer, Look, Series, look_at

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

REQUESTS = "RequestsPerMinute"
DIMENSIONS = ("deployment", "statusCode", "modelStatusCode")
USAGE = {"cpu": "CpuUtilizationPercentage", "memory": "CpuMemoryUtilizationPercentage"}
TOP = 1000
"""Time series of an answer; by default Azure leaves out all but 10 without saying so."""
LONGEST_QUERY = 500
"""Intervals of one query: few enough for the answer's size, and for the ten minutes that PT1S covers at once."""
ATTEMPTS = 3
LONGEST_WAIT_SECONDS = 10.0
TIMEOUT_SECONDS = 30
REPEATED = frozenset({408, 429, 500, 502, 503, 504, 529})
"""529 is the answer of an overloaded batch route (Grafana's documentation); the other one may give it as well."""
CHECK = "Check the network and the role Monitoring Reader on the endpoint; for a local Azure, `sluice local status`."


@dataclass(frozen=True, kw_only=True)
class Grain:
    """The finest grain of the metrics, and how far back it reaches; both in seconds."""

    seconds: int
    reach_seconds: int


class MetricsRoute(Protocol):
    """The two questions that Azure Monitor answers about a resource."""

    def definitions(self, resource_id: str) -> Sequence[Any]:
        """`MetricDefinition` objects of azure-mgmt-monitor, or objects of their shape."""

    def query(
        self, resource_id: str, metrics: Sequence[str], dimensions: Sequence[str], start: int, end: int, grain: int
    ) -> Mapping[str, Sequence[Series]]:
        """The time series of each metric in `[start, end)`, split by all values of some dimensions."""


class AzureMonitor:
    """The metrics of one endpoint."""

    def __init__(self, endpoint_id: str, route: MetricsRoute) -> None:
        self.endpoint_id = endpoint_id
        self._route = route

    @cached_property
    def grain(self) -> Grain:
        """The finest grain of the counts. Raises MetricsError if Azure does not offer what the gates need."""
        definition = next(
            (one for one in self._route.definitions(self.endpoint_id) if _value(one.name) == REQUESTS), None
        )
        if definition is None:
            raise MetricsError(f"Azure Monitor offers no metric {REQUESTS} for {self.endpoint_id}. {CHECK}")
        offered = {(_value(one) or "").lower() for one in definition.dimensions or ()}
        if missing := [name for name in DIMENSIONS if name.lower() not in offered]:
            raise MetricsError(
                f"Azure Monitor does not split {REQUESTS} of {self.endpoint_id} by {', '.join(missing)}: without it "
                "errors cannot be told from answers, and no gate can speak."
            )
        grains = {one.time_grain: one.retention for one in definition.metric_availabilities or () if one.time_grain}
        if not grains or min(grains) < timedelta(seconds=1):
            raise MetricsError(f"Azure Monitor names no grain for {REQUESTS} of {self.endpoint_id}. Try again later.")
        finest = min(grains)
        reach = grains[finest] or timedelta(days=93)
        return Grain(seconds=int(finest.total_seconds()), reach_seconds=int(reach.total_seconds()))

    def looks(self, since: int, now: int, grain: int, *, counts_only: bool = False) -> tuple[Look, ...]:
        """Every interval of `grain` seconds that began in `since` or later and has ended by `now`, in order.

        What lies further back than the metric reaches is left out. Costs three queries per 500 intervals, or one if
        only the counts are asked for.
        """
        oldest = now - self.grain.reach_seconds + grain if grain == self.grain.seconds else since
        start, end = math.ceil(max(since, oldest) / grain) * grain, now // grain * grain
        looks: list[Look] = []
        for first in range(start, end, LONGEST_QUERY * grain):
            last = min(end, first + LONGEST_QUERY * grain)
            answer = self._answer(first, last, grain, counts_only=counts_only)
            looks += look_at(answer, range(first, last, grain), grain, now)
        return tuple(looks)

    def _answer(self, start: int, end: int, grain: int, *, counts_only: bool) -> Answer:
        if counts_only:
            return Answer(split=self._query([REQUESTS], DIMENSIONS, start, end, grain)[REQUESTS])
        total = self._query([REQUESTS], [], start, end, grain)[REQUESTS]
        split = self._query([REQUESTS], DIMENSIONS, start, end, grain)[REQUESTS]
        return Answer(split=split, total=total, latencies=self._query(PERCENTILES, DIMENSIONS[:1], start, end, grain))

    def peak_per_minute(self, since: int, now: int) -> float:
        """The most requests that the endpoint had in a minute; 0 without requests."""
        start, end = since // MINUTE * MINUTE, math.ceil(now / MINUTE) * MINUTE
        values = [0.0]
        for first in range(start, end, LONGEST_QUERY * MINUTE):
            found = self._query([REQUESTS], [], first, min(end, first + LONGEST_QUERY * MINUTE), MINUTE)
            values += [value for series in found[REQUESTS] for value in series.values.values() if value is not None]
        return max(value for value in values if math.isfinite(value))

    def usage(self, deployment: str, since: int, now: int, grain: int) -> dict[str, float | None]:
        """CPU and memory of a deployment in percent, on average; by `cpu` and `memory`, None without a value."""
        start, end = since // grain * grain, now // grain * grain
        found = self._query(
            list(USAGE.values()), [], start, end, grain, resource_id=f"{self.endpoint_id}/deployments/{deployment}"
        )
        return {name: _mean(found[metric]) for name, metric in USAGE.items()}

    def _query(
        self,
        metrics: Sequence[str],
        dimensions: Sequence[str],
        start: int,
        end: int,
        grain: int,
        resource_id: str | None = None,
    ) -> Mapping[str, Sequence[Series]]:
        found = self._route.query(resource_id or self.endpoint_id, metrics, dimensions, start, end, grain)
        for name, series in found.items():
            if len(series) >= TOP:
                raise MetricsError(
                    f"Azure Monitor has {TOP} or more time series of {name}: some may have been left out, so errors "
                    "could be missing. Remove unused deployments from the endpoint."
                )
        return found


class ArmMetricsRoute:
    """Azure Monitor through Resource Manager, with azure-mgmt-monitor."""

    def __init__(self, arm: ArmClient, subscription_id: str, **client_options: Any) -> None:
        """`client_options` are those of every client of azure-core, such as `transport`."""
        self._arm = arm
        self._subscription_id = subscription_id
        self._client_options = client_options

    @cached_property
    def _client(self) -> Any:
        from azure.mgmt.monitor import MonitorManagementClient  # 0.2 s: only a rollout pays it

        return MonitorManagementClient(
            _ArmCredential(self._arm),
            self._subscription_id,
            base_url=self._arm.base_url,
            credential_scopes=[f"{self._arm.base_url}/.default"],
            retry_total=0,
            connection_timeout=TIMEOUT_SECONDS,
            read_timeout=TIMEOUT_SECONDS,
            **self._client_options,
        )

    def definitions(self, resource_id: str) -> Sequence[Any]:
        found: list[Any] = _repeated(
            lambda: list(self._client.metric_definitions.list(resource_id)), "metric definitions"
        )
        return found

    def query(
        self, resource_id: str, metrics: Sequence[str], dimensions: Sequence[str], start: int, end: int, grain: int
    ) -> Mapping[str, Sequence[Series]]:
        names = ",".join(metrics)
        answer = _repeated(
            lambda: self._client.metrics.list(
                resource_id,
                timespan=f"{_text(start)}/{_text(end)}",
                interval=timedelta(seconds=grain),
                metricnames=names,
                aggregation="Average",
                filter=" and ".join(f"{name} eq '*'" for name in dimensions) or None,
                top=TOP if dimensions else None,
            ),
            names,
        )
        found: dict[str, Sequence[Series]] = {}
        for metric in answer.value or ():
            if (code := metric.error_code) not in (None, "Success"):
                raise MetricsError(f"Azure Monitor cannot read {_value(metric.name)}: {code}. Try again later.")
            found[_value(metric.name)] = tuple(_series(one) for one in metric.timeseries or ())
        if missing := [name for name in metrics if name not in found]:
            raise MetricsError(f"Azure Monitor left out {', '.join(missing)} from its answer. Try again later.")
        return found


class _ArmCredential:
    """The login of `ArmClient`, for a client of azure-core, which asks again before a token ends."""

    def __init__(self, arm: ArmClient) -> None:
        self._arm = arm

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        """The token for the service that the first scope names."""
        return self._arm.access_token(scopes[0].removesuffix("/.default"))


def _repeated(ask: Callable[[], Any], what: str) -> Any:
    from azure.core.exceptions import AzureError, HttpResponseError

    problem = ""
    for attempt in range(1, ATTEMPTS + 1):
        wait = 0.5 * 3**attempt
        try:
            return ask()
        except HttpResponseError as error:
            status = error.status_code or 0
            problem = f"{status} {' '.join((error.message or '').split())[:300]}".strip()
            if status not in REPEATED:
                break
            wait = max(wait, _retry_after(error))
        except AzureError as error:  # no connection, a broken one, an answer that is not JSON
            problem = " ".join(str(error).split())[:300] or type(error).__name__
        if attempt < ATTEMPTS:
            time.sleep(min(wait, LONGEST_WAIT_SECONDS))
    raise MetricsError(f"Azure Monitor did not answer for {what}: {problem.rstrip('.')}. {CHECK}")


def _retry_after(error: Any) -> float:
    after = str((error.response.headers if error.response else {}).get("Retry-After") or "")
    return float(after) if after.isdecimal() else 0.0


def _series(one: Any) -> Series:
    labels = {_value(label.name).lower(): label.value or "" for label in one.metadatavalues or ()}
    values = {int(point.time_stamp.timestamp()): point.average for point in one.data or ()}
    return Series(labels=labels, values=values)


def _value(name: Any) -> str:
    return (name.value or "") if name is not None else ""


def _mean(series: Sequence[Series]) -> float | None:
    values = [
        value
        for one in series
        for value in one.values.values()
        if value is not None and math.isfinite(value) and value >= 0
    ]
    return sum(values) / len(values) if values else None


def _text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

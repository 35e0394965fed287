"""Turns answers of Azure Monitor into intervals, or says why an interval cannot be believed. Pure.

`RequestsPerMinute` is published as an average per minute and split by deployment, statusCode and modelStatusCode. Its
values are counts only if they are whole numbers and add up to the unsplit total (azure-monitor-docs, 2026-07-13; by
default the service leaves out all but 10 series without saying so). A missing value is not 0: it becomes 0 only when
`settle` finds it unchanged in a complete interval.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rollout.evidence.intervals import Counts, Interval, Quantiles

MINUTE = 60
PERCENTILES = ("RequestLatency_P50", "RequestLatency_P90", "RequestLatency_P95", "RequestLatency_P99")
DEPLOYMENT, STATUS, MODEL_STATUS = "deployment", "statuscode", "modelstatuscode"
_WHOLE = 1e-6
"""How far a count may be from a whole number: the rounding of a division by the grain."""
_NO_DEPLOYMENT = frozenset({"", "-", "unknown", "<empty>"})
"""How the dimension says that a request reached no deployment."""


class ImpossibleValueError(ValueError):
    """A value of the metric is not a number of requests; the text says which rule it breaks."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """One time series of an answer: `labels` by the dimension's name in lower case, `values` by start of the grain.

    A start without a value maps to None, or is absent.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[int, float | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answers to one reading: the split counts, the unsplit total, and the latencies by metric."""

    split: Sequence[Series]
    total: Sequence[Series] | None = None
    """None: not asked for."""
    latencies: Mapping[str, Sequence[Series]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Look:
    """One interval as one reading showed it at `at` (UTC epoch seconds)."""

    at: int
    interval: Interval
    problem: str | None = None
    """Why its values cannot be believed; then the interval is empty."""
    counts_only: bool = False
    """Whether neither latencies nor the unsplit total were asked for: it only confirms the counts of another look."""

    @property
    def has_requests(self) -> bool:
        """Whether any deployment had a request, throttled ones included."""
        return any(counts != Counts() for counts in self.interval.counts.values())


def look_at(answer: Answer, starts: Iterable[int], grain: int, at: int) -> tuple[Look, ...]:
    """Every interval that begins at one of `starts`, in their order; `grain` in seconds."""
    return tuple(_look(answer, start, grain, at) for start in starts)


def _look(answer: Answer, start: int, grain: int, at: int) -> Look:
    try:
        interval = Interval(
            start=start,
            seconds=grain,
            counts=_counts(answer, start, grain),
            quantiles=_quantiles(answer.latencies, start),
        )
    except ImpossibleValueError as problem:
        return Look(at=at, interval=Interval(start=start, seconds=grain), problem=str(problem))
    return Look(at=at, interval=interval, counts_only=answer.total is None)


def _counts(answer: Answer, start: int, grain: int) -> dict[str, Counts]:
    by_deployment: dict[str, Counts] = defaultdict(Counts)
    split = 0
    for series in answer.split:
        requests = _requests(series, start, grain)
        if not requests:
            continue
        split += requests
        deployment = series.labels.get(DEPLOYMENT, "")
        if deployment.lower() not in _NO_DEPLOYMENT:
            by_deployment[deployment] += classify(
                series.labels.get(STATUS, ""), series.labels.get(MODEL_STATUS, ""), requests
            )
    if answer.total is None:
        return dict(by_deployment)
    total = sum(_requests(series, start, grain) for series in answer.total)
    if split != total:
        raise ImpossibleValueError(
            f"RequestsPerMinute shows {total} requests, and {split} when it is split by deployment and status: "
            "time series are missing, or the interval is not complete"
        )
    return dict(by_deployment)


def _requests(series: Series, start: int, grain: int) -> int:
    value = series.values.get(start)
    if value is None:
        return 0
    requests = value * grain / MINUTE
    if not math.isfinite(requests) or requests < 0:
        raise ImpossibleValueError(f"RequestsPerMinute is {value}, which is not a number of requests")
    if abs(requests - round(requests)) > _WHOLE * max(1.0, requests):
        raise ImpossibleValueError(
            f"RequestsPerMinute shows {requests:g} requests in {grain} s, which is not a whole number: on this "
            "endpoint the metric is an average, not a count"
        )
    return round(requests)


def classify(status: str, model_status: str, requests: int) -> Counts:
    """So many requests with one status of the endpoint and one of the model, as the gates count them.

    Errors are 5xx, 408, and 424 unless the model answered 4xx; client errors are other 4xx, and 424 of a 4xx; 429 is
    throttled; 401 and 404 count for no deployment.
    """
    code, model = _code(status), _code(model_status)
    if code is None:
        raise ImpossibleValueError(
            f"RequestsPerMinute has requests with statusCode {status!r}, which is no HTTP status"
        )
    if code in (401, 404):
        return Counts()
    if code == 429:
        return Counts(throttled=requests)
    if code >= 500 or code == 408:
        return Counts(requests=requests, errors=requests)
    if code == 424 and not (model is not None and 400 <= model < 500):
        return Counts(requests=requests, errors=requests)
    if code >= 400:
        return Counts(requests=requests, client_errors=requests)
    return Counts(requests=requests)


def _code(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and 100 <= int(text[:9]) <= 599 else None


def _quantiles(latencies: Mapping[str, Sequence[Series]], start: int) -> dict[str, Quantiles]:
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for metric, all_series in latencies.items():
        for series in all_series:
            value, deployment = series.values.get(start), series.labels.get(DEPLOYMENT, "")
            if value is None or deployment.lower() in _NO_DEPLOYMENT:
                continue
            if not math.isfinite(value) or value < 0:
                raise ImpossibleValueError(f"{metric} of {deployment} is {value}, which is not a latency")
            if value:  # 0 ms stands for an interval without a request
                found[deployment][metric] = value
    p50, p90, p95, p99 = PERCENTILES
    return {
        name: Quantiles(p50=values.get(p50), p90=values.get(p90), p95=values.get(p95), p99=values.get(p99))
        for name, values in found.items()
    }

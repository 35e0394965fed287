"""Metric queries as Azure Monitor's two routes take them, and its answers.

This module defines the parameters and the layout of answers; the numbers come from `measures.py`. Below Azure's grain
of a minute, this local Azure also has PT1S, which reaches back five minutes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from localazure.durations import write_duration
from localazure.monitor.buckets import KEPT_SECONDS, MINUTE
from localazure.monitor.definitions import NOT_SERVED, Definition, definitions
from localazure.monitor.durations import read_duration, read_moment
from localazure.monitor.errors import NotServed, QueryError
from localazure.monitor.filters import Filter, parse_filter
from localazure.monitor.measures import Group, Measured, Point, Series, Span, measure
from localazure.monitor.metrics import Metrics

Distortion = Callable[[Measured, Definition, Span, Series], Series]
"""What a fault makes of the time series of one metric of a resource."""

GRAINS = (1, 60, 300, 900, 1800, 3600, 21600, 43200, 86400)
"""PT1S is the local extension; the others are Azure's."""
MAX_POINTS = 10_000
_DEFAULT_SPAN = 3600
_DEFAULT_TOP = 10
_AGGREGATIONS = ("Average", "Minimum", "Maximum", "Total", "Count")
_FIRST_MOMENT, _LAST_MOMENT = (moment.replace(tzinfo=UTC).timestamp() for moment in (datetime.min, datetime.max))
_ORDER = re.compile(r"(average|minimum|maximum|total|count|sum)(?:\s+(asc|desc))?", re.IGNORECASE)


@dataclass(frozen=True)
class QueriedResource:
    """The resource that is asked about."""

    id: str
    namespace: str
    region: str
    resource: Measured


@dataclass(frozen=True)
class Query:
    """The parameters of one request, for any resource."""

    names: tuple[str, ...]
    span: Span
    aggregations: tuple[str, ...]
    """Empty: each metric's own."""
    filter: str
    roll_up: tuple[str, ...]
    top: int
    order: tuple[str, bool]
    """Aggregation, and whether the greatest value comes first."""
    metadata_only: bool


def undistorted(measured: Measured, definition: Definition, span: Span, series: Series) -> Series:
    """The time series as they are."""
    return series


def read_query(parameters: Mapping[str, str], now: float, finest_grain: int = 1) -> Query:
    """The parameters of either route, with no grain below the finest; raises `QueryError`."""
    given = {name.lower().lstrip("$"): value.strip() for name, value in parameters.items()}
    start, end = _read_timespan(given, now)
    grain = _read_grain(given.get("interval", ""), start, end, finest_grain)
    step = min(grain or MINUTE, MINUTE)
    start, end = math.floor(start / step) * step, math.ceil(end / step) * step
    grain = grain or end - start
    if (end - start) / grain > MAX_POINTS:
        raise QueryError(f"The timespan has more than {MAX_POINTS} points. Ask for less time or a larger interval.")
    if start < _FIRST_MOMENT or end > _LAST_MOMENT:
        raise QueryError("The timespan must lie in the years 1 to 9999.")
    order = _ORDER.fullmatch(given.get("orderby", "") or "average desc")
    if order is None:
        raise QueryError(f"orderby must be an aggregation and asc or desc, got {given['orderby']!r}.")
    top = given.get("top", "")
    if top and not (top.isascii() and top.isdigit() and 0 < int(top[:9]) <= MAX_POINTS):
        raise QueryError(f"top must be a whole number above 0, got {top[:40]!r}.")
    return Query(
        names=tuple(name.strip() for name in given.get("metricnames", "").split(",") if name.strip()),
        span=Span(start, end, grain, now),
        aggregations=tuple(_read_aggregation(name) for name in given.get("aggregation", "").split(",") if name.strip()),
        filter=given.get("filter", ""),
        roll_up=tuple(name.strip().lower() for name in given.get("rollupby", "").split(",") if name.strip()),
        top=int(top) if top else _DEFAULT_TOP,
        order=(order[1].lower(), (order[2] or "asc").lower() == "desc"),
        metadata_only=given.get("resulttype", "").lower() == "metadata",
    )


def answer(
    metrics: Metrics, query: Query, target: QueriedResource, distort: Distortion = undistorted
) -> dict[str, Any]:
    """The body of an answer about one resource, without its timespan."""
    asked = _definitions_of(query, target)
    return {
        "interval": write_duration(query.span.grain),
        "value": [_metric(metrics, query, target, definition, distort) for definition in asked],
        "namespace": target.namespace,
        "resourceregion": target.region,
    }


def definition_bodies(target: QueriedResource, finest_grain: int = 1) -> list[dict[str, Any]]:
    """The metrics of a resource in the form of metricDefinitions, with no grain below the finest."""
    grains = [
        {"timeGrain": write_duration(grain), "retention": write_duration(KEPT_SECONDS) if grain < MINUTE else "PT12H"}
        for grain in GRAINS
        if grain >= finest_grain
    ]
    return [
        {
            "id": f"{target.id}/providers/microsoft.insights/metricdefinitions/{one.name}",
            "resourceId": target.id,
            "namespace": target.namespace,
            "name": _name(one.name, one.display),
            "displayDescription": f"{one.display}.",
            "category": one.category,
            "isDimensionRequired": False,
            "unit": one.unit,
            "primaryAggregationType": "Average",
            "supportedAggregationTypes": list(one.aggregations),
            "metricAvailabilities": grains,
            "dimensions": [_name(dimension, dimension) for dimension in one.dimensions],
        }
        for one in definitions(target.namespace).values()
    ]


def _definitions_of(query: Query, target: QueriedResource) -> list[Definition]:
    known = definitions(target.namespace)
    if not query.names:
        return [next(iter(known.values()))]  # according to the help of `az monitor metrics list`; the order is ours
    found = []
    for name in query.names:
        definition = known.get(name.lower())
        if definition is None:
            if name.lower() in (other.lower() for other in NOT_SERVED.get(target.namespace, ())):
                raise NotServed(f"The metric {name}")
            provider, _, kind = target.namespace.partition("/")
            valid = ",".join(one.name for one in known.values())
            raise QueryError(  # verbatim, from users' reports
                f"Failed to find metric configuration for provider: {provider}, resource Type: {kind}, "
                f"metric: {name[:100]}, Valid metrics: {valid}"
            )
        for aggregation in query.aggregations:
            if aggregation not in definition.aggregations:
                raise QueryError(
                    f"Metric {definition.name} has no aggregation {aggregation}. It has: "
                    f"{', '.join(definition.aggregations)}."
                )
        found.append(definition)
    return found


def _metric(
    metrics: Metrics, query: Query, target: QueriedResource, definition: Definition, distort: Distortion
) -> dict[str, Any]:
    wanted = parse_filter(query.filter, definition.dimensions, definition.name)
    split = tuple(name for name in wanted.dimensions if name.lower() not in query.roll_up)
    series = measure(metrics, definition, target.resource, query.span, _split_by(wanted, split))
    series = distort(target.resource, definition, query.span, series)
    if not wanted.dimensions:
        series = series or {(): {}}
    shown = _ordered(series, query)[: query.top if wanted.dimensions else None]
    names = [name.lower() for name in query.aggregations] or ["average"]
    return {
        "id": f"{target.id}/providers/Microsoft.Insights/metrics/{definition.name}",
        "type": "Microsoft.Insights/metrics",
        "name": _name(definition.name, definition.display),
        "displayDescription": f"{definition.display}.",
        "unit": definition.unit,
        "timeseries": [_series_body(group, points, split, names, query) for group, points in shown],
        "errorCode": "Success",
    }


def _split_by(wanted: Filter, split: tuple[str, ...]) -> Filter:
    """The same filter, split by fewer dimensions: the dimensions that `rollupby` names are aggregated."""
    return Filter(split, wanted.matches)


def _ordered(series: Series, query: Query) -> list[tuple[Group, dict[int, Point]]]:
    key, descending = query.order
    aggregation = {"minimum": "minimum", "maximum": "maximum"}.get(key, "average")

    def weight(item: tuple[Group, dict[int, Point]]) -> float:
        values = [point.get(aggregation, 0.0) for point in item[1].values()]
        return sum(values) / len(values) if values else 0.0

    return sorted(sorted(series.items()), key=weight, reverse=descending)


def _series_body(
    group: Group, points: Mapping[int, Point], split: tuple[str, ...], names: list[str], query: Query
) -> dict[str, Any]:
    metadata = [
        {"name": _name(name.lower(), name.lower()), "value": value} for name, value in zip(split, group, strict=True)
    ]
    body: dict[str, Any] = {"metadatavalues": metadata}
    if not query.metadata_only:
        body["data"] = [
            {"timeStamp": moment_text(slot)}
            | {name: points[slot][name] for name in names if slot in points and name in points[slot]}
            for slot in query.span.slots()
        ]
    return body


def _name(value: str, shown: str) -> dict[str, str]:
    return {"value": value, "localizedValue": shown}


def _read_timespan(given: Mapping[str, str], now: float) -> tuple[float, float]:
    if "starttime" in given or "endtime" in given:
        end = read_moment(given["endtime"]) if given.get("endtime") else now
        start = read_moment(given["starttime"]) if given.get("starttime") else end - _DEFAULT_SPAN
    elif not given.get("timespan"):
        start, end = now - _DEFAULT_SPAN, now
    else:
        # az and its HTTP library both quote it, so it arrives quoted twice (monitor/custom.py of azure-cli).
        first, slash, second = unquote(given["timespan"]).partition("/")
        if not slash:
            start, end = now - read_duration(first), now
        elif first.upper().startswith("P"):
            end = read_moment(second)
            start = end - read_duration(first)
        else:
            start = read_moment(first)
            end = start + read_duration(second) if second.upper().startswith("P") else read_moment(second)
    if not start < end:
        raise QueryError("The timespan must end after it starts.")
    return start, end


def _read_grain(text: str, start: float, end: float, finest: int) -> int:
    """Seconds; 0 for one grain that is as long as the timespan."""
    if text.upper() == "FULL":
        return 0
    grain = int(read_duration(text)) if text else MINUTE
    if grain not in GRAINS or grain < finest:
        allowed = ", ".join(write_duration(one) for one in GRAINS if one >= finest)
        local = " (PT1S is local)" if finest < MINUTE else ""
        raise QueryError(f"interval must be one of {allowed} or FULL{local}, got {text[:40]!r}.")
    if grain < MINUTE and end - start > 2 * KEPT_SECONDS:
        raise QueryError(f"An interval of PT1S covers at most {2 * KEPT_SECONDS} seconds.")
    return grain


def _read_aggregation(text: str) -> str:
    for name in _AGGREGATIONS:
        if text.strip().lower() == name.lower():
            return name
    raise QueryError(f"aggregation must be of {', '.join(_AGGREGATIONS)}, got {text.strip()[:40]!r}.")


def moment_text(seconds: float) -> str:
    """A time in Azure Monitor's format."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

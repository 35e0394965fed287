"""Faults on metrics: values that are late, 0, partial, missing or averaged, as those of Azure may be.

The store of metrics is not changed: a fault that ends leaves the right values. Autoscale reads the right ones anyway.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from localazure.faults.fault import Kind
from localazure.faults.registry import Faults
from localazure.faults.subjects import endpoint_subject
from localazure.monitor.buckets import MINUTE
from localazure.monitor.definitions import Definition
from localazure.monitor.measures import Measured, Point, Series, Span

FRONT_ENDS = 3
"""How many of them the average of `metrics-averaged` is taken over."""
_COUNTS = "RequestsPerMinute"


class MetricFaults:
    """What the active faults make of the time series of one metric; every kind acts, each at most once."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def __call__(self, measured: Measured, definition: Definition, span: Span, series: Series) -> Series:
        """The series as a caller sees them."""
        if not self._faults:
            return series
        for kind, distort in _DISTORTIONS.items():
            active = self._faults.take(frozenset({kind}), endpoint_subject(measured.endpoint))
            if active is not None:
                series = distort(series, definition, span, active.fault.by_seconds)
        return series


def _averaged(series: Series, definition: Definition, span: Span, by: float) -> Series:
    if definition.name != _COUNTS:
        return series
    return _mapped(series, lambda slot, point: {name: value / FRONT_ENDS for name, value in point.items()})


def _partial(series: Series, definition: Definition, span: Span, by: float) -> Series:
    if definition.name != _COUNTS:
        return series

    def half(slot: int, point: Point) -> Point:
        per_request = MINUTE / span.over(slot)
        return {name: math.floor(round(value / per_request) / 2) * per_request for name, value in point.items()}

    return _mapped(series, lambda slot, point: half(slot, point) if _is_young(slot, span, by) else point)


def _zero(series: Series, definition: Definition, span: Span, by: float) -> Series:
    return _mapped(series, lambda slot, point: dict.fromkeys(point, 0.0) if _is_young(slot, span, by) else point)


def _late(series: Series, definition: Definition, span: Span, by: float) -> Series:
    return {
        group: {slot: point for slot, point in points.items() if not _is_young(slot, span, by)}
        for group, points in series.items()
    }


def _missing(series: Series, definition: Definition, span: Span, by: float) -> Series:
    return {group: {} for group in series}


def _mapped(series: Series, change: Callable[[int, Point], Point]) -> Series:
    return {group: {slot: change(slot, point) for slot, point in points.items()} for group, points in series.items()}


def _is_young(slot: int, span: Span, by: float) -> bool:
    return slot + span.grain > span.now - by


_DISTORTIONS = {
    Kind.METRICS_AVERAGED: _averaged,
    Kind.METRICS_PARTIAL: _partial,
    Kind.METRICS_ZERO: _zero,
    Kind.METRICS_LATE: _late,
    Kind.METRICS_MISSING: _missing,
}

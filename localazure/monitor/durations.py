"""ISO 8601 times and durations, as metric queries and autoscale settings write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from localazure.monitor.errors import QueryError

_DURATION = re.compile(
    r"P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,8})H)?(?:(\d{1,8})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?", re.IGNORECASE
)
_UNITS = (("D", 86400), ("H", 3600), ("M", 60), ("S", 1))


def read_duration(text: str) -> float:
    """Seconds of a duration without years and months; raises `QueryError`."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        raise QueryError(f"A duration is written like PT1M or P1D, got {text[:40]!r}.")
    weeks, days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return (weeks * 7 + days) * 86400 + hours * 3600 + minutes * 60 + seconds


def duration_text(seconds: int) -> str:
    """The shortest way to write whole seconds: PT1M, PT1H, P1D."""
    for unit, size in _UNITS:
        if seconds % size == 0:
            return f"P{seconds // size}D" if unit == "D" else f"PT{seconds // size}{unit}"
    raise AssertionError("one second divides everything")


def read_moment(text: str) -> float:
    """Unix time of a date and time, UTC where it names no zone; raises `QueryError`."""
    cleaned = re.sub(r"(\.\d{6})\d+", r"\1", text.strip())
    try:
        moment = datetime.fromisoformat(cleaned)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as exc:
        raise QueryError(f"A time is written like 2026-01-31T10:00:00Z, got {text[:40]!r}.") from exc

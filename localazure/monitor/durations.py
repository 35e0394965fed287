"""ISO 8601 times and durations in metric queries and autoscale settings."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from localazure import durations
from localazure.monitor.errors import QueryError


def read_duration(text: str) -> float:
    """Seconds of a duration without years and months, in either case; raises `QueryError`."""
    try:
        return durations.read_duration(text.strip().upper())
    except ValueError as exc:
        raise QueryError(f"A duration is written like PT1M or P1D, got {text[:40]!r}.") from exc


def read_moment(text: str) -> float:
    """Unix time of a date and time, UTC where it names no zone; raises `QueryError`."""
    cleaned = re.sub(r"(\.\d{6})\d+", r"\1", text.strip())
    try:
        moment = datetime.fromisoformat(cleaned)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as exc:
        raise QueryError(f"A time is written like 2026-01-31T10:00:00Z, got {text[:40]!r}.") from exc

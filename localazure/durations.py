"""ISO 8601 durations, read and written by `isodate`, without the forms that Azure does not accept.

`isodate` also reads signs, years, months, decimal commas, fractions of every unit and the alternative form
`P0000-00-01T00:00:00`, so the form is checked here and the library does the rest.
"""

from __future__ import annotations

import re
from datetime import timedelta

from isodate import duration_isoformat, parse_duration

_FORM = re.compile(r"P[0-9WD]*(?:T[0-9HM]*(?:[0-9.]+S)?)?")
"""The permitted characters and their order; the library checks the rest."""


def read_duration(text: str) -> float:
    """Seconds of a duration in weeks, days, hours, minutes and seconds, such as P1DT12H; only seconds have decimals.

    Raises `ValueError` for anything else, and for a duration longer than a `timedelta` (2.7 million years).
    """
    try:
        found = parse_duration(text) if _FORM.fullmatch(text) and any(map(str.isdigit, text)) else None
    except (ValueError, OverflowError):
        found = None
    if not isinstance(found, timedelta):  # the library has another class for durations with years
        raise ValueError(f"{text[:40]!r} is not an ISO 8601 duration")
    return found.total_seconds()


def write_duration(seconds: float) -> str:
    """A duration in the largest possible units: PT2M, PT1H30M, P1D; PT0S for zero."""
    return str(duration_isoformat(timedelta(seconds=seconds))) if seconds else "PT0S"

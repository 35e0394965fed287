"""Recorded minutes: the intervals of a rollout's record, or of a CSV file of anybody's metrics.

The CSV file has a header and a row for each interval and deployment. Columns: `start` (UTC, ISO 8601 such as
2026-11-27T14:07:00Z, or seconds since 1970), `deployment`, `requests`, `errors`, and optionally `client_errors`,
`throttled`, `p50`, `p90`, `p95`, `p99` (milliseconds). A deployment without a row had no request in that interval.
What counts as an error is defined in `evidence/intervals.py`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from itertools import pairwise

from command_errors import UsageError
from rollout.evidence.intervals import Counts, Interval, Quantiles
from rollout.record.event import Event, parse_event
from rollout.record.fold import fold
from rollout.split import Split
from rollout_config import PlanSettings

REQUIRED_COLUMNS = ("start", "deployment", "requests", "errors")
COUNTS = ("requests", "errors", "client_errors", "throttled")
QUANTILES = ("p50", "p90", "p95", "p99")
COLUMNS = (*REQUIRED_COLUMNS, "client_errors", "throttled", *QUANTILES)

EXAMPLE = "start,deployment,requests,errors\n2026-11-27T14:07:00Z,blue,270,1\n2026-11-27T14:07:00Z,green,30,0"


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """Intervals in the order of time, and what is known of the rollout that they are from."""

    intervals: tuple[Interval, ...]
    grain_seconds: int
    colour: str | None = None
    """The new colour; None: the file does not say."""
    baseline: Split | None = None
    """The weights before the rollout; None: the file does not say."""
    plan: PlanSettings | None = None
    """The plan of that rollout."""
    settle_seconds: int | None = None
    """How long its metrics took until they were complete."""


def read_record(text: str, *, name: str) -> Recorded:
    """The intervals that were evidence in the rollout of a record; `name` is the file's, for errors.

    Intervals in which its weights changed are left out, as they were then. The last line may be torn. Raises
    UsageError if a line is not an event, or nothing was measured.
    """
    events = list(_events(text, name))
    try:
        state = fold(events)
    except (KeyError, ValueError) as error:
        raise UsageError(
            f"{name}: is not the record of a rollout: {error}. Name a .jsonl file of rollouts/."
        ) from error
    intervals = tuple(interval for interval in state.intervals if state.placement(interval) is not None)
    if not intervals:
        raise UsageError(f"{name}: no interval with requests of {state.colour} is recorded yet. Name another record.")
    return Recorded(
        intervals=intervals,
        grain_seconds=state.grain_seconds,
        colour=state.colour,
        baseline=state.baseline,
        plan=state.plan,
        settle_seconds=state.settle_seconds,
    )


def _events(text: str, name: str) -> Iterator[Event]:
    *lines, _torn = text.split("\n")
    for number, line in enumerate(lines, start=1):
        try:
            yield parse_event(line)
        except ValueError as error:
            raise UsageError(f"{name}, line {number}: {error}. Use the file as `sluice rollout` wrote it.") from error


def read_csv(text: str, *, name: str) -> Recorded:
    """The intervals of a CSV file (see the module's docstring); `name` is the file's, for errors.

    The shortest distance between two starts is taken for the length of an interval. Raises UsageError with the line
    that is wrong.
    """
    reader = csv.DictReader(StringIO(text))
    header = tuple(reader.fieldnames or ())
    missing = [column for column in REQUIRED_COLUMNS if column not in header]
    unknown = [column for column in header if column not in COLUMNS]
    if missing or unknown:
        wrong = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has the unknown {', '.join(unknown)}"] * bool(
            unknown
        )
        raise UsageError(
            f"{name}: its header {' and '.join(wrong)}. Known columns: {', '.join(COLUMNS)}. Example:\n{EXAMPLE}"
        )
    counts: dict[int, dict[str, Counts]] = {}
    quantiles: dict[int, dict[str, Quantiles]] = {}
    for number, row in enumerate(reader, start=2):
        try:
            start, deployment = _time(row["start"]), row["deployment"]
            if deployment in counts.setdefault(start, {}):
                raise ValueError(f"{deployment} has another row for {row['start']}")
            counts[start][deployment] = Counts(**{key: _whole(row, key) for key in COUNTS})
            quantiles.setdefault(start, {})[deployment] = Quantiles(
                **{key: _milliseconds(row, key) for key in QUANTILES}
            )
        except (TypeError, ValueError) as error:
            raise UsageError(f"{name}, line {number}: {error}. Correct that row.") from error
    starts = sorted(counts)
    if len(starts) < 2:
        raise UsageError(f"{name}: must have at least two intervals, got {len(starts)}. Example:\n{EXAMPLE}")
    grain = min(after - before for before, after in pairwise(starts))
    return Recorded(
        intervals=tuple(
            Interval(start=start, seconds=grain, counts=counts[start], quantiles=quantiles[start]) for start in starts
        ),
        grain_seconds=grain,
    )


def _time(text: str) -> int:
    if text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f'start must be like 2026-11-27T14:07:00Z or seconds since 1970, got "{text}"') from None
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())


def _whole(row: Mapping[str, str | None], key: str) -> int:
    text = row.get(key) or ""
    if not text and key not in REQUIRED_COLUMNS:
        return 0
    if not text.isdigit():
        raise ValueError(f'{key} must be a whole number of requests, got "{text}"')
    return int(text)


def _milliseconds(row: Mapping[str, str | None], key: str) -> float | None:
    text = row.get(key)
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f'{key} must be milliseconds, got "{text}"') from None

"""Stores the minutes of served requests on disk, so that a rollout can read metrics from before a restart.

It uses a separate file, `metrics.db`: the file is written every second while requests are served, and its loss affects
no resource. A minute is one row per run of the server, rewritten until the minute ends; a killed server loses the last
second. Seconds and sampled values are not stored.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from array import array
from collections.abc import Iterator
from pathlib import Path

from localazure.monitor.buckets import KEPT_MINUTES, MINUTE, PackedBucket
from localazure.monitor.metrics import MAX_MINUTES, Metrics

log = logging.getLogger(__name__)

_SCHEMA_VERSION = 1
_CACHE_KIB = 256  # only the current minutes are rewritten; a larger cache would fill up without benefit
_SCHEMA = """
CREATE TABLE IF NOT EXISTS minutes (
    start INTEGER NOT NULL, endpoint TEXT NOT NULL, deployment TEXT NOT NULL, run INTEGER NOT NULL,
    statuses TEXT NOT NULL, seconds REAL NOT NULL, timed INTEGER NOT NULL, bytes INTEGER NOT NULL,
    steps BLOB NOT NULL, counts BLOB NOT NULL, PRIMARY KEY (start, endpoint, deployment, run)
) WITHOUT ROWID;
"""


class History:
    """One run of the server with the file `path`; use it from the event loop only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._connection, self._run = _open(path)
        except sqlite3.OperationalError:
            raise  # no permission or no space: the file itself is not damaged
        except sqlite3.DatabaseError as exc:
            self._begin_anew(exc)
        self._saved = 0
        self._pruned = 0

    def restore(self, metrics: Metrics, now: float) -> None:
        """Load the minutes of earlier runs that are not too old into `metrics`, which must be empty."""
        try:
            self._restore(metrics, now)
        except sqlite3.OperationalError:
            raise
        except (sqlite3.DatabaseError, ValueError, TypeError) as exc:  # damaged in the middle; keep what was read
            self._connection.close()
            self._begin_anew(exc)

    def _begin_anew(self, reason: Exception) -> None:
        aside = self._path.with_suffix(".unreadable")
        log.error("%s cannot be read (%s): metrics start empty, and the file is now %s", self._path, reason, aside.name)
        self._path.replace(aside)
        for ending in ("-wal", "-shm"):  # they belong to the old file
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
        self._connection, self._run = _open(self._path)

    def _restore(self, metrics: Metrics, now: float) -> None:
        oldest = _oldest(now)
        rows = self._connection.execute(
            "SELECT * FROM (SELECT * FROM minutes WHERE start >= ? ORDER BY start DESC LIMIT ?) ORDER BY start",
            (oldest, MAX_MINUTES),
        )
        for start, endpoint, deployment, _, statuses, seconds, timed, size, steps, counts in rows:
            minute = PackedBucket(
                start=start,
                statuses={(status, model_status): count for status, model_status, count in json.loads(statuses)},
                seconds=seconds,
                timed=timed,
                bytes=size,
                packed_steps=array("h", steps),
                packed_counts=array("Q", counts),
            )
            metrics.restore(endpoint, deployment, minute)

    def save(self, metrics: Metrics, now: float) -> None:
        """Write all changes since the last call, or none of them."""
        rows = list(self._changed(metrics, min(self._saved, int(now))))  # the clock was set back
        prune = _oldest(now) if now >= self._pruned + MINUTE else None
        if rows or prune is not None:
            with self._connection:
                self._connection.executemany(f"REPLACE INTO minutes VALUES ({','.join('?' * 10)})", rows)
                if prune is not None:
                    self._connection.execute("DELETE FROM minutes WHERE start < ?", (prune,))
        # Requests are counted under the second of their end, so those of this second may still come.
        self._saved = int(now)
        if prune is not None:
            self._pruned = int(now)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _changed(self, metrics: Metrics, since: int) -> Iterator[tuple[object, ...]]:
        for series in metrics.all_requests():
            for minute in series.minutes_since(since):
                statuses = [[status, model, count] for (status, model), count in minute.statuses.items()]
                yield (
                    minute.start, series.endpoint, series.deployment, self._run, json.dumps(statuses),
                    minute.seconds, minute.timed, minute.bytes, minute.packed_steps.tobytes(),
                    minute.packed_counts.tobytes(),
                )  # fmt: skip


def _open(path: Path) -> tuple[sqlite3.Connection, int]:
    """Open the file; returns it and the number of this run of the server."""
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _SCHEMA_VERSION):
            raise sqlite3.DatabaseError("written by another version")
        if version == 0:
            connection.executescript(_SCHEMA)
            connection.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")
        row = connection.execute("SELECT COALESCE(MAX(run), 0) + 1 FROM minutes").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection, int(row[0])


def _oldest(now: float) -> int:
    return int(now) - KEPT_MINUTES * MINUTE

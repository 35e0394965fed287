"""Attempts at a push that other pushes may overtake: each one builds a new commit on the tip as it is then."""

from __future__ import annotations

import time
from collections.abc import Iterator

from command_errors import WaitingError

ATTEMPTS = 5
PAUSE_SECONDS = 0.3


def attempts() -> Iterator[int]:
    """Yield the number of each attempt, from 0, after a pause that grows; after the last one the caller gives up."""
    for attempt in range(ATTEMPTS):
        time.sleep(PAUSE_SECONDS * attempt)
        yield attempt


def always_overtaken(branch: str) -> WaitingError:
    """Return the error of a push that came too late in every attempt."""
    return WaitingError(
        f"other pushes to {branch} came first, {ATTEMPTS} times in a row. Nothing was changed. Run this command again."
    )

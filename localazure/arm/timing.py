"""Clock and pace: how times are written, how long operations take, how often clients are told to poll.

Only the fast pace exists; it is one value object so that a pace with Azure's own durations can stand beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

Clock = Callable[[], float]
"""Seconds since the epoch."""


def time_text(seconds: float) -> str:
    """As the service writes it: up to 7 decimals, trailing zeros cut, +00:00."""
    moment = datetime.fromtimestamp(seconds, UTC)
    fraction = f"{moment.microsecond:06d}".rstrip("0")
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if fraction else "") + "+00:00"


@dataclass(frozen=True)
class Timing:
    """Pace of long-running operations.

    The real service never sends Retry-After (recorded), and clients then wait 5 to 30 seconds. The header is a
    deliberate deviation of the fast pace.
    """

    poll_seconds: str = "0.1"
    """Retry-After where clients parse a number with fractions: online PUTs and all status polls."""
    integer_poll_seconds: str = "1"
    """Retry-After where the clients of Azure parse an integer: first answers to DELETE, PATCH, POST, compute PUT."""

    def seconds(self, kind: str) -> float:
        """How long an operation takes at least, beyond the work it really does."""
        return 0.0

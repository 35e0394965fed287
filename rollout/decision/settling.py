"""How long a metric takes until it is complete, from what `verify` measured. Pure."""

from __future__ import annotations

LEAST_INTERVALS = 2
LONGEST_SETTLE_SECONDS = 300


def settle_of(lag_seconds: int, grain_seconds: int) -> int:
    """`settle` from the time between the last probe and the reading that showed all of them; all in seconds.

    At least two intervals, and whole intervals: what was measured once may take one interval longer the next time.
    """
    intervals = max(LEAST_INTERVALS, -(-lag_seconds // grain_seconds))
    return min(intervals * grain_seconds, max(LONGEST_SETTLE_SECONDS, LEAST_INTERVALS * grain_seconds))

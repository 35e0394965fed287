"""The tripwire: breakage so plain that no test has to be waited for.

It may read intervals that are not settled: a partial metric value means "at least" (Microsoft, "metrics-troubleshoot"),
so errors only grow.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rollout.evidence.intervals import Counts, Interval

LEAST_ERRORS = 10
LEAST_SHARE = 0.5
"""Of the new colour's requests."""
STABLE_BELOW = 0.5
"""The stable colour's error rate must be below this times the new colour's."""


def tripwire(last_two: Sequence[Interval], colour: str, stable_colours: Collection[str]) -> str | None:
    """Why the rollout must go back at once, or None.

    It needs, in the last two intervals together, at least ten errors of `colour`, which are at least half of its
    requests, while the stable colours fail less than half as often.
    """
    canary = _total(last_two, (colour,))
    stable = _total(last_two, stable_colours)
    if canary.errors < LEAST_ERRORS or canary.errors < LEAST_SHARE * canary.requests:
        return None
    stable_rate = stable.errors / stable.requests if stable.requests else 0.0
    rate = canary.errors / canary.requests
    if stable_rate >= STABLE_BELOW * rate:
        return None
    seconds = sum(interval.seconds for interval in last_two)
    return (
        f"{colour} failed {canary.errors} of {canary.requests} requests ({rate * 100:.0f} %) in the last {seconds} s, "
        f"stable {stable.errors} of {stable.requests}"
    )


def _total(intervals: Sequence[Interval], colours: Collection[str]) -> Counts:
    return sum((interval.counts_of(colour) for interval in intervals for colour in colours), Counts())

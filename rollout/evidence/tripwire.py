"""The tripwire: breakage so plain that no test has to be waited for.

It may read intervals that are not settled: a partial metric value means "at least" (Microsoft, "metrics-troubleshoot"),
so errors only grow.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import exp, lgamma

from rollout.evidence.intervals import Counts, Interval

LEAST_ERRORS = 10
LEAST_SHARE = 0.5
"""Of the new colour's requests."""
STABLE_BELOW = 0.5
"""The stable colour's error rate must be below this times the new colour's."""

MOST_CHANCE = 1e-4
"""Of so many errors on the new colour if both failed alike. In an incident of both, few requests would suffice for the
other conditions."""


def tripwire(last_two: Sequence[Interval], colour: str, stable_colours: Collection[str]) -> str | None:
    """Why the rollout must go back at once, or None.

    It needs, in the last two intervals together, at least ten errors of `colour`, which are at least half of its
    requests, while the stable colours fail less than half as often, which must not be chance.
    """
    canary = _total(last_two, (colour,))
    stable = _total(last_two, stable_colours)
    if canary.errors < LEAST_ERRORS or canary.errors < LEAST_SHARE * canary.requests:
        return None
    stable_rate = stable.errors / stable.requests if stable.requests else 0.0
    rate = canary.errors / canary.requests
    if stable_rate >= STABLE_BELOW * rate or _chance(canary, stable) > MOST_CHANCE:
        return None
    seconds = sum(interval.seconds for interval in last_two)
    return (
        f"{colour} failed {canary.errors} of {canary.requests} requests ({rate * 100:.0f} %) in the last {seconds} s, "
        f"stable {stable.errors} of {stable.requests}"
    )


def _total(intervals: Sequence[Interval], colours: Collection[str]) -> Counts:
    return sum((interval.counts_of(colour) for interval in intervals for colour in colours), Counts())


def _chance(canary: Counts, stable: Counts) -> float:
    """P(at least so many of all errors are the canary's), if each request of both is as likely to fail (Fisher)."""
    if not stable.requests:
        return 0.0
    errors = canary.errors + stable.errors
    every = _log_choices(canary.requests + stable.requests, errors)
    return sum(
        exp(_log_choices(canary.requests, k) + _log_choices(stable.requests, errors - k) - every)
        for k in range(canary.errors, min(errors, canary.requests) + 1)
    )


def _log_choices(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)

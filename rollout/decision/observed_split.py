"""Do the counted requests fit the weights? A step is applied when Azure says so and the requests agree. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, lgamma, log

from rollout.evidence.intervals import Interval
from rollout.split import Split

LEAST_CHANCE = 1e-6
"""A split whose chance is smaller than this is not the declared one."""
INTERVALS = 3
"""So many of the last intervals of a step are looked at, so that a router that was late is forgotten."""
STRAGGLERS = 0.001
"""Fraction of requests that may belong to the weights before, such as those under way while the weights changed."""


@dataclass(frozen=True, kw_only=True)
class Observed:
    """How the requests of some intervals were split between the colours."""

    shares: dict[str, float]
    """Fraction of the requests, by colour."""
    requests: int
    chance: float
    """Of a split at least as far off, if the weights hold: the smallest of all colours, two-sided."""

    def problem(self, declared: Split) -> str | None:
        """Why the split is not the declared one; None if it may be."""
        if self.chance >= LEAST_CHANCE:
            return None
        seen = ", ".join(f"{name} {share * 100:.1f} %" for name, share in self.shares.items())
        return (
            f"the requests are not split as declared: observed {seen} of {self.requests} requests, declared "
            f"{declared.describe()}. Wait for Azure, or look for callers that name a deployment in their requests"
        )


def observe(intervals: Iterable[Interval], split: Split) -> Observed | None:
    """How the requests of these intervals were split; None without a request. Refused ones (429) count as sent."""
    sent: dict[str, int] = dict.fromkeys(split.traffic, 0)
    for interval in intervals:
        for name in interval.counts:
            if name not in split.mirror:
                counts = interval.counts_of(name)
                sent[name] = sent.get(name, 0) + counts.requests + counts.throttled
    total = sum(sent.values())
    if total == 0:
        return None
    chances = [two_sided(total, count, _expected(split, name)) for name, count in sent.items()]
    shares = {name: count / total for name, count in sorted(sent.items())}
    return Observed(shares=shares, requests=total, chance=min(chances))


def _expected(split: Split, name: str) -> float:
    return min(max(split.percent_of(name) / 100, STRAGGLERS), 1 - STRAGGLERS)


def two_sided(n: int, x: int, p: float) -> float:
    """Twice the smaller tail of a binomial of n trials with chance p (0 < p < 1) at x, at most 1."""
    step = 1 if x > n * p else -1
    term = exp(lgamma(n + 1) - lgamma(x + 1) - lgamma(n - x + 1) + x * log(p) + (n - x) * log(1 - p))
    tail, k = 0.0, x
    while 0 <= k <= n and term > tail * 1e-12:
        tail += term
        term *= (n - k) / (k + 1) * p / (1 - p) if step > 0 else k / (n - k + 1) * (1 - p) / p
        k += step
    return min(1.0, 2 * tail)

"""Simulated minutes of two colours: counts with errors of every kind, and percentiles of the latency.

Requests arrive at random (Poisson). Nothing here knows the gates.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import NormalDist

from rollout.evidence.intervals import Counts, Interval, Quantiles
from rollout.plan.simulation import draw

CANARY, STABLE = "green", "blue"
PERCENTS = (50, 90, 95, 99)
_NORMAL = NormalDist()


@dataclass(frozen=True, kw_only=True)
class Errors:
    """At which rates both colours fail, minute by minute."""

    canary: float
    stable: float
    begins: int = 0
    """Minute from which the canary fails at its rate; before, it fails as often as the stable colour."""
    incident: tuple[int, int, float] | None = None
    """First minute, minutes, and the rate at which both fail in them."""
    burst: tuple[float, float] | None = None
    """Chance of a minute in which one colour alone fails more, and at which rate; each colour has its own."""

    def rates(self, minute: int, chance: Random) -> tuple[float, float]:
        """The rates of canary and stable in one minute."""
        canary = self.canary if minute >= self.begins else self.stable
        stable = self.stable
        if self.incident is not None and self.incident[0] <= minute < self.incident[0] + self.incident[1]:
            canary = stable = self.incident[2]
        if self.burst is not None:
            often, rate = self.burst
            canary = rate if chance.random() < often else canary
            stable = rate if chance.random() < often else stable
        return canary, stable


@dataclass(frozen=True, kw_only=True)
class Latencies:
    """Lognormal latencies, whose median moves from minute to minute."""

    times: float = 1.0
    """The canary's latency in multiples of the stable colour's."""
    begins: int = 0
    """Minute from which the canary is slower."""
    p95: float = 230.0
    """Of the stable colour, in milliseconds."""
    sigma: float = 0.5
    shared_noise: float = 0.15
    """Standard deviation of the logarithm of what slows both colours in a minute."""
    own_noise: float = 0.0
    """The same of what slows one colour."""

    def quantiles(self, minute: int, requests: tuple[int, int], chance: Random) -> tuple[Quantiles, Quantiles]:
        """The percentiles of canary and stable in one minute, each of its own requests."""
        shared = chance.gauss(0.0, self.shared_noise)
        median = self.p95 / math.exp(_NORMAL.inv_cdf(0.95) * self.sigma)
        times = self.times if minute >= self.begins else 1.0
        scales = [factor * median * math.exp(shared + chance.gauss(0.0, self.own_noise)) for factor in (times, 1.0)]
        canary, stable = (self._of(count, scale, chance) for count, scale in zip(requests, scales, strict=True))
        return canary, stable

    def _of(self, requests: int, scale: float, chance: Random) -> Quantiles:
        """Nearest-rank percentiles of lognormal latencies, drawn as order statistics without drawing the sample."""
        if not requests:
            return Quantiles()
        values: dict[int, float] = {}
        above, uniform = requests + 1, 1.0
        for percent in reversed(PERCENTS):
            rank = max(1, -(-percent * requests // 100))
            if rank < above:
                uniform *= chance.betavariate(rank, above - rank)
                above = rank
            values[percent] = scale * math.exp(self.sigma * _NORMAL.inv_cdf(min(max(uniform, 1e-12), 1 - 1e-12)))
        return Quantiles(p50=values[50], p90=values[90], p95=values[95], p99=values[99])


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What an endpoint of `rpm` requests a minute gets while the canary takes the weights of a plan."""

    rpm: float
    errors: Errors
    latencies: Latencies | None = None
    weights: Sequence[tuple[int, int]] = field(default=((10, 10), (25, 10), (50, 10), (75, 10)))
    """Weight of the canary in percent, and minutes."""

    def minutes(self, chance: Random) -> Iterator[tuple[int, Interval]]:
        """Index of the step and the interval, minute by minute."""
        at = 0
        for step, (weight, length) in enumerate(self.weights):
            for _ in range(length):
                yield step, self._minute(at, weight / 100, chance)
                at += 1

    def _minute(self, minute: int, share: float, chance: Random) -> Interval:
        canary_rate, stable_rate = self.errors.rates(minute, chance)
        canary = _counts(self.rpm * share, canary_rate, chance)
        stable = _counts(self.rpm * (1 - share), stable_rate, chance)
        quantiles = {}
        if self.latencies is not None:
            both = self.latencies.quantiles(minute, (canary.requests, stable.requests), chance)
            quantiles = dict(zip((CANARY, STABLE), both, strict=True))
        return Interval(start=60 * minute, seconds=60, counts={CANARY: canary, STABLE: stable}, quantiles=quantiles)


def _counts(requests: float, rate: float, chance: Random) -> Counts:
    errors = draw(requests * rate, chance)
    return Counts(requests=draw(requests * (1 - rate), chance) + errors, errors=errors)

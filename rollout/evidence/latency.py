"""The gate on one percentile of the latency, P_q, from the percentiles that are published per interval.

Percentiles are never averaged over intervals. The absolute limit is a test of how many requests were slower than
`max_ms`, which the published percentiles bound. The comparison with the stable colour asks whether the new colour's
P50, P90, ... up to P_q are above a multiple of the stable colour's P_q, which has a known chance when latencies are
alike (`order_statistics.py`). Both are weaker than counts of single requests would be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rollout.evidence.binomial import at_least
from rollout.evidence.count_tests import Ceiling, Chance, Versus
from rollout.evidence.error_rate import GUARD_NEEDED, GUARD_RATIOS
from rollout.evidence.finding import INCIDENT_INTERVALS, ROUNDING, Finding, Tally
from rollout.evidence.intervals import Quantiles
from rollout.evidence.order_statistics import chance_above, highest_rank, lowest_rank
from rollout.evidence.wording import Names, odds

FAILS_AT = 50.0
RESTART = 0.3
SLOW_SHARES = ((0.1, 0.25), (0.25, 0.25), (0.5, 0.25), (0.9, 0.25))
"""Alternatives of the ceiling: shares of slow requests, with their priors."""

ODDS_MULTIPLES = (3.0, 10.0, 30.0)
"""Alternatives of the comparison: multiples of the odds that equal latencies give."""

LEAST_CHANCE_AT_THE_TOP = 0.5
LEAST_CHANCE_BELOW = 0.02
"""A chance is taken to be at least this: front ends and requests inside an interval are not quite independent."""

MOST_CHANCE = 0.8
"""A percentile with a larger chance is not compared: there would be nothing to learn from it."""

PERCENTS = (50, 90, 95, 99)

Reading = tuple[int, Quantiles]
"""The requests of one colour in one interval, and its latencies."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What an interval could tell one latency gate."""

    measured: bool
    """The new colour had this percentile, and the stable one alone did not refute `max_ms`."""
    compared: bool
    """At least one percentile could be compared with that of the stable colour."""


class Latency:
    """One latency gate in one phase, mirror or live: at most `max_ms`, and at most `vs_stable` times the stable one."""

    def __init__(
        self, percent: int, *, max_ms: float | None, vs_stable: float | None, horizon: int, names: Names
    ) -> None:
        self._limit = None if max_ms is None else _Limit(percent, max_ms, horizon, names)
        self._ladder = None if vs_stable is None else _Ladder(percent, vs_stable, horizon, names)
        self._failure: str | None = None

    def update(self, canary: Reading, stable: Sequence[Reading], *, alone: bool) -> Said:
        """Add one settled interval: the new colour and each stable one. `alone`: the new colour has 100 %."""
        measured = compared = False
        if self._limit is not None:
            measured = self._limit.update(canary, () if alone else stable)
        if self._ladder is not None:
            compared = self._ladder.update(canary, stable)
        if self._failure is None and self._limit is not None:
            self._failure = self._limit.failure(alone)
        if self._failure is None and self._ladder is not None:
            self._failure = self._ladder.failure()
        return Said(measured=measured, compared=compared)

    def finding(self) -> Finding:
        """What the gate knows now."""
        limit, ladder = self._limit, self._ladder
        return Finding(
            ceiling=None if limit is None else limit.evidence,
            guard=None if limit is None else limit.guard.evidence,
            versus=None if ladder is None else ladder.evidence,
            failure=self._failure,
            incident=None if limit is None or self._failure is not None else limit.incident(),
        )


class _Limit:
    """The test of `max_ms` on the number of slower requests, and its guard.

    Percentiles cannot show that more than half of the requests are slow, so the test of a median asks instead whether
    the published median is above `max_ms`: where at most half of the requests are slow, that has a known chance.
    """

    def __init__(self, percent: int, max_ms: float, horizon: int, names: Names) -> None:
        self._percent, self._max_ms, self._names = percent, max_ms, names
        self._shares = Ceiling(1.0 - percent / 100.0, SLOW_SHARES, horizon=horizon, restart=RESTART)
        self._median = Chance(1, ODDS_MULTIPLES, horizon=horizon, restart=RESTART) if percent == 50 else None
        self.guard = Versus(1.0, GUARD_RATIOS, horizon=horizon, restart=RESTART)
        self._skipped = 0
        self._tally = Tally()

    @property
    def evidence(self) -> float:
        return (self._median or self._shares).evidence

    def update(self, canary: Reading, stable: Sequence[Reading]) -> bool:
        """Whether the interval has the new colour's percentile and says something about it."""
        requests, latencies = canary
        measured = requests > 0 and _percentile(latencies, self._percent) is not None
        if not measured:
            requests = 0
        slow = fewest_slow(requests, latencies, self._max_ms)
        stable_requests = sum(each for each, _ in stable)
        most = sum(most_slow(each, theirs, self._max_ms) for each, theirs in stable)
        fewest = sum(fewest_slow(each, theirs, self._max_ms) for each, theirs in stable)
        if self._median is None:
            used = self._shares.update(requests, slow, stable_requests, fewest)
            self._skipped = 0 if used else self._skipped + 1
            measured = measured and used
        else:
            self._median.update([self._median_draw(requests, latencies)])
        self.guard.update(requests, slow, stable_requests, most)
        self._tally.add(requests, slow, stable_requests, most, evidence=self.evidence)
        return measured

    def failure(self, alone: bool) -> str | None:
        if self.evidence < FAILS_AT or not (alone or self.guard.evidence >= GUARD_NEEDED):
            return None
        return f"{self._words()}: evidence {odds(self.evidence)} against {odds(FAILS_AT)} for {self._claim()}"

    def incident(self) -> str | None:
        if self._skipped >= INCIDENT_INTERVALS:
            return f"{self._names.stable} alone had {self._claim()} in each of the last {self._skipped} intervals"
        if self.evidence < FAILS_AT:
            return None
        return (
            f"{self._words()}: both suffer; evidence {odds(self.evidence)} for {self._claim()}, but only "
            f"{odds(self.guard.evidence)} of {odds(GUARD_NEEDED)} that {self._names.canary} is the slower one"
        )

    def _median_draw(self, requests: int, latencies: Quantiles) -> tuple[bool, float] | None:
        if not requests or latencies.p50 is None:
            return None
        chance = at_least(requests, requests - highest_rank(requests, 50) + 1, 0.5)
        return (latencies.p50 > self._max_ms, chance) if chance <= MOST_CHANCE else None

    def _words(self) -> str:
        return self._tally.words(self._names, f"took more than {self._max_ms:g} ms for at least", "at most ")

    def _claim(self) -> str:
        return f"a P{self._percent} above {self._max_ms:g} ms"


class _Ladder:
    """The comparison with the stable colour: is the new colour's P50, P90, ... above `ratio` times the other's P_q?

    One rung for each percentile up to the gate's own, q. The lower ones rarely are by chance.
    """

    def __init__(self, percent: int, ratio: float, horizon: int, names: Names) -> None:
        self._rungs = tuple(each for each in PERCENTS if each <= percent)
        self._percent = percent
        self._ratio, self._names = ratio, names
        self._test = Chance(len(self._rungs), ODDS_MULTIPLES, horizon=horizon, restart=RESTART)
        self._lowest = 1.0
        self._forget()

    def _forget(self) -> None:
        self._drawn, self._above, self._expected = 0, 0, 0.0

    @property
    def evidence(self) -> float:
        return self._test.evidence

    def update(self, canary: Reading, stable: Sequence[Reading]) -> bool:
        """Whether a rung could be compared. Of several stable colours, the one with most requests is compared."""
        other = max(stable, key=lambda reading: reading[0], default=_NOTHING)
        draws = [self._draw(percent, canary, other) for percent in self._rungs]
        self._test.update(draws)
        drawn = [draw for draw in draws if draw is not None]
        self._drawn += len(drawn)
        self._above += sum(above for above, _ in drawn)
        self._expected += sum(chance for _, chance in drawn)
        if self.evidence <= self._lowest * ROUNDING:
            self._lowest = self.evidence
            self._forget()
        return bool(drawn)

    def failure(self) -> str | None:
        if self.evidence < FAILS_AT:
            return None
        rungs = ", ".join(f"P{percent}" for percent in self._rungs)
        return (
            f"{rungs} of {self._names.canary} were above {self._ratio:g} times the P{self._percent} of "
            f"{self._names.stable} in {self._above} of {self._drawn} comparisons, at most {self._expected:.0f} by "
            f"chance: evidence {odds(self.evidence)} against {odds(FAILS_AT)}"
        )

    def _draw(self, percent: int, canary: Reading, stable: Reading) -> tuple[bool, float] | None:
        (requests, latencies), (stable_requests, theirs) = canary, stable
        mine, other = _percentile(latencies, percent), _percentile(theirs, self._percent)
        if not requests or not stable_requests or mine is None or other is None:
            return None
        chance = chance_above(requests, percent, stable_requests, self._percent)
        return _usable(mine > self._ratio * other, chance, top=percent == self._percent)


def _usable(happened: bool, chance: float, *, top: bool) -> tuple[bool, float] | None:
    if chance > MOST_CHANCE:
        return None
    return happened, max(chance, LEAST_CHANCE_AT_THE_TOP if top else LEAST_CHANCE_BELOW)


def fewest_slow(requests: int, latencies: Quantiles, max_ms: float) -> int:
    """How many requests certainly took longer than `max_ms`."""
    for percent in PERCENTS:
        value = _percentile(latencies, percent)
        if requests and value is not None and value > max_ms:
            return requests - highest_rank(requests, percent) + 1
    return 0


def most_slow(requests: int, latencies: Quantiles, max_ms: float) -> int:
    """How many requests may have taken longer than `max_ms`."""
    fewest_fast = 0
    for percent in PERCENTS:
        value = _percentile(latencies, percent)
        if value is not None and value <= max_ms:
            fewest_fast = lowest_rank(requests, percent)
    return requests - min(requests, fewest_fast)


def _percentile(latencies: Quantiles, percent: int) -> float | None:
    value: float | None = getattr(latencies, f"p{percent}")
    return value


_NOTHING: Reading = (0, Quantiles())

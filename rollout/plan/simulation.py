"""A rollout in simulated traffic: the plan's steps and its real evidence, with errors drawn at known rates.

Time is counted in settled intervals: the lag of the metrics and the duration of an update come on top, and so do the
requests in them. Pure: chance is a `random.Random` of the caller.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import Literal

from rollout.evidence.intervals import Counts, GateResult, Interval, Verdict
from rollout.evidence.ledger import Ledger
from rollout.evidence.tripwire import LEAST_ERRORS, tripwire
from rollout.split import Split, split_at
from rollout_config import PlanSettings


class Outcome(StrEnum):
    """How a simulated rollout ends."""

    FOUND = "found"
    """A gate failed, or the tripwire: the new colour is taken back."""
    HELD = "held"
    """A step did not pass until its deadline, or both colours suffer: a person decides."""
    DONE = "done"
    """The new colour keeps 100 %."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One simulated rollout, until it was found, held or done."""

    outcome: Outcome
    seconds: int
    """From the first change of weights, without the lag of the metrics."""
    step: int
    """Index of the step in which it ended."""
    requests: int
    """Live requests that the new colour has answered since `SimulatedTraffic.later_at`; copies reach no caller."""
    errors: int
    """Errors among them."""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class SimulatedTraffic:
    """Requests that arrive at random (Poisson) and fail independently of each other."""

    rpm: float
    """Requests a minute to the whole endpoint."""
    error_rates: Mapping[str, float]
    """By colour, 0 to 1."""
    grain_seconds: int
    later: Mapping[str, float] = field(default_factory=dict)
    """Error rates by colour from `later_at` on, where they differ from `error_rates`."""
    later_at: int = 0
    """Seconds from the first change of weights."""

    def interval(self, start: int, split: Split, random: Random) -> Interval:
        """One interval of traffic at these weights."""
        counts = {}
        rates = {**self.error_rates, **self.later} if self.later and start >= self.later_at else self.error_rates
        for weights in (split.traffic, split.mirror):
            for colour, percent in weights.items():
                requests = self.rpm * percent / 100 * self.grain_seconds / 60
                errors = draw(requests * rates[colour], random)
                good = draw(requests * (1 - rates[colour]), random)
                counts[colour] = Counts(requests=good + errors, errors=errors)
        return Interval(start=start, seconds=self.grain_seconds, counts=counts)


def simulate(plan: PlanSettings, baseline: Split, colour: str, traffic: SimulatedTraffic, random: Random) -> Run:
    """Take a plan through simulated traffic. A person approves at once and is not there for anything else."""
    stable = tuple(name for name in baseline.traffic if name != colour)
    ledger = Ledger(plan, colour=colour, stable_colours=stable, grain_seconds=traffic.grain_seconds)
    needed, now, requests, errors = plan.min_requests_of_a_step, 0, 0, 0
    for number, step in enumerate(plan.steps):
        split, last = split_at(baseline, colour, step), Interval(start=now, seconds=traffic.grain_seconds)
        warm_until, baked = now + step.warm_up_seconds, now + step.bake_seconds
        deadline, alone = now + plan.step_deadline_seconds(step), split.percent_of(colour) == 100
        outcome = reason = None
        while outcome is None:
            interval = traffic.interval(now, split, random)
            phase: Literal["mirror", "live"] = "mirror" if step.is_mirror else "live"
            ledger.feed(interval, phase=phase, step=number, alone=alone, warm=now < warm_until)
            now, counts = interval.end, interval.counts_of(colour)
            if not step.is_mirror and interval.start >= traffic.later_at:
                requests, errors = requests + counts.requests, errors + counts.errors
            results = [result for result in ledger.results(number) if not result.dry_run]
            if (reason := _failure(results) or _tripped(last, interval, colour, stable)) is not None:
                outcome = Outcome.FOUND
            elif (
                now >= baked
                and ledger.requests(number) >= needed
                and all(result.verdict is Verdict.PASS for result in results)
            ):
                break
            elif now >= deadline:
                outcome, reason = Outcome.HELD, "the step did not pass until its deadline"
            last = interval
        if outcome is not None:
            return Run(outcome=outcome, seconds=now, step=number, requests=requests, errors=errors, reason=reason or "")
    return Run(outcome=Outcome.DONE, seconds=now, step=len(plan.steps) - 1, requests=requests, errors=errors)


def _failure(results: list[GateResult]) -> str | None:
    return next((result.reason for result in results if result.verdict is Verdict.FAIL), None)


def _tripped(last: Interval, interval: Interval, colour: str, stable: tuple[str, ...]) -> str | None:
    if last.counts_of(colour).errors + interval.counts_of(colour).errors < LEAST_ERRORS:
        return None
    return tripwire((last, interval), colour, stable)


def draw(mean: float, random: Random) -> int:
    """A Poisson number."""
    if mean <= 0:
        return 0
    first, cumulative = _poisson(mean)
    return first + bisect_left(cumulative, random.random())


@lru_cache(maxsize=256)
def _poisson(mean: float) -> tuple[int, tuple[float, ...]]:
    """The smallest number that is drawn, and the cumulative chances from it on; beyond ten deviations there is none."""
    spread = 10 * math.sqrt(mean) + 10
    first, last = max(0, math.floor(mean - spread)), math.ceil(mean + spread)
    chances = [math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(first, last + 1)]
    return first, tuple(accumulate(chances[:-1]))

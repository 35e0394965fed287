"""The gates on errors: of the model, with an absolute ceiling and against the stable colour, and of callers.

A ceiling fails only together with the guard: some evidence that the new colour is the worse one at all. Above the
ceiling without it is an incident, from which both colours suffer.
"""

from __future__ import annotations

from rollout.evidence.binomial import upper_bound
from rollout.evidence.count_tests import Ceiling, Versus
from rollout.evidence.finding import INCIDENT_INTERVALS, Finding, Tally
from rollout.evidence.intervals import Counts
from rollout.evidence.wording import Names, odds, share

CEILING_FAILS_AT = 20.0
GUARD_NEEDED = 5.0
VERSUS_FAILS_AT = 50.0

RESTART = 0.1
"""The share of the prior that is kept for errors that begin later."""

TIMES_WORSE = ((2, 0.2), (5, 0.3), (10, 0.4), (50, 0.1))
"""Alternatives of the ceiling in multiples of it, with their priors."""

LARGEST_ALTERNATIVE = 0.95
GUARD_RATIOS = (2, 5, 10)
VERSUS_MULTIPLES = (2, 4, 10)

STABLE_CONFIDENCE = 0.95
"""Of the bound on the stable colour's rate that replaces a missing `max` where the new colour has all requests."""


class ErrorRate:
    """The gate `error_rate` in one phase, mirror or live.

    `horizon` is the planned number of intervals of the phase, `alone_horizon` that of its steps at 100 %. Where the new
    colour has all requests, the ceiling alone decides. Without `max` it is then held to `vs_stable` times the upper
    bound of the stable colour's rate in the rollout so far.
    """

    def __init__(
        self, *, max: float | None, vs_stable: float | None, horizon: int, alone_horizon: int, names: Names
    ) -> None:
        self._names = names
        self._ratio = vs_stable
        self._alone_horizon = alone_horizon
        self._has_max = max is not None
        self._ceiling = None if max is None else _ceiling(max, horizon)
        self._guard = Versus(1.0, GUARD_RATIOS, horizon=horizon, restart=RESTART)
        self._versus = None if vs_stable is None else _versus(vs_stable, horizon)
        self._alone = False
        self._stable_requests = self._stable_errors = 0
        self._skipped = 0
        self._ceiling_tally, self._versus_tally = Tally(), Tally()
        self._failure: str | None = None

    def update(self, canary: Counts, stable: Counts, *, alone: bool) -> bool:
        """Add one settled interval. `alone`: the new colour has 100 % of the live requests.

        Returns whether the interval was used: the ceiling skips one in which the stable colour alone refutes it, unless
        the new colour has all requests. A few that name the stable colour must not excuse it then.
        """
        used = True
        if alone and not self._alone and not self._has_max:
            self._ceiling, self._ceiling_tally = self._bounded_by_stable(), Tally()
        self._alone = alone
        counts = canary.requests, canary.errors, stable.requests, stable.errors
        self._stable_requests += stable.requests
        self._stable_errors += stable.errors
        self._guard.update(*counts)
        if self._ceiling is not None:
            used = self._ceiling.update(*(counts[:2] if alone else counts))
            self._skipped = 0 if used else self._skipped + 1
            self._ceiling_tally.add(*counts, evidence=self._ceiling.evidence)
        if self._versus is not None:
            self._versus.update(*counts)
            self._versus_tally.add(*counts, evidence=self._versus.evidence)
        if self._failure is None:
            self._failure = self._conclude()
        return used

    def finding(self) -> Finding:
        """What the gate knows now."""
        ceiling = None if self._ceiling is None else self._ceiling.evidence
        return Finding(
            ceiling=ceiling,
            guard=self._guard.evidence,
            versus=None if self._versus is None else self._versus.evidence,
            failure=self._failure,
            incident=self._incident(ceiling),
            silent=self._silence(),
        )

    def _bounded_by_stable(self) -> Ceiling | None:
        """The test that replaces `max`, fixed when the new colour gets all requests; None if no rate can be above."""
        if self._ratio is None:
            return None
        limit = self._ratio * upper_bound(self._stable_requests, self._stable_errors, STABLE_CONFIDENCE)
        return _ceiling(limit, self._alone_horizon) if limit < LARGEST_ALTERNATIVE else None

    def _conclude(self) -> str | None:
        if self._versus is not None and self._versus.evidence >= VERSUS_FAILS_AT:
            return (
                f"{self._versus_tally.words(self._names)}: evidence {odds(self._versus.evidence)} against "
                f"{odds(VERSUS_FAILS_AT)} for more than {self._ratio:g} times the rate of {self._names.stable}"
            )
        if self._ceiling is None or self._ceiling.evidence < CEILING_FAILS_AT:
            return None
        if not self._alone and self._guard.evidence < GUARD_NEEDED:
            return None
        return (
            f"{self._ceiling_tally.words(self._names)}: evidence {odds(self._ceiling.evidence)} against "
            f"{odds(CEILING_FAILS_AT)} for {self._claim()}"
        )

    def _claim(self) -> str:
        limit = self._ceiling.limit if self._ceiling is not None else LARGEST_ALTERNATIVE
        derived = "" if self._has_max else f", {self._ratio:g} times the highest rate that fits {self._names.stable}"
        return f"more than {share(limit)}{derived}"

    def _incident(self, ceiling: float | None) -> str | None:
        if self._failure is not None or ceiling is None:
            return None
        if self._skipped >= INCIDENT_INTERVALS:
            return f"{self._names.stable} alone failed {self._claim()} in each of the last {self._skipped} intervals"
        if ceiling < CEILING_FAILS_AT:
            return None
        return (
            f"{self._ceiling_tally.words(self._names)}: both suffer; evidence {odds(ceiling)} for {self._claim()}, "
            f"but only {odds(self._guard.evidence)} of {odds(GUARD_NEEDED)} that {self._names.canary} is the worse one"
        )

    def _silence(self) -> str | None:
        if not self._alone or self._ceiling is not None:
            return None
        return (
            f"{self._names.stable} had too few requests in this rollout ({self._stable_requests:,}) to say which error "
            "rate is too high; set gates.error_rate.max, or begin with a step below 100 %"
        )


class ClientErrorRate:
    """The gate `client_error_rate` in one phase: 4xx answers that the model's input may have caused, against stable."""

    def __init__(self, *, vs_stable: float, horizon: int, names: Names) -> None:
        self._names = names
        self._ratio = vs_stable
        self._versus = _versus(vs_stable, horizon)
        self._tally = Tally()
        self._failure: str | None = None

    def update(self, canary: Counts, stable: Counts) -> None:
        """Add one settled interval."""
        counts = canary.requests, canary.client_errors, stable.requests, stable.client_errors
        self._versus.update(*counts)
        evidence = self._versus.evidence
        self._tally.add(*counts, evidence=evidence)
        if self._failure is None and evidence >= VERSUS_FAILS_AT:
            self._failure = (
                f"{self._tally.words(self._names, 'refused')} as the caller's error: evidence {odds(evidence)} against "
                f"{odds(VERSUS_FAILS_AT)} for more than {self._ratio:g} times the rate of {self._names.stable}"
            )

    def finding(self) -> Finding:
        """What the gate knows now."""
        return Finding(versus=self._versus.evidence, failure=self._failure)


def _ceiling(limit: float, horizon: int) -> Ceiling:
    alternatives = [(min(times * limit, LARGEST_ALTERNATIVE), prior) for times, prior in TIMES_WORSE]
    return Ceiling(limit, alternatives, horizon=horizon, restart=RESTART)


def _versus(ratio: float, horizon: int) -> Versus:
    return Versus(ratio, VERSUS_MULTIPLES, horizon=horizon, restart=RESTART)

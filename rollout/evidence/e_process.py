"""How evidence adds up: one e-process, a mixture over alternatives and over the interval in which the trouble began.

While the null hypothesis holds, the expected value of every factor is at most 1, so the process is a nonnegative
supermartingale and P(E ever reaches L) <= 1/L, however often and at whatever moment one looks (Ville's inequality).
Limiting a factor and mixing keep that true.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

MOST_OF_AN_INTERVAL = 20.0
"""One interval multiplies the evidence by at most this, so that one bad minute alone decides nothing."""

MOST = 1e12
"""Evidence is not counted beyond this."""

_LOG_MOST_OF_AN_INTERVAL = log(MOST_OF_AN_INTERVAL)


class EProcess:
    """Evidence against one null hypothesis, fed with the settled intervals in order.

    `priors` are the weights of the alternatives and add up to 1. `horizon` is the planned number of intervals and
    `restart` the share of the prior that is kept for a trouble that begins later than in the first interval. Without
    alternatives, evidence stays at 1: such a test cannot say anything.
    """

    def __init__(self, priors: Sequence[float], *, horizon: int, restart: float) -> None:
        self._priors = tuple(priors)
        self._masses = [0.0] * len(self._priors)
        self._horizon = max(1, horizon)
        self._restart = restart
        self._intervals = 0
        self.evidence = 1.0
        """E: at least 0; odds of 1 : E that the null hypothesis holds."""

    def update(self, increments: Sequence[float]) -> None:
        """Add one interval: for each alternative, the log of its likelihood ratio to the null hypothesis."""
        start = self._restart / self._horizon if self._intervals < self._horizon else 0.0
        if self._intervals == 0:
            start += 1.0 - self._restart
        self._intervals += 1
        masses, evidence = self._masses, 0.0
        for at, increment in enumerate(increments):
            factor = exp(increment) if increment < _LOG_MOST_OF_AN_INTERVAL else MOST_OF_AN_INTERVAL
            masses[at] = mass = min((masses[at] + start) * factor, MOST)
            evidence += self._priors[at] * mass
        if masses:
            self.evidence = evidence + self._restart * max(0.0, 1.0 - self._intervals / self._horizon)

"""The tests of which the gates consist: a share against a limit, a share against stable's, an event against its chance.

The tests of shares are valid for requests that fail independently of each other, at any rate that changes from interval
to interval in any way, under any weights (docs/statistics.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from rollout.evidence.binomial import at_least
from rollout.evidence.e_process import EProcess

REFUTED = 0.001
"""The stable colour alone refutes a limit in an interval whose binomial tail is at most this."""


class Ceiling:
    """Evidence that a share of the new colour's requests is above `limit` (0 to 1).

    `alternatives` are (share, prior); those that are not above the limit are left out, and the others share their
    prior.
    """

    def __init__(
        self, limit: float, alternatives: Sequence[tuple[float, float]], *, horizon: int, restart: float
    ) -> None:
        self.limit = limit
        worse = [(share, prior) for share, prior in alternatives if limit < share < 1.0]
        total = sum(prior for _, prior in worse)
        self._process = EProcess([prior / total for _, prior in worse], horizon=horizon, restart=restart)
        self._logs = [(log(share / limit), log((1.0 - share) / (1.0 - limit))) for share, _ in worse]
        self._nothing = [0.0] * len(worse)

    def update(self, requests: int, above: int, stable_requests: int = 0, stable_above: int = 0) -> bool:
        """Add one interval: the new colour's requests and how many of them count, and the same of the stable colour.

        Returns whether the interval was used. One in which the stable colour alone refutes the limit says nothing about
        the new one. (Its counts are independent of the new colour's, so leaving the interval out is allowed.)
        """
        used = not self._refuted(stable_requests, stable_above)
        if used and requests:
            rest = requests - above
            self._process.update([above * hit + rest * miss for hit, miss in self._logs])
        else:
            self._process.update(self._nothing)
        return used

    def _refuted(self, requests: int, above: int) -> bool:
        return above > self.limit * requests and at_least(requests, above, self.limit) <= REFUTED

    @property
    def evidence(self) -> float:
        """E against "the share is at most the limit"."""
        return self._process.evidence


class Versus:
    """Evidence that a share of the new colour's requests is more than `ratio` times that of the stable colour.

    It conditions on the number of all errors of an interval, so that a shared incident, a rhythm of the day or a change
    of weights is no evidence. `multiples` of the ratio are the alternatives, with equal priors.
    """

    def __init__(self, ratio: float, multiples: Sequence[float], *, horizon: int, restart: float) -> None:
        self._ratio = ratio
        self._ratios = [ratio * multiple for multiple in multiples]
        self._process = EProcess([1.0 / len(multiples)] * len(multiples), horizon=horizon, restart=restart)
        self._nothing = [0.0] * len(multiples)

    def update(self, requests: int, above: int, stable_requests: int, stable_above: int) -> None:
        """Add one interval: requests of both colours and how many of them count."""
        if not (above or stable_above) or not requests or not stable_requests:
            self._process.update(self._nothing)
            return
        odds = requests / stable_requests
        tolerated = self._ratio * odds
        shared = log(1.0 + tolerated)
        # log(theta_a / theta_t) and log((1 - theta_a) / (1 - theta_t)), with theta_j = j * odds / (j * odds + 1)
        misses = [shared - log(1.0 + ratio * odds) for ratio in self._ratios]
        self._process.update(
            [
                above * (log(ratio / self._ratio) + miss) + stable_above * miss
                for ratio, miss in zip(self._ratios, misses, strict=True)
            ]
        )

    @property
    def evidence(self) -> float:
        """E against "at most `ratio` times the stable colour's share"."""
        return self._process.evidence


class Chance:
    """Evidence that events happen more often than by a known largest chance, one draw per event and interval.

    `events` is how many different events an interval may have; `multiples` of the odds of their chance are the
    alternatives. Events of one interval may depend on each other: they are mixed, not multiplied.
    """

    def __init__(self, events: int, multiples: Sequence[float], *, horizon: int, restart: float) -> None:
        self._multiples = multiples
        size = events * len(multiples)
        self._process = EProcess([1.0 / size] * size, horizon=horizon, restart=restart)

    def update(self, draws: Sequence[tuple[bool, float] | None]) -> None:
        """Add one interval: for each event whether it happened and its chance (0 to 1), or None if it was not drawn."""
        increments: list[float] = []
        for draw in draws:
            if draw is None:
                increments += [0.0] * len(self._multiples)
                continue
            happened, chance = draw
            for multiple in self._multiples:
                # With odds o = p / (1 - p), the alternative q has the odds multiple * o.
                rest = 1.0 / (1.0 - chance + multiple * chance)
                increments.append(log(multiple * rest) if happened else log(rest))
        self._process.update(increments)

    @property
    def evidence(self) -> float:
        """E against "each event has at most its chance"."""
        return self._process.evidence

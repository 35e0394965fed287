"""Other ways to decide from the same minutes: what rollout tools and textbooks do.

Each is fed minute by minute and says whether it would go back now. They compare with the stable colour or with a fixed
rate as usual, at a level of 5 % where they have one; none of them holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from statistics import NormalDist
from typing import Protocol

LEVEL = 0.05
_Z = NormalDist().inv_cdf


class Rival(Protocol):
    """One way to decide. It is given the minutes of each planned step."""

    def stops(self, n: int, x: int, m: int, y: int) -> bool:
        """Add one minute, requests and errors of canary (n, x) and stable (m, y); whether it goes back now."""


class AnyMinute:
    """Go back on any minute with more than 5 % errors."""

    def __init__(self, steps: Sequence[int]) -> None:
        pass

    def stops(self, n: int, x: int, m: int, y: int) -> bool:
        """Looks at this minute only."""
        return x > 0.05 * n


class Flagger:
    """Flagger's analysis with a threshold of 5: five minutes above 1 % in all; a minute without data counts as one."""

    def __init__(self, steps: Sequence[int]) -> None:
        self._failed = 0

    def stops(self, n: int, x: int, m: int, y: int) -> bool:
        """Counts failed checks."""
        self._failed += n == 0 or x > 0.01 * n
        return self._failed >= 5


class _Sums:
    """Counts since the start."""

    def __init__(self) -> None:
        self.n = self.x = self.m = self.y = 0

    def add(self, n: int, x: int, m: int, y: int) -> None:
        self.n, self.x, self.m, self.y = self.n + n, self.x + x, self.m + m, self.y + y

    def z(self) -> float:
        """The pooled z statistic of two proportions; 0 where it is not defined."""
        if not self.n or not self.m:
            return 0.0
        pooled = (self.x + self.y) / (self.n + self.m)
        variance = pooled * (1 - pooled) * (1 / self.n + 1 / self.m)
        return (self.x / self.n - self.y / self.m) / math.sqrt(variance) if variance else 0.0


class ZEachMinute:
    """A one-sided z test of all counts so far, every minute, from 50 requests of the canary on."""

    _bound = _Z(1 - LEVEL)

    def __init__(self, steps: Sequence[int]) -> None:
        self._sums = _Sums()

    def stops(self, n: int, x: int, m: int, y: int) -> bool:
        """Tests what has been counted so far."""
        self._sums.add(n, x, m, y)
        return self._sums.n >= 50 and self._sums.z() > self._bound


class ZPerStep:
    """A one-sided z test of each step's counts at its end, its level divided by the number of steps."""

    def __init__(self, steps: Sequence[int]) -> None:
        self._sums = _Sums()
        self._bound = _Z(1 - LEVEL / len(steps))
        self._ends = set(accumulate(steps))
        self._minutes = 0

    def stops(self, n: int, x: int, m: int, y: int) -> bool:
        """Tests at the end of a step."""
        self._sums.add(n, x, m, y)
        self._minutes += 1
        if self._minutes not in self._ends:
            return False
        z, self._sums = self._sums.z(), _Sums()
        return z > self._bound


class Sprt:
    """Wald's sequential test of equal rates against a canary that fails 3 times as often, given all errors of a minute.

    Without the lower bound, because an accepted canary could still get worse.
    """

    def __init__(self, steps: Sequence[int]) -> None:
        self._log = 0.0

    def stops(self, n: int, x: int, m: int, y: int) -> bool:
        """Adds the log of the likelihood ratio."""
        if n and m:
            s = n / (n + m)
            worse = 3 * s / (3 * s + 1 - s)
            self._log += x * math.log(worse / s) + y * math.log((1 - worse) / (1 - s))
        return self._log >= math.log(1 / LEVEL)


class Msprt:
    """The mixture SPRT on the difference of both rates, normal approximation, tau = 0.02 (as A/B platforms do)."""

    _tau2 = 0.02**2

    def __init__(self, steps: Sequence[int]) -> None:
        self._sums = _Sums()

    def stops(self, n: int, x: int, m: int, y: int) -> bool:
        """Compares all counts so far."""
        sums = self._sums
        sums.add(n, x, m, y)
        if not sums.n or not sums.m:
            return False
        p, q = sums.x / sums.n, sums.y / sums.m
        variance = p * (1 - p) / sums.n + q * (1 - q) / sums.m
        if p <= q or not variance:
            return p > q
        ratio = variance / (variance + self._tau2)
        exponent = self._tau2 * (p - q) ** 2 / (2 * variance * (variance + self._tau2))
        return 0.5 * math.log(ratio) + exponent >= math.log(1 / LEVEL)


class GroupSequential:
    """O'Brien and Fleming's boundary at a look every minute: the z of all counts above c * sqrt(planned / minutes).

    c = 1.96 - 0.583 / sqrt(planned) for a one-sided level of 5 %: the maximum of Brownian motion, with Siegmund's
    correction for looks at so many moments only.
    """

    def __init__(self, steps: Sequence[int]) -> None:
        self._sums = _Sums()
        self._planned = sum(steps)
        self._bound = _Z(1 - LEVEL / 2) - 0.583 / math.sqrt(self._planned)
        self._minutes = 0

    def stops(self, n: int, x: int, m: int, y: int) -> bool:
        """Tests what has been counted so far."""
        self._sums.add(n, x, m, y)
        self._minutes += 1
        return self._sums.z() >= self._bound * math.sqrt(self._planned / self._minutes)


RIVALS: dict[str, Callable[[Sequence[int]], Rival]] = {
    "any minute > 5 %": AnyMinute,
    "Flagger": Flagger,
    "z a minute": ZEachMinute,
    "z a step": ZPerStep,
    "SPRT": Sprt,
    "mSPRT": Msprt,
    "group-sequential": GroupSequential,
}

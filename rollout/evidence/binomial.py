"""Exact tails of the binomial distribution, and the Clopper-Pearson bound made of them."""

from __future__ import annotations

from math import exp, lgamma, log

_NEGLIGIBLE = 1e-17
_BISECTIONS = 60


def at_least(n: int, x: int, p: float) -> float:
    """P(Bin(n, p) >= x), for 0 < p < 1."""
    if x <= 0:
        return 1.0
    if x > n:
        return 0.0
    if x <= p * n:
        return max(0.0, 1.0 - at_most(n, x - 1, p))
    odds = p / (1.0 - p)
    term = total = _probability(n, x, p)
    while x < n and term > total * _NEGLIGIBLE:
        term *= odds * (n - x) / (x + 1)
        x += 1
        total += term
    return min(1.0, total)


def at_most(n: int, x: int, p: float) -> float:
    """P(Bin(n, p) <= x), for 0 < p < 1."""
    return at_least(n, n - x, 1.0 - p)


def upper_bound(n: int, x: int, confidence: float) -> float:
    """The one-sided Clopper-Pearson bound: the largest p under which x or fewer of n are no surprise.

    It is 1 where n is 0 or all of n count.
    """
    if x >= n:
        return 1.0
    low, high = x / n, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if at_most(n, x, middle) > 1.0 - confidence:
            low = middle
        else:
            high = middle
    return high


def _probability(n: int, x: int, p: float) -> float:
    return exp(lgamma(n + 1) - lgamma(x + 1) - lgamma(n - x + 1) + x * log(p) + (n - x) * log(1.0 - p))

"""What a published percentile says about requests, without an assumption about latencies.

Several definitions of a sample quantile are in use (Hyndman and Fan, "Sample quantiles in statistical packages", 1996),
and which one Azure Monitor uses is unknown. `lowest_rank` and `highest_rank` enclose those that interpolate between the
neighbours of rank q * n (definitions 1 to 4) and the usual one of numpy, R and spreadsheets (7).
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma

_NEGLIGIBLE = 1e-12


def lowest_rank(requests: int, percent: int) -> int:
    """The percentile is at least the latency of this rank (1 = fastest)."""
    return max(1, percent * requests // 100)


def highest_rank(requests: int, percent: int) -> int:
    """The percentile is at most the latency of this rank."""
    return min(requests, percent * requests // 100 + 1)


@lru_cache(maxsize=4096)
def chance_above(requests: int, percent: int, stable_requests: int, stable_percent: int) -> float:
    """The largest chance that one colour's percentile is above another of the other's, when their latencies are alike.

    Of the same continuous distribution, P(X of `highest_rank` > Y of `lowest_rank`): the probability that at least so
    many Y are below that X, which is negative hypergeometric.
    """
    n, m = requests, stable_requests
    k, j = highest_rank(n, percent), lowest_rank(m, stable_percent)
    if j * (n + 1) > m * k:  # above the mean of the number of Y below X
        return min(1.0, _at_least(n, m, k, j))
    return 1.0 - _at_most(n, m, k, j - 1)


def _at_least(n: int, m: int, k: int, b: int) -> float:
    term = total = _probability(n, m, k, b)
    while b < m and term > _NEGLIGIBLE:
        term *= (k + b) * (m - b) / ((b + 1) * (n - k + m - b))
        b += 1
        total += term
    return total


def _at_most(n: int, m: int, k: int, b: int) -> float:
    term = total = _probability(n, m, k, b)
    while b > 0 and term > _NEGLIGIBLE:
        term *= b * (n - k + m - b + 1) / ((k - 1 + b) * (m - b + 1))
        b -= 1
        total += term
    return total


def _probability(n: int, m: int, k: int, b: int) -> float:
    """P(exactly b of m Y are below the k-th smallest of n X)."""
    return exp(
        lgamma(k + b) - lgamma(b + 1) - lgamma(k)
        + lgamma(n - k + m - b + 1) - lgamma(m - b + 1) - lgamma(n - k + 1)
        - lgamma(n + m + 1) + lgamma(n + 1) + lgamma(m + 1)
    )  # fmt: skip

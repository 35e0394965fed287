"""Bounds for an error rate that hold at every moment of a rollout at once, for people to look at. No gate uses them."""

from __future__ import annotations

from collections.abc import Callable
from math import lgamma, log

_BISECTIONS = 50
_DEFAULT_CONFIDENCE = 0.95


def confidence_sequence(requests: int, errors: int, confidence: float = _DEFAULT_CONFIDENCE) -> tuple[float, float]:
    """The lowest and the highest error rate that the counts so far do not refute (0 to 1).

    The beta-binomial confidence sequence with a uniform prior: with probability `confidence`, the true rate is inside
    the bounds after every interval, not only after the last.
    """
    if requests == 0:
        return 0.0, 1.0
    good = requests - errors
    most = log(1.0 / (1.0 - confidence))
    prior = lgamma(errors + 1) + lgamma(good + 1) - lgamma(requests + 2)

    def refuted(rate: float) -> bool:
        hit = errors * log(rate) if errors else 0.0
        miss = good * log(1.0 - rate) if good else 0.0
        return prior - hit - miss >= most

    estimate = errors / requests
    low = _edge(estimate, 0.0, refuted) if errors else 0.0
    high = _edge(estimate, 1.0, refuted) if good else 1.0
    return low, high


def _edge(inside: float, outside: float, refuted: Callable[[float], bool]) -> float:
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2
        if refuted(middle):
            outside = middle
        else:
            inside = middle
    return outside

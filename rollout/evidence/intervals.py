"""What was measured in one interval of time, and what a gate concludes from many.

An interval is the finest grain that the metric offers (Azure: one minute). Times are UTC epoch seconds, latencies are
milliseconds, counts are whole requests. Bad data never becomes an `Interval`: the constructors raise `ValueError`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from enum import StrEnum
from typing import Any, Self


class Verdict(StrEnum):
    """What a gate concludes. Only `PASS` advances a rollout, and only `FAIL` takes it back."""

    PASS = "pass"
    FAIL = "fail"
    INCIDENT = "incident"
    """Both colours suffer: the new one is above its ceiling, but not shown to be the worse one."""
    INCONCLUSIVE = "inconclusive"
    """No data, too little of it, or evidence that is too strong to pass and too weak to fail."""
    ERROR = "error"
    """The source could not be read."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The requests of one deployment in one interval."""

    requests: int = 0
    """Answered by the model: all but 401, 404 and 429."""
    errors: int = 0
    """5xx, 408, and 424 unless the model's own status was 4xx; part of `requests`."""
    client_errors: int = 0
    """Other 4xx, and 424 where the model's own status was 4xx; part of `requests`."""
    throttled: int = 0
    """429; not part of `requests`."""

    def __post_init__(self) -> None:
        for value in (self.requests, self.errors, self.client_errors, self.throttled):
            if type(value) is not int or value < 0:
                raise ValueError(f"counts must be whole numbers of requests, at least 0, got {value!r} in {self}")
        if self.errors + self.client_errors > self.requests:
            raise ValueError(
                f"errors and client_errors are part of requests, got {self.errors} + {self.client_errors} "
                f"of {self.requests}"
            )

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            requests=self.requests + other.requests,
            errors=self.errors + other.errors,
            client_errors=self.client_errors + other.client_errors,
            throttled=self.throttled + other.throttled,
        )


@dataclass(frozen=True, kw_only=True)
class Quantiles:
    """Latencies of one deployment in one interval, in milliseconds; None where the metric has no value."""

    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None

    def __post_init__(self) -> None:
        for value in (self.p50, self.p90, self.p95, self.p99):
            if value is not None and not (type(value) in (int, float) and 0 <= value < math.inf):
                raise ValueError(f"latencies must be milliseconds, at least 0, got {value!r} in {self}")


@dataclass(frozen=True, kw_only=True)
class Interval:
    """What was measured in `[start, start + seconds)`, by deployment.

    A deployment that is absent had no requests. `as_values` is its compact form for the record.
    """

    start: int
    """UTC epoch seconds."""
    seconds: int
    counts: Mapping[str, Counts] = field(default_factory=dict)
    quantiles: Mapping[str, Quantiles] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.seconds < 1:
            raise ValueError(f"an interval lasts at least 1 s, got {self.seconds}")

    @property
    def end(self) -> int:
        """The first second after it."""
        return self.start + self.seconds

    def counts_of(self, deployment: str) -> Counts:
        """The counts of one deployment; zeros where the interval has none."""
        return self.counts.get(deployment, _NO_COUNTS)

    def quantiles_of(self, deployment: str) -> Quantiles:
        """The latencies of one deployment; None where the interval has none."""
        return self.quantiles.get(deployment, _NO_QUANTILES)

    def as_values(self) -> dict[str, Any]:
        """JSON values: counts as `[requests, errors, client_errors, throttled]`, latencies as `[p50, p90, p95, p99]`.

        Deployments without a request or a latency are left out.
        """
        values: dict[str, Any] = {"start": self.start, "seconds": self.seconds}
        counts = {name: list(astuple(self.counts[name])) for name in sorted(self.counts)}
        quantiles = {name: list(astuple(self.quantiles[name])) for name in sorted(self.quantiles)}
        values["counts"] = {name: row for name, row in counts.items() if any(row)}
        values["quantiles"] = {name: row for name, row in quantiles.items() if row != [None] * len(row)}
        return values

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """The interval that `as_values` gave; `ValueError`, `KeyError` or `TypeError` if it is none."""
        counts, quantiles = values["counts"], values["quantiles"]
        return cls(
            start=values["start"],
            seconds=values["seconds"],
            counts={name: _counts(*row) for name, row in counts.items()},
            quantiles={name: _quantiles(*row) for name, row in quantiles.items()},
        )


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """What one gate concludes, with the evidence (E values: odds of 1 : E that the colour is as good as required)."""

    gate: str
    verdict: Verdict
    reason: str
    """One sentence for a person."""
    ceiling: float | None = None
    """E of the absolute limit (`max`, `max_ms`)."""
    guard: float | None = None
    """E that the new colour is worse than the stable one at all, which a failed ceiling needs too."""
    versus: float | None = None
    """E of the limit relative to the stable colour (`vs_stable`)."""
    dry_run: bool = False
    """Reported, but it decides nothing."""


def _counts(requests: int, errors: int, client_errors: int, throttled: int) -> Counts:
    return Counts(requests=requests, errors=errors, client_errors=client_errors, throttled=throttled)


def _quantiles(p50: float | None, p90: float | None, p95: float | None, p99: float | None) -> Quantiles:
    return Quantiles(p50=p50, p90=p90, p95=p95, p99=p99)


_NO_COUNTS = Counts()
_NO_QUANTILES = Quantiles()

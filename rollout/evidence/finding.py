"""What one gate knows after the intervals so far, before the ledger asks whether that is enough to pass."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.evidence.wording import Names, share

INCIDENT_INTERVALS = 2
"""So many intervals in a row in which the stable colour alone refutes the limit are an incident."""

ROUNDING = 1.0 + 1e-9
"""Evidence that differs by less is the same."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The evidence of one gate; None where it has no such test."""

    ceiling: float | None = None
    guard: float | None = None
    versus: float | None = None
    failure: str | None = None
    """Why the gate has failed. Once set, it stays."""
    incident: str | None = None
    """Why both colours suffer, so that the limit decides nothing."""
    silent: str | None = None
    """Why it cannot say anything in the present step, whatever is counted."""

    @property
    def strongest(self) -> float:
        """The larger E of the two limits. The guard is none: a colour may be worse within its limits."""
        return max(self.ceiling or 0.0, self.versus or 0.0)


class Tally:
    """What was counted since the evidence of one test was at its lowest: the numbers that explain a failure."""

    def __init__(self) -> None:
        self._lowest = 1.0
        self._forget()

    def _forget(self) -> None:
        self.requests = self.above = self.stable_requests = self.stable_above = 0

    def add(self, requests: int, above: int, stable_requests: int, stable_above: int, *, evidence: float) -> None:
        """Add one interval, with the evidence after it."""
        self.requests += requests
        self.above += above
        self.stable_requests += stable_requests
        self.stable_above += stable_above
        if evidence <= self._lowest * ROUNDING:
            self._lowest = evidence
            self._forget()

    def words(self, names: Names, verb: str = "failed", stable_verb: str = "") -> str:
        """ "green failed 9 of 31 requests (29 %), blue 3 of 268 (1.1 %)"."""
        text = f"{names.canary} {verb} {_ratio(self.above, self.requests, ' requests')}"
        if self.stable_requests:
            text += f", {names.stable} {stable_verb}{_ratio(self.stable_above, self.stable_requests)}"
        return text


def _ratio(above: int, requests: int, unit: str = "") -> str:
    return f"{above:,} of {requests:,}{unit}" + (f" ({share(above / requests)})" if requests else "")

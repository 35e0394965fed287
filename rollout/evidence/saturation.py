"""The gate on how busy the new colour's instances are. It never fails by itself: it holds a rollout."""

from __future__ import annotations

from dataclasses import dataclass

from gate_config import SaturationGate
from rollout.evidence.intervals import Counts, GateResult, Verdict
from rollout.evidence.wording import share


@dataclass(frozen=True, kw_only=True)
class Usage:
    """How busy the new colour's instances were in the last settled interval; None where the metric has no value."""

    cpu: float | None = None
    """CPU utilisation in percent."""
    memory: float | None = None
    """Memory utilisation in percent."""


def saturation(gate: SaturationGate, usage: Usage, counts: Counts) -> GateResult:
    """What the gate concludes from the last settled interval: `PASS` or `INCONCLUSIVE`, which holds.

    `counts` are the new colour's. A limit without a value is inconclusive too.
    """
    asked = counts.requests + counts.throttled
    throttled = counts.throttled / asked if asked else None
    over: list[str] = []
    unknown: list[str] = []
    for name, value, limit in (("cpu", usage.cpu, gate.cpu), ("memory", usage.memory, gate.memory)):
        if limit is not None and value is None:
            unknown.append(name)
        elif limit is not None and value is not None and value > limit:
            over.append(f"{name} is {value:.0f} %, above {limit:g} %")
    if gate.throttled is not None and throttled is None:
        unknown.append("throttled")
    elif gate.throttled is not None and throttled is not None and throttled > gate.throttled:
        over.append(
            f"{counts.throttled:,} of {asked:,} requests were throttled (429), {share(throttled)}, above "
            f"{share(gate.throttled)}"
        )
    if unknown:
        over.append(f"there is no value of {' and '.join(unknown)}")
    return GateResult(
        gate="saturation",
        verdict=Verdict.INCONCLUSIVE if over else Verdict.PASS,
        reason="; ".join(over) or "within its limits",
        dry_run=gate.dry_run,
    )

"""The saturation gate: how busy the new colour's instances are, and how many requests the endpoint refuses. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gate_config import SaturationGate
from rollout.evidence.intervals import Counts, GateResult, Verdict

GATE = "saturation"


def saturation(gate: SaturationGate, usage: Mapping[str, float | None], counts: Iterable[Counts]) -> GateResult:
    """What the gate says; FAIL means "not now" and holds the rollout.

    `usage` has `cpu` and `memory` of the new colour in percent, None where the metric has no value; `counts` are the
    new colour's counts of recent settled intervals, of which the share of 429 is taken.
    """
    requests = throttled = 0
    for one in counts:
        requests, throttled = requests + one.requests, throttled + one.throttled
    tried = requests + throttled
    shares = {"cpu": usage.get("cpu"), "memory": usage.get("memory"), "throttled": throttled / tried if tried else None}
    limits = {"cpu": gate.cpu, "memory": gate.memory, "throttled": gate.throttled}
    asked = {name: limit for name, limit in limits.items() if limit is not None}
    over = [_over(name, value, asked[name]) for name, value in shares.items() if name in asked and value is not None]
    if problems := [text for text in over if text]:
        return _result(gate, Verdict.FAIL, "; ".join(problems))
    if unknown := [name for name in asked if shares[name] is None]:
        return _result(gate, Verdict.INCONCLUSIVE, f"the metric has no value yet for {', '.join(unknown)}")
    return _result(gate, Verdict.PASS, ", ".join(f"{name} {_shown(name, shares[name] or 0.0)}" for name in asked))


def _over(name: str, value: float, limit: float) -> str | None:
    return f"{name} is {_shown(name, value)}, above {_shown(name, limit)}" if value > limit else None


def _shown(name: str, value: float) -> str:
    return f"{100 * value if name == 'throttled' else value:.3g} %"


def _result(gate: SaturationGate, verdict: Verdict, reason: str) -> GateResult:
    return GateResult(gate=GATE, verdict=verdict, reason=reason, dry_run=gate.dry_run)

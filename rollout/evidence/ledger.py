"""Folds intervals into the results of all gates.

Feeding intervals one by one gives the same as feeding them all at once, and an interval counts once.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Literal

from rollout.evidence.error_rate import ClientErrorRate, ErrorRate
from rollout.evidence.finding import Finding
from rollout.evidence.intervals import Counts, GateResult, Interval, Verdict
from rollout.evidence.latency import Latency
from rollout.evidence.wording import Names, odds
from rollout_config import PlanSettings

PASSES_BELOW = 3.0
"""A gate passes while its evidence is weaker than this."""


class Ledger:
    """The evidence of one rollout.

    `plan` is the frozen plan, `colour` the new colour, `stable_colours` all others that had live weight at the start,
    `grain_seconds` the length of one interval. Mirror steps have processes of their own, because copied requests and
    live requests fail in different ways; the live steps share one.
    """

    def __init__(self, plan: PlanSettings, *, colour: str, stable_colours: Collection[str], grain_seconds: int) -> None:
        self._plan = plan
        self._colour = colour
        self._stable = tuple(sorted(stable_colours))
        self._names = Names.of(colour, self._stable)
        self._fed_until: int | None = None
        self._steps: dict[int, _Step] = {}
        alone = sum(step.bake_seconds for step in plan.live_steps if step.percent == 100)
        self._gates = {
            phase: _Gates(
                plan,
                names=self._names,
                horizon=plan.horizon(grain_seconds, mirror=phase == "mirror"),
                alone_horizon=max(1, math.ceil(alone / grain_seconds)),
            )
            for phase in ("mirror", "live")
        }

    def feed(self, interval: Interval, *, phase: Literal["mirror", "live"], step: int, alone: bool, warm: bool) -> None:
        """Count one settled interval in which no weight was changed.

        `step` is its index in the plan; `alone`: the new colour has 100 %; `warm`: it lies inside the step's `warm_up`.
        Intervals come in order of time. One that starts before the end of the last one is ignored.
        """
        if self._fed_until is not None and interval.start < self._fed_until:
            return
        self._fed_until = interval.end
        canary = interval.counts_of(self._colour)
        stable = sum((interval.counts_of(name) for name in self._stable), Counts())
        tally = self._steps.setdefault(step, _Step(phase=phase))
        tally.canary += canary
        tally.stable += stable
        tally.alone = alone
        gates = self._gates[phase]
        if gates.error_rate is None or gates.error_rate.update(canary, stable, alone=alone):
            tally.usable += canary.requests
        if gates.client_error_rate is not None:
            gates.client_error_rate.update(canary, stable)
        if warm:
            return
        mine = canary.requests, interval.quantiles_of(self._colour)
        others = [(interval.counts_of(name).requests, interval.quantiles_of(name)) for name in self._stable]
        for name, gate in gates.latency.items():
            said = gate.update(mine, others, alone=alone)
            tally.measured[name] = tally.measured.get(name, 0) + said.measured
            tally.compared[name] = tally.compared.get(name, 0) + said.compared

    def results(self, step: int) -> tuple[GateResult, ...]:
        """What each gate of the plan that tests counts or latencies concludes at this step, in the plan's order."""
        tally = self._steps.get(step) or _Step(phase="mirror" if self._plan.steps[step].is_mirror else "live")
        gates = self._gates[tally.phase]
        return tuple(self._result(name, finding, tally) for name, finding in gates.findings())

    def requests(self, step: int) -> int:
        """Requests of the new colour in one step."""
        return self._steps[step].canary.requests if step in self._steps else 0

    def errors(self, step: int) -> int:
        """Errors of the new colour in one step."""
        return self._steps[step].canary.errors if step in self._steps else 0

    def totals(self) -> Counts:
        """The new colour's counts in all steps."""
        return sum((tally.canary for tally in self._steps.values()), Counts())

    def _result(self, name: str, finding: Finding, tally: _Step) -> GateResult:
        verdict, reason = self._conclude(name, finding, tally)
        return GateResult(
            gate=name,
            verdict=verdict,
            reason=reason,
            ceiling=finding.ceiling,
            guard=finding.guard,
            versus=finding.versus,
            dry_run=dict(self._plan.gates.named())[name].dry_run,
        )

    def _conclude(self, name: str, finding: Finding, tally: _Step) -> tuple[Verdict, str]:
        if finding.failure is not None:
            return Verdict.FAIL, finding.failure
        if finding.incident is not None:
            return Verdict.INCIDENT, finding.incident
        missing = finding.silent or self._missing(name, finding, tally)
        if missing is not None:
            return Verdict.INCONCLUSIVE, missing
        if finding.strongest >= PASSES_BELOW:
            reason = f"evidence {odds(finding.strongest)} is too weak to fail and not below {odds(PASSES_BELOW)}"
            return Verdict.INCONCLUSIVE, reason
        return Verdict.PASS, f"{tally.canary.requests:,} requests, evidence {odds(finding.strongest)}"

    def _missing(self, name: str, finding: Finding, tally: _Step) -> str | None:
        """What this step has no data for yet, or None."""
        needed = self._plan.min_requests_of_a_step
        if tally.usable < needed:
            text = f"{self._names.canary} has had {tally.usable:,} of {needed:,} requests in this step"
            skipped = tally.canary.requests - tally.usable
            return text + (f", not counting {skipped:,} while {self._names.stable} alone failed" if skipped else "")
        if name.startswith("latency_"):
            label = name.removeprefix("latency_").upper()
            if finding.ceiling is not None and not tally.measured.get(name):
                return f"no interval of this step has a {label} of {self._names.canary}"
            if finding.versus is not None and not tally.alone and not tally.compared.get(name):
                return f"no interval of this step has enough requests to compare the latencies of {self._pair()}"
        elif finding.versus is not None and not tally.alone and not tally.stable.requests:
            return f"{self._names.stable} has had no requests in this step to compare with"
        return None

    def _pair(self) -> str:
        return f"{self._names.canary} and {self._names.stable}"


@dataclass(kw_only=True)
class _Step:
    """What was counted in one step."""

    phase: str
    canary: Counts = field(default_factory=Counts)
    stable: Counts = field(default_factory=Counts)
    usable: int = 0
    """The new colour's requests without those of intervals that the error gate skipped."""
    alone: bool = False
    measured: dict[str, int] = field(default_factory=dict)
    compared: dict[str, int] = field(default_factory=dict)


class _Gates:
    """The tests of one phase, as the plan asks for them."""

    def __init__(self, plan: PlanSettings, *, names: Names, horizon: int, alone_horizon: int) -> None:
        gates = plan.gates
        self.error_rate: ErrorRate | None = None
        self.client_error_rate: ClientErrorRate | None = None
        if gates.error_rate is not None:
            self.error_rate = ErrorRate(
                max=gates.error_rate.max,
                vs_stable=gates.error_rate.vs_stable,
                horizon=horizon,
                alone_horizon=alone_horizon,
                names=names,
            )
        if gates.client_error_rate is not None:
            self.client_error_rate = ClientErrorRate(
                vs_stable=gates.client_error_rate.vs_stable, horizon=horizon, names=names
            )
        self.latency = {
            f"latency_p{round(quantile * 100)}": Latency(
                round(quantile * 100), max_ms=gate.max_ms, vs_stable=gate.vs_stable, horizon=horizon, names=names
            )
            for quantile, gate in gates.latency.items()
        }

    def findings(self) -> Iterator[tuple[str, Finding]]:
        """Each gate by its key in the stack file."""
        if self.error_rate is not None:
            yield "error_rate", self.error_rate.finding()
        if self.client_error_rate is not None:
            yield "client_error_rate", self.client_error_rate.finding()
        for name, gate in self.latency.items():
            yield name, gate.finding()

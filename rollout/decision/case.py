"""What the rules of the decision ask about one tick: the plan, the state, what was found, and the time."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.decision.acts import Act, End, HoldFor, Move, Wait
from rollout.decision.order import Direction, Order, Outcome
from rollout.decision.situation import Evidence
from rollout.evidence.intervals import GateResult, Verdict
from rollout.record.event import digest_of
from rollout.record.state import HoldKind, RolloutState
from rollout.split import Split
from rollout_config import PlanSettings, StepSettings


@dataclass(frozen=True, kw_only=True)
class Case:
    """The arguments of `decide`, and what its rules ask about them."""

    plan: PlanSettings
    state: RolloutState
    evidence: Evidence
    now: int

    @property
    def gates(self) -> tuple[GateResult, ...]:
        """The results that decide: none of them after `promote`."""
        if self.state.promoted_by is not None:
            return ()
        return tuple(result for result in self.evidence.results if not result.dry_run)

    def worst(self, verdict: Verdict, *, about_traffic: bool | None = None) -> GateResult | None:
        """The first result with this verdict; of the tests on requests only, or of saturation and checks only."""
        for result in self.gates:
            slow = result.gate == "saturation" or result.gate.startswith("checks.")
            if result.verdict is verdict and (about_traffic is None or about_traffic is not slow):
                return result
        return None

    @property
    def step(self) -> StepSettings | None:
        """The step whose weights are applied; None before the first."""
        return self.plan.steps[self.state.step] if 0 <= self.state.step < len(self.plan.steps) else None

    def bake_left(self) -> int:
        """Seconds until the step has baked, in settled intervals and without the time of holds."""
        if self.step is None:
            return 0
        over = self.state.weights_since + self.step.bake_seconds + self.state.held_seconds(self.now)
        return max(0, over - self.evidence.settled_until)

    def unfit(self) -> str | None:
        """Why the present step has not passed; None: it has. The bake is another question."""
        if self.step is None or self.state.promoted_by is not None:
            return None
        if self.evidence.metrics_problem is not None:
            return self.evidence.metrics_problem
        least = self.plan.min_requests_of_a_step
        if self.evidence.requests_in_step < least:
            return f"{self.evidence.requests_in_step} of at least {least} requests"
        for result in self.gates:
            if result.verdict is not Verdict.PASS:
                return f"{result.gate}: {result.reason}"
        return None

    def passed(self) -> bool:
        """Whether the present step may be left; before the first step there is nothing to pass."""
        return self.unfit() is None and (self.bake_left() == 0 or self.state.promoted_by is not None)

    def wait(self, reason: str) -> Wait:
        """Look again with the next interval."""
        return Wait(until=self.now + self.state.grain_seconds, reason=reason)

    def back(self, why: str, *, verdict: str | None, outcome: Outcome = Outcome.ROLLED_BACK) -> Act:
        """The change to the weights from before the rollout, or its end if they are there."""
        state, live = self.state, self.evidence.live
        at_baseline = state.weights == state.baseline and live == state.baseline and state.ended is None
        if at_baseline and state.open_intent is None and not self.evidence.drift:
            return End(outcome=outcome, reason=why)
        stable = state.stable if state.declared_stable != state.stable else None
        order = self.order(state.baseline, Direction.BACK, -1, why, outcome=outcome, stable=stable)
        return Move(order=order, verdict=verdict)

    def stranded(self, why: str) -> HoldFor | None:
        """The hold for a way back that leads to a colour which is gone; None if the way back is open."""
        problem = self.evidence.stable_problem
        if problem is None:
            return None
        but = f" And {why}." if why else ""
        return HoldFor(kind=HoldKind.NO_WAY_BACK, reason=f"there is no way back: {problem}.{but}")

    def order(
        self,
        to: Split,
        direction: Direction,
        step: int,
        why: str,
        *,
        outcome: Outcome | None = None,
        stable: str | None = None,
    ) -> Order:
        """An order that names the results it rests on."""
        results = self.evidence.results
        rows = [[one.gate, one.verdict.value, one.ceiling, one.guard, one.versus] for one in results]
        return Order(
            start=self.evidence.live if self.evidence.live is not None else self.state.weights,
            to=to,
            direction=direction,
            step=step,
            why=why,
            outcome=outcome,
            stable=stable,
            evidence=f"sha256:{digest_of(rows)}" if results else None,
            verdicts={one.gate: one.verdict.value for one in results} or None,
        )

    def drifted(self) -> HoldFor | None:
        """The hold for drift; None without any."""
        drift = self.evidence.drift
        if not drift:
            return None
        return HoldFor(kind=HoldKind.DRIFT, reason="; ".join(one.text for one in drift), drift=drift)

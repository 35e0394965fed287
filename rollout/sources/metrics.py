"""What the controller reads in a tick: settled intervals, younger ones, saturation, checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rollout.errors import MetricsError
from rollout.evidence.intervals import Counts, GateResult, Verdict
from rollout.ports import Reading
from rollout.record.state import RolloutState
from rollout.sources.azure_monitor import AzureMonitor
from rollout.sources.checks import run_checks
from rollout.sources.metric_answer import Look
from rollout.sources.saturation import GATE, saturation
from rollout.sources.settle import has_complete, settle

USAGE_WINDOW_SECONDS = 60
"""CPU and memory are averaged over so long, and at least over five intervals."""
SECOND_LOOK_SECONDS = 1.0


@dataclass
class AzureMetrics:
    """`ports.Metrics` for one endpoint. Holds the last reading: two that agree make an interval complete."""

    monitor: AzureMonitor
    root: Path
    """The repository, for checks that are functions."""
    sleep: Callable[[float], None]
    _before: dict[int, Look] = field(default_factory=dict)

    def read(self, state: RolloutState, now: int) -> Reading:
        """Three queries to Azure Monitor, a fourth with a saturation gate, one more in a new process.

        A new process has no earlier reading that could agree, so it reads the counts first, and then everything.
        """
        results = self._results(state, now)
        since, grain = state.read_until, state.grain_seconds
        try:
            if not self._before and has_complete(since, now, grain, state.settle_seconds):
                self._remember(self.monitor.looks(since, now, grain, counts_only=True))
                self.sleep(SECOND_LOOK_SECONDS)
            looks = self.monitor.looks(since, now, grain)
        except MetricsError as error:
            return Reading(settled_until=state.read_until, problem=str(error), results=results)
        found = settle(self._before, looks, state.settle_seconds)
        self._remember(looks)
        return Reading(
            settled=found.intervals,
            young=found.young,
            settled_until=found.intervals[-1].end if found.intervals else state.read_until,
            problem=found.problem,
            results=results,
        )

    def counted(self, colour: str, since: int, now: int) -> int | None:
        """Requests of a colour since the grain that contains `since`; None where the metric cannot be read."""
        grain = self.monitor.grain.seconds
        try:
            looks = self.monitor.looks(since // grain * grain, now, grain)
        except MetricsError:
            return None
        if any(look.problem for look in looks):
            return None
        counts = [look.interval.counts_of(colour) for look in looks]
        return sum(one.requests + one.throttled for one in counts)

    def _remember(self, looks: tuple[Look, ...]) -> None:
        self._before = {look.interval.start: look for look in looks}

    def _results(self, state: RolloutState, now: int) -> tuple[GateResult, ...]:
        if state.step < 0 or state.is_over:
            return ()
        gates = state.plan.gates
        results = run_checks(gates.checks, self.root)
        if (gate := gates.saturation) is None:
            return results
        recent = self._recent_counts(state)
        try:
            window = max(USAGE_WINDOW_SECONDS, 5 * state.grain_seconds)
            asked = gate.cpu is not None or gate.memory is not None
            usage = self.monitor.usage(state.colour, now - window, now, state.grain_seconds) if asked else {}
        except MetricsError as error:
            failed = GateResult(gate=GATE, verdict=Verdict.ERROR, reason=str(error), dry_run=gate.dry_run)
            return (failed, *results)
        return (saturation(gate, usage, recent), *results)

    def _recent_counts(self, state: RolloutState) -> list[Counts]:
        wanted = max(1, USAGE_WINDOW_SECONDS // state.grain_seconds, 5)
        return [
            interval.counts_of(state.colour)
            for interval in state.intervals[-wanted:]
            if interval.start >= state.weights_since
        ]

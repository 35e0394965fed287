"""What `sluice rollout status --json` and `history --json` print: plain values, for scripts. Pure.

Times are seconds since 1970, durations are seconds, weights are whole percents, shares and rates are fractions.
"""

from __future__ import annotations

from typing import Any

from rollout.record.state import RolloutState
from rollout.split import Split
from rollout.tick.controller import exit_code_of
from rollout.views.next_command import next_command
from rollout.views.view import Seen, bake_seconds, observed_share, phase_of, requests_of


def status_values(seen: Seen) -> dict[str, Any]:
    """Everything that the picture shows, and the exit code that a command about this rollout returns."""
    state = seen.state
    current = state.current_step
    return {
        **summary_values(state),
        "now": seen.now,
        "step": state.step + 1,
        "steps": len(state.plan.steps),
        "weights": {
            "record": state.weights.as_values(),
            "declared": _split(seen.declared),
            "live": _split(seen.live),
            "observed": observed_share(state),
            "baseline": state.baseline.as_values(),
        },
        "held": {"kind": state.held.kind.value, "reason": state.held.reason, "since": state.held.since}
        if state.held
        else None,
        "paused": state.paused is not None,
        "open_change": {
            "to": state.open_intent.order.to.as_values(),
            "direction": state.open_intent.order.direction.value,
            "since": state.open_intent.at,
            "failed_attempts": state.open_intent.attempts,
        }
        if state.open_intent
        else None,
        "evidence": [
            {
                "gate": result.gate,
                "verdict": result.verdict.value,
                "reason": result.reason,
                "ceiling": result.ceiling,
                "guard": result.guard,
                "versus": result.versus,
                "dry_run": result.dry_run,
            }
            for result in seen.results
        ],
        "bake": {"seconds": bake_seconds(state, seen.now), "of": current.bake_seconds} if current else None,
        "metrics_behind": seen.now - state.read_until if state.intervals else None,
        "notes": list(seen.notes),
        "next_tick": seen.next_tick,
        "next": next_command(state),
        "exit_code": int(exit_code_of(state)),
    }


def summary_values(state: RolloutState) -> dict[str, Any]:
    """One rollout in a line of history."""
    counts = requests_of(state)
    return {
        "id": state.id,
        "stack": state.stack,
        "endpoint": state.endpoint,
        "colour": state.colour,
        "stable": state.stable,
        "phase": state.phase.value,
        "doing": phase_of(state),
        "started_at": state.started_at,
        "started_by": state.started_by,
        "ended_at": state.ended.at if state.ended else None,
        "outcome": state.ended.outcome.value if state.ended else None,
        "reason": state.ended.reason if state.ended else None,
        "requests": counts.requests,
        "errors": counts.errors,
        "synthetic": state.synthetic,
        "evidence_skipped": state.evidence_skipped,
        "plan_digest": state.plan_digest,
    }


def _split(split: Split | None) -> dict[str, dict[str, int]] | None:
    return split.as_values() if split is not None else None

"""States of rollouts for tests: green takes over from blue in prod, at 10, 50 and 100 %."""

from typing import Any

from rollout.record.state import RolloutState
from rollout.split import Split
from rollout_config import PlanSettings, plan_digest

NOON = 1_795_867_200
"""2026-11-28T12:00:00Z"""
PLAN = PlanSettings.from_values(
    {
        "steps": [
            {"weight": 10, "bake": "5m"},
            {"weight": 50, "bake": "5m", "approve": True},
            {"weight": 100, "bake": "10m"},
        ],
        "gates": {
            "error_rate": {"max": 0.01, "vs_stable": 1.5},
            "latency_p95": {"max_ms": 300, "vs_stable": 1.3},
        },
    }
)


def state_of(**change: Any) -> RolloutState:
    """A rollout that was started at noon, with these fields changed."""
    plan = change.pop("plan", PLAN)
    values: dict[str, Any] = {
        "id": "20261128T120000Z-green",
        "project": "sluice",
        "stack": "prod",
        "endpoint": "fraud-detection",
        "workspace": "mlw-payments-prod",
        "subscription": "0000",
        "colour": "green",
        "stable": "blue",
        "declared_stable": "blue",
        "releases": {"blue": "blue-release", "green": "green-release"},
        "contents": {"blue": "blue-content", "green": "green-content"},
        "baseline": Split(traffic={"blue": 100}),
        "plan": plan,
        "plan_digest": plan_digest(plan),
        "started_at": NOON,
        "started_by": "ana",
        "grain_seconds": 60,
        "settle_seconds": 120,
        "weights": Split(traffic={"blue": 100}),
        "weights_since": NOON,
        "clock_since": NOON,
        "step_clock_since": NOON,
        "last_at": NOON,
        "events": 1,
    }
    return RolloutState(**{**values, **change})

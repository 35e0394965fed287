"""What is known of an endpoint when its plan is checked, shown or simulated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rollout.split import Split
from rollout_config import PlanSettings, StepSettings

AZURE_GRAIN_SECONDS = 60
"""Azure Monitor's finest interval for endpoints (PT1M)."""


@dataclass(frozen=True, kw_only=True)
class EndpointFacts:
    """An endpoint, the colour to be rolled out, the limits of the stack, and the traffic."""

    stack: str
    key: str
    colour: str
    baseline: Split
    """The weights before the rollout."""
    max_step: int
    """`limits.max_step`, percent."""
    max_mirror: int
    """`limits.max_mirror`, percent."""
    rpm: float | None = None
    """Requests a minute from callers to the whole endpoint; None: unknown."""
    instances: Mapping[str, int] = field(default_factory=dict)
    """By colour, the most instances that it may have: the fixed number, or autoscale's maximum."""
    grain_seconds: int = AZURE_GRAIN_SECONDS
    """Length of an interval of the metrics."""

    @property
    def plan_key(self) -> str:
        """The key of the plan in the stack file."""
        return f"sluice:rollout.{self.key}.plan"

    @property
    def fix_file(self) -> str:
        """Where the plan is repaired."""
        return f"Pulumi.{self.stack}.yaml"

    def rpm_of(self, plan: PlanSettings) -> float | None:
        """Requests a minute to the whole endpoint, with the plan's own load; None: unknown."""
        if plan.load is None:
            return self.rpm
        return (self.rpm or 0) + plan.load.rpm

    def canary_rpm(self, plan: PlanSettings, step: StepSettings) -> float | None:
        """Requests a minute that the new colour gets in a step, copies included; None: unknown."""
        rpm = self.rpm_of(plan)
        return None if rpm is None else rpm * step.percent / 100

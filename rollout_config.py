"""The models of `sluice:rollout`: the weights of an endpoint, and the plan by which the controller moves them.

Rules about one value or one section are here, rules about weights in `weights.py`. Imports no Pulumi.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from config_values import Duration, MirrorPercent, Name, Percent, Section

GateName = Literal["error_rate", "latency_p50", "latency_p90", "latency_p95", "latency_p99"]


class StepSettings(Section):
    """One step of a rollout: a mirror share or a live weight, and how long to watch it."""

    mirror: MirrorPercent | None = None
    """Percent of live requests copied to the new colour."""
    weight: Percent | None = None
    """Live weight of the new colour in percent."""
    bake: Duration
    """How long to watch: a number and s, m, h or d."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.mirror is None) == (self.weight is None):
            raise PydanticCustomError("step_kind", "must have either mirror or weight, not both and not neither")
        return self


class GateSettings(Section):
    """What a metric of the new colour must keep to."""

    max: Annotated[float, Field(gt=0, le=1)] | None = None
    """Highest error rate, 0 to 1 (error_rate only)."""
    max_ms: Annotated[float, Field(gt=0)] | None = None
    """Highest latency in milliseconds (latency only)."""
    vs_stable: Annotated[float, Field(ge=1)] | None = None
    """Highest ratio to the stable colour."""

    @model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        if self.max is None and self.max_ms is None and self.vs_stable is None:
            raise PydanticCustomError("gate_empty", "must have a bound (max, max_ms or vs_stable)")
        return self


class PlanSettings(Section):
    """How the controller moves the weights."""

    steps: Annotated[tuple[StepSettings, ...], Field(min_length=1)]
    """Mirror steps first, then rising live weights up to 100."""
    gates: dict[GateName, GateSettings] = Field(default_factory=dict)
    """What each step has to pass, by metric."""

    @field_validator("steps")
    @classmethod
    def _rises(cls, value: tuple[StepSettings, ...]) -> tuple[StepSettings, ...]:
        kinds = ["mirror" if step.weight is None else "weight" for step in value]
        weights = [step.weight for step in value if step.weight is not None]
        if kinds != sorted(kinds):
            raise PydanticCustomError("plan_order", "must mirror before it gives live weight")
        if weights != sorted(set(weights)) or weights[-1:] not in ([], [100]) or weights[:1] == [0]:
            raise PydanticCustomError(
                "plan_weights",
                "must raise the weight with every step, from above 0 up to 100, got {weights}",
                {"weights": ", ".join(map(str, weights))},
            )
        return value

    @field_validator("gates")
    @classmethod
    def _units(cls, value: dict[GateName, GateSettings]) -> dict[GateName, GateSettings]:
        for name, gate in value.items():
            wrong, right = ("max_ms", "max") if name == "error_rate" else ("max", "max_ms")
            if getattr(gate, wrong) is not None:
                raise PydanticCustomError(
                    "gate_unit",
                    "must bound {name} by {right}, not by {wrong}",
                    {"name": name, "wrong": wrong, "right": right},
                )
        return value


class RolloutSettings(Section):
    """Who gets the requests of one endpoint."""

    stable: Name | None = None
    """The colour to fall back to; limits do not bind its increases."""
    traffic: dict[Name, Percent] = Field(default_factory=dict)
    """Live weights in whole percents; their sum is 0 or 100."""
    mirror: dict[Name, MirrorPercent] = Field(default_factory=dict)
    """Share of live requests copied to one colour, in whole percents, at most 50."""
    plan: PlanSettings | None = None
    """How the rollout controller moves the weights."""

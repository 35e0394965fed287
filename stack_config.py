"""The models of the stack config: what may stand under the `sluice:` keys of Pulumi.<stack>.yaml.

Frozen, strict (no value is converted) and closed (unknown keys are refused). Rules that need one value only live here;
rules between sections and the wording of errors live in `settings.py`. Imports no Pulumi.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Weekday = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


class Network(StrEnum):
    """Who can reach the platform."""

    PUBLIC = "public"
    PRIVATE = "private"


class Section(BaseModel):
    """Base of all models: frozen, strict, closed."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Limits(Section):
    """How far one update may go with a colour that is not the stable one."""

    max_step: int = 50
    max_mirror: int = 50
    min_live_instances: int = 1


class ScheduleSettings(Section):
    name: str
    days: tuple[Weekday, ...]
    start: str
    end: str
    timezone: str = "UTC"
    min: int
    max: int
    default: int


class AutoscaleSettings(Section):
    min: int
    max: int
    default: int
    target_cpu_percent: int = 70
    requests_per_instance_per_minute: int | None = None
    schedules: tuple[ScheduleSettings, ...] = ()


class DeploymentSettings(Section):
    instances: int | None = None
    sku: str | None = None
    allow_live_change: bool = False
    autoscale: AutoscaleSettings | None = None


class EndpointSettings(Section):
    name: str | None = None
    deployments: dict[str, DeploymentSettings] = Field(default_factory=dict)


class StepSettings(Section):
    mirror: int | None = None
    weight: int | None = None
    bake: str


class PlanSettings(Section):
    steps: tuple[StepSettings, ...]
    gates: dict[str, dict[str, float]] = Field(default_factory=dict)


class RolloutSettings(Section):
    stable: str | None = None
    traffic: dict[str, int] = Field(default_factory=dict)
    mirror: dict[str, int] = Field(default_factory=dict)
    plan: PlanSettings | None = None


class Settings(Section):
    stack: str
    team: str
    location: str
    network: Network
    limits: Limits = Limits()
    endpoints: dict[str, EndpointSettings] = Field(default_factory=dict)
    rollout: dict[str, RolloutSettings] = Field(default_factory=dict)

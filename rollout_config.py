"""The models of `sluice:rollout`: the weights of an endpoint, and the plan by which the controller moves them.

Rules about one value or one section are here, the gates in `gate_config.py`, rules about weights in `weights.py`, and
what a plan can do at the endpoint's limits and traffic in `rollout/plan/lint.py`. Imports no Pulumi.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from config_values import Duration, EnvironmentVariable, MirrorPercent, Name, Percent, Section, StackName, seconds_of
from gate_config import GatesSettings

PresetName = Literal["canary", "careful", "linear-20", "at-once"]

REQUESTS_WITHOUT_A_CEILING = 150
"""What `min_requests: auto` means without `gates.error_rate.max`: the number for a ceiling of 1 %."""

AROUND_A_ROLLOUT = ("start", "promote_to")
"""Keys of a plan that `sluice ci deliver` reads before the first and after the last step."""

LEAST_STEP_DEADLINE = 30 * 60
"""Seconds. The default of `step_deadline` is six bakes and at least this."""


class StepSettings(Section):
    """One step of a rollout: a mirror share or a live weight, and how long to watch it."""

    mirror: Annotated[MirrorPercent, Field(ge=1)] | None = None
    """Percent of live requests copied to the new colour."""
    weight: Percent | None = None
    """Live weight of the new colour in percent."""
    bake: Duration
    """How long to watch: a number and s, m, h or d."""
    approve: bool = False
    """A person has to say yes before this step begins."""
    warm_up: Duration | None = None
    """Time at the start of the step that latency gates ignore; errors always count."""

    @field_validator("warm_up")
    @classmethod
    def _ends_before_the_bake(cls, value: str | None, info: ValidationInfo) -> str | None:
        bake = info.data.get("bake")
        if value is not None and bake is not None and seconds_of(value) >= seconds_of(bake):
            raise PydanticCustomError(
                "warm_up_long", "must be shorter than bake, got {warm_up} of {bake}", {"warm_up": value, "bake": bake}
            )
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.mirror is None) == (self.weight is None):
            raise PydanticCustomError("step_kind", "must have either mirror or weight, not both and not neither")
        return self

    @property
    def is_mirror(self) -> bool:
        """Whether requests are copied to the new colour, which answers no caller."""
        return self.mirror is not None

    @property
    def percent(self) -> int:
        """The mirror share or the live weight."""
        return (self.mirror if self.weight is None else self.weight) or 0

    @property
    def bake_seconds(self) -> int:
        """How long to watch."""
        return seconds_of(self.bake)

    @property
    def warm_up_seconds(self) -> int:
        """How long latency gates ignore the new colour."""
        return seconds_of(self.warm_up) if self.warm_up is not None else 0


PRESETS: Mapping[PresetName, tuple[tuple[int, str], ...]] = MappingProxyType(
    {
        "canary": ((10, "10m"), (50, "10m"), (100, "30m")),
        "careful": ((1, "30m"), (5, "30m"), (10, "30m"), (25, "30m"), (50, "30m"), (75, "30m"), (100, "2h")),
        "linear-20": ((20, "10m"), (40, "10m"), (60, "10m"), (80, "10m"), (100, "30m")),
        "at-once": ((100, "30m"),),
    }
)
"""Live weight and bake of each step, by preset."""


def steps_of(preset: PresetName) -> tuple[StepSettings, ...]:
    """The steps that a preset stands for."""
    return tuple(StepSettings(weight=weight, bake=bake) for weight, bake in PRESETS[preset])


def _number_or_auto(value: Any, handler: ValidatorFunctionWrapHandler) -> int | Literal["auto"]:
    try:
        requests: int | Literal["auto"] = handler(value)
    except ValidationError:
        raise PydanticCustomError(
            "min_requests", "must be auto or a whole number of at least 1, got {value}", {"value": json.dumps(value)}
        ) from None
    return requests


MinRequests = Annotated[Annotated[int, Field(ge=1)] | Literal["auto"], WrapValidator(_number_or_auto)]


class NotifySettings(Section):
    """Where the controller reports what it does."""

    variable: EnvironmentVariable
    """Name of the environment variable that holds the webhook's address; the address itself is a secret."""
    format: Literal["slack", "teams", "json"] = "json"
    """What the webhook expects."""


class LoadSettings(Section):
    """Requests that the controller itself sends, for a stack without callers."""

    rpm: Annotated[int, Field(ge=1, le=60_000)]
    """Requests a minute, whether or not answers come."""


class PlanSettings(Section):
    """How the controller moves the weights."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["steps"]}, {"required": ["preset"]}]})

    preset: PresetName | None = None
    """Steps by name, in place of `steps`: canary 10/50/100, careful 1/5/10/25/50/75/100, linear-20, at-once."""
    steps: Annotated[
        tuple[StepSettings, ...], Field(default=(), validate_default=True, json_schema_extra={"minItems": 1})
    ]
    """Mirror steps first, then rising live weights up to 100."""
    gates: GatesSettings = Field(default_factory=GatesSettings)
    """What each step has to pass."""
    min_requests: MinRequests = "auto"
    """Requests that the new colour must have answered in each step; auto is 1.5 / error_rate.max, rounded up."""
    on_inconclusive: Literal["hold", "rollback"] = "hold"
    """What to do when a step has not passed at its deadline."""
    step_deadline: Duration | None = None
    """How long a step may take. Default: six times its bake, at least 30m."""
    on_incident: Literal["hold", "rollback"] = "hold"
    """What to do when the new colour and the others fail together."""
    max_execution_time: Duration = "24h"
    """How long the whole rollout may take, without the time that a person, an approval or drift held it."""
    hold_stable: bool = True
    """Raise the autoscale minimum of the stable colour to its present instances until the rollout has ended."""
    retire: Literal["keep", "scale_down", "remove"] = "keep"
    """What becomes of the old colour after rollback_window."""
    rollback_window: Duration = "24h"
    """How long after its end a rollout can still be rolled back."""
    notify: NotifySettings | None = None
    """A webhook that is told what happens."""
    verify: bool = True
    """Send counted requests to the new colour before its first step, and compare them with the metric."""
    settle: Annotated[Duration | None, Field(validate_default=True)] = None
    """How long the metric takes until it is complete. Default: as measured by verify; required without it."""
    load: LoadSettings | None = None
    """Requests that the controller itself sends; the record says that they are synthetic."""
    start: Literal["manual", "auto"] = "manual"
    """Who begins a rollout: a person, or `sluice ci deliver` once a new colour is healthy at 0 %."""
    promote_to: StackName | None = None
    """The stack for which `sluice ci deliver` opens a pull request once a rollout has ended well here."""

    @field_validator("steps")
    @classmethod
    def _rises(cls, value: tuple[StepSettings, ...], info: ValidationInfo) -> tuple[StepSettings, ...]:
        if (preset := info.data.get("preset")) is not None:
            expanded = steps_of(preset)
            if value not in ((), expanded):
                raise PydanticCustomError("plan_preset", "must not be set beside preset; keep one of the two")
            return expanded
        if not value and "preset" in info.data:
            raise PydanticCustomError("plan_empty", "must have at least one step, or the plan a preset")
        kinds = ["mirror" if step.is_mirror else "weight" for step in value]
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

    @field_validator("settle")
    @classmethod
    def _is_known_without_verify(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("verify") is False:
            raise PydanticCustomError("settle_unknown", "must be set where verify, which measures it, is false")
        return value

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """The plan that `as_values` gave, such as the frozen plan of a record.

        Raises `pydantic.ValidationError` if it is no plan.
        """
        return cls.model_validate_json(json.dumps(values))

    def as_values(self) -> dict[str, Any]:
        """The plan as JSON values, its preset expanded and its defaults written out."""
        return self.model_dump(mode="json", exclude_none=True)

    @property
    def live_steps(self) -> tuple[StepSettings, ...]:
        """The steps that give live weight."""
        return tuple(step for step in self.steps if not step.is_mirror)

    @property
    def max_execution_seconds(self) -> int:
        """How long the whole rollout may take."""
        return seconds_of(self.max_execution_time)

    @property
    def rollback_window_seconds(self) -> int:
        """How long after its end a rollout can still be rolled back."""
        return seconds_of(self.rollback_window)

    @property
    def settle_seconds(self) -> int | None:
        """How long the metric takes until it is complete; None: `verify` measures it."""
        return None if self.settle is None else seconds_of(self.settle)

    @property
    def min_requests_of_a_step(self) -> int:
        """Requests that the new colour must have answered in each step.

        `auto` is the rule of three: if so many requests have no error, the error rate is below twice the ceiling with
        a confidence of 95 %.
        """
        if self.min_requests != "auto":
            return self.min_requests
        gate = self.gates.error_rate
        if gate is None or gate.max is None:
            return REQUESTS_WITHOUT_A_CEILING
        return math.ceil(round(1.5 / gate.max, 6))

    def step_deadline_seconds(self, step: StepSettings) -> int:
        """How long a step may take until `on_inconclusive` applies."""
        if self.step_deadline is not None:
            return seconds_of(self.step_deadline)
        return max(6 * step.bake_seconds, LEAST_STEP_DEADLINE)

    def horizon(self, grain_seconds: int, *, mirror: bool = False) -> int:
        """Planned intervals of the live steps, or of the mirror steps: the H of every test; at least 1."""
        seconds = sum(step.bake_seconds for step in self.steps if step.is_mirror is mirror)
        return max(1, math.ceil(seconds / grain_seconds))


def plan_digest(plan: PlanSettings) -> str:
    """The SHA-256 of a plan, 64 hex characters: equal for a preset and for the same steps written out.

    Who begins a rollout and what follows it (`AROUND_A_ROLLOUT`) changes nothing about the rollout.
    """
    values = {key: value for key, value in plan.as_values().items() if key not in {"preset", *AROUND_A_ROLLOUT}}
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


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

"""The models of `autoscale` of one deployment: bounds, rules and schedules.

`rules` says everything about the rules. Settings of earlier stack files have `target_cpu_percent` and
`requests_per_instance_per_minute` in its place; what they declare in Azure stays exactly as it was, so that they still
preview empty. Rules about single values and this section are here. Imports no Pulumi.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from config_values import Instances, Key, Section, TimeOfDay, Timezone, Weekday, WholeDuration, seconds_of

MAX_RULES = 10
"""Azure Monitor's limit for one profile of an autoscale setting."""
MAX_PROFILES = 20
"""Azure Monitor's limit for one autoscale setting."""
MAX_SCHEDULES = (MAX_PROFILES - 1) // 2
"""Each schedule takes one profile that starts it and one that ends it, and the default takes one."""
IN_FRACTION = 0.4
"""Where `below` is left out, the share of `above` below which a rule scales in (Microsoft's reference policy: 30 of 70
percent CPU)."""
DEFAULT_CPU_PERCENT = 70
"""Without any rule in the stack file; Microsoft's reference policy."""
MINUTE, HOUR, DAY = 60, 3600, 86400


class Capacity(Section):
    """How many instances autoscale may choose."""

    min: Instances
    """Fewest instances."""
    max: Instances
    """Most instances; quota is needed for them."""
    default: Instances
    """Instances when the metrics cannot be read."""

    # Field by field, not for the whole section: so these rules are checked beside broken values of other fields.
    @field_validator("max")
    @classmethod
    def _not_below_min(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data.get("min", value):
            raise PydanticCustomError(
                "max_below_min",
                "must not be below min, got max={max}, min={min}",
                {"max": value, "min": info.data["min"]},
            )
        return value

    @field_validator("default")
    @classmethod
    def _between(cls, value: int, info: ValidationInfo) -> int:
        bounds = info.data
        if {"min", "max"} <= bounds.keys() and not bounds["min"] <= value <= bounds["max"]:
            raise PydanticCustomError(
                "default_outside",
                "must be between min and max, got default={default}, min={min}, max={max}",
                {"default": value, "min": bounds["min"], "max": bounds["max"]},
            )
        return value


class ScheduleSettings(Capacity):
    """Other limits at certain hours of certain days."""

    name: Key
    """Name of the profile in Azure Monitor."""
    days: Annotated[tuple[Weekday, ...], Field(min_length=1)]
    """Days on which it starts."""
    start: TimeOfDay
    """Start, HH:MM."""
    end: TimeOfDay
    """End, HH:MM; before `start` means on the next day."""
    timezone: Timezone = "UTC"
    """Windows time zone name, as Azure Monitor wants it: `W. Europe Standard Time`."""

    @field_validator("end")
    @classmethod
    def _lasts(cls, value: str, info: ValidationInfo) -> str:
        if value == info.data.get("start"):
            raise PydanticCustomError(
                "schedule_empty", "must be another time than start, got {end} for both", {"end": value}
            )
        return value


class _Threshold(Section):
    """One metric: a rule that scales out above a value, and one that scales in below another."""

    @field_validator("below", check_fields=False)
    @classmethod
    def _is_lower(cls, value: int | None, info: ValidationInfo) -> int | None:
        above = info.data.get("above")
        if value is not None and above is not None and value >= above:
            raise PydanticCustomError(
                "below_not_lower",
                "must be lower than above, got below={below}, above={above}",
                {"below": value, "above": above},
            )
        return value


class PercentRule(_Threshold):
    """A rule on a metric in percent."""

    above: Annotated[int, Field(ge=1, le=100)]
    """Scale out above this percentage."""
    below: Annotated[int, Field(ge=1, le=99)] | None = None
    """Scale in below this percentage. Default: 40 % of `above` for cpu and gpu, and no rule for the other two."""


class LoadRule(_Threshold):
    """A rule on a number of requests, or on a time."""

    above: Annotated[int, Field(ge=1)]
    """Scale out above this value: requests a minute and instance, or milliseconds."""
    below: Annotated[int, Field(ge=1)] | None = None
    """Scale in below this value. Default: 40 % of `above` for requests_per_instance, and no rule for latency_p95."""


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """The values of one metric at which autoscale acts; `below` is None where it does not scale in."""

    key: str
    above: int
    below: int | None


FOLLOWS_LOAD = frozenset({"cpu", "gpu", "requests_per_instance"})
"""The metrics that fall with the load. Memory and latency of an idle model may stay above 40 % of any threshold, and
one rule that never agrees keeps autoscale from scaling in, so they scale in only where the stack file says so."""


class RuleSettings(Section):
    """What autoscale watches: any rule scales out; it scales in when all rules that have a lower threshold agree."""

    cpu: PercentRule | None = None
    """CPU utilization of the instances."""
    memory: PercentRule | None = None
    """Memory utilization of the instances."""
    gpu: PercentRule | None = None
    """GPU utilization of the instances; needs a VM size with GPUs."""
    gpu_memory: PercentRule | None = None
    """Memory utilization of the GPUs; needs a VM size with GPUs."""
    requests_per_instance: LoadRule | None = None
    """Requests a minute that the deployment gets, for each of its instances."""
    latency_p95: LoadRule | None = None
    """95th percentile of the latency of its requests, in milliseconds."""

    def thresholds(self) -> Iterator[Thresholds]:
        """The metrics that are declared, in this order."""
        for key in type(self).model_fields:
            rule: PercentRule | LoadRule | None = getattr(self, key)
            if rule is not None:
                default = max(1, int(rule.above * IN_FRACTION)) if key in FOLLOWS_LOAD else None
                yield Thresholds(key=key, above=rule.above, below=default if rule.below is None else rule.below)


class ScaleInSettings(Section):
    """How autoscale removes instances."""

    step: Instances = 1
    """Instances removed at once."""
    window: WholeDuration = "30m"
    """How long the metrics are averaged before a decision: 5m to 12h."""
    cooldown: WholeDuration = "1h"
    """Shortest time after the last change of the instance count: 1m to 7d."""

    @field_validator("window")
    @classmethod
    def _window_in_range(cls, value: str) -> str:
        return _within(value, 5 * MINUTE, 12 * HOUR, "5m to 12h")

    @field_validator("cooldown")
    @classmethod
    def _cooldown_in_range(cls, value: str) -> str:
        return _within(value, MINUTE, 7 * DAY, "1m to 7d")


class AutoscaleSettings(Capacity):
    """Azure Monitor autoscale of one deployment: out on load, in slowly."""

    idle_instances: Instances | None = None
    """Fewest instances while the deployment has neither live nor mirror weight and is not the stable one, under every
    schedule. Default: `min` applies then, too."""
    target_cpu_percent: Annotated[int, Field(ge=1, le=100)] | None = None
    """Scale out above this CPU utilization: 70 where there are no `rules`. The earlier form of `rules.cpu`."""
    requests_per_instance_per_minute: Annotated[int, Field(ge=1)] | None = None
    """Scale out above this rate of requests. The earlier form of `rules.requests_per_instance`."""
    rules: RuleSettings | None = None
    """What autoscale watches. Cannot stand beside the two earlier keys."""
    scale_in: ScaleInSettings = ScaleInSettings.model_construct()
    """How it removes instances."""
    schedules: Annotated[tuple[ScheduleSettings, ...], Field(max_length=MAX_SCHEDULES)] = ()
    """At most nine: each takes two of Azure's twenty profiles, and the default takes one."""

    @field_validator("rules")
    @classmethod
    def _can_act(cls, value: RuleSettings | None, info: ValidationInfo) -> RuleSettings | None:
        if value is None:
            return None
        earlier = [key for key in ("target_cpu_percent", "requests_per_instance_per_minute") if info.data.get(key)]
        if earlier:
            raise PydanticCustomError(
                "two_forms_of_rules",
                "must not stand beside {earlier}: write rules.cpu.above and rules.requests_per_instance.above instead",
                {"earlier": " and ".join(earlier)},
            )
        thresholds = list(value.thresholds())
        count = sum(1 if one.below is None else 2 for one in thresholds)
        if count > MAX_RULES:
            raise PydanticCustomError(
                "too_many_rules",
                "must be at most {limit} rules, which is Azure Monitor's limit, got {count}: each metric is one that "
                "scales out, and one that scales in where it has a lower threshold. Leave below out for "
                "{optional}, or leave a metric out",
                {
                    "limit": MAX_RULES,
                    "count": count,
                    "optional": " or ".join(
                        one.key for one in thresholds if one.key not in FOLLOWS_LOAD and one.below is not None
                    ),
                },
            )
        if all(one.below is None for one in thresholds):
            raise PydanticCustomError(
                "never_scales_in",
                "must have a metric that scales in, or the instances stay for ever: add cpu, gpu or "
                "requests_per_instance, or give another metric a lower threshold (below)",
                {},
            )
        return value

    @field_validator("schedules")
    @classmethod
    def _names_differ(cls, value: tuple[ScheduleSettings, ...]) -> tuple[ScheduleSettings, ...]:
        names = [schedule.name for schedule in value]
        if len(set(names)) < len(names):
            raise PydanticCustomError(
                "schedule_names", "must have a different name each, got {names}", {"names": ", ".join(names)}
            )
        return value

    def while_idle(self) -> AutoscaleSettings:
        """The same settings with the bounds that apply without any weight.

        The default follows the minimum: requests are not measured then, and Azure raises the count to the default where
        a metric cannot be read.
        """
        if self.idle_instances is None:
            return self
        schedules = tuple(
            schedule.model_copy(update=_lowered(schedule, self.idle_instances)) for schedule in self.schedules
        )
        return self.model_copy(update={**_lowered(self, self.idle_instances), "schedules": schedules})

    @property
    def requests_per_instance(self) -> int | None:
        """The requests a minute above which it adds instances, for each instance; None: not declared."""
        if self.rules is None:
            return self.requests_per_instance_per_minute
        rule = self.rules.requests_per_instance
        return rule.above if rule else None

    @property
    def most_instances(self) -> int:
        """The most instances that it may choose at any time."""
        return max([self.max, *(schedule.max for schedule in self.schedules)])


def _lowered(bounds: Capacity, idle: int) -> dict[str, int]:
    least = min(bounds.min, idle)
    return {"min": least, "default": least}


def _within(value: str, least: int, most: int, text: str) -> str:
    if not least <= seconds_of(value) <= most:
        raise PydanticCustomError(
            "duration_outside",
            "must be {range}, which are Azure Monitor's limits, got {value}",
            {"range": text, "value": value},
        )
    return value

"""An autoscale setting as plain values, read from the properties of its ARM resource. Pure.

Ranges are those of Microsoft's reference; every broken rule is reported. Predictive autoscale and notifications are
ignored: they do not change the number of instances here.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from localazure.monitor.durations import read_duration
from localazure.monitor.errors import QueryError, SettingError, SettingNotEmulated
from localazure.monitor.time_zones import zone_of

MINUTE, HOUR, DAY = 60, 3600, 86400
MAX_PROFILES, MAX_RULES = 20, 10
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
STATISTICS = ("Average", "Min", "Max", "Sum", "Count")
AGGREGATIONS = ("Average", "Minimum", "Maximum", "Total", "Count", "Last")
ACTIONS = ("ChangeCount", "PercentChangeCount", "ExactCount")
OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "Equals": operator.eq,
    "NotEquals": operator.ne,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqual": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqual": operator.le,
}


@dataclass(frozen=True)
class Trigger:
    """When a rule acts: a metric, aggregated over time and instances, compared with a threshold."""

    metric: str
    resource_id: str
    dimensions: tuple[tuple[str, bool, tuple[str, ...]], ...]
    """Name, whether the values are included (or excluded), values."""
    grain_seconds: float
    window_seconds: float
    statistic: str
    aggregation: str
    operator: str
    threshold: float
    per_instance: bool
    namespace: str | None = None
    """None: not sent; then it is the type of the resource."""

    def holds(self, value: float) -> bool:
        """Whether an aggregated value makes the rule act."""
        return OPERATORS[self.operator](value, self.threshold)


@dataclass(frozen=True)
class Rule:
    """A trigger and what it does to the number of instances."""

    trigger: Trigger
    increases: bool
    action: str
    value: int
    cooldown_seconds: float


@dataclass(frozen=True)
class FixedDate:
    """A profile's single period."""

    start: float
    end: float


@dataclass(frozen=True)
class Recurrence:
    """The weekly moments at which a profile begins."""

    zone: str
    days: tuple[int, ...]
    """0 is Monday."""
    hours: tuple[int, ...]
    minutes: tuple[int, ...]


@dataclass(frozen=True)
class Profile:
    """Bounds and rules, and when they apply."""

    name: str
    minimum: int
    maximum: int
    default: int
    rules: tuple[Rule, ...]
    when: FixedDate | Recurrence | None = None


@dataclass(frozen=True)
class Setting:
    """One autoscale setting."""

    enabled: bool
    target_id: str
    profiles: tuple[Profile, ...]


def read_setting(properties: Mapping[str, Any]) -> Setting:
    """Raises `SettingError` with every broken rule, `SettingNotEmulated` for settings that only Azure can follow."""
    return _Reader().setting(properties)


def hastened(setting: Setting, speed: float) -> Setting:
    """The same setting with grains, windows and cool-downs that pass `speed` times as fast; schedules stay."""

    def rule(one: Rule) -> Rule:
        grain = max(1.0, round(one.trigger.grain_seconds / speed))
        window = max(grain, one.trigger.window_seconds / speed)
        trigger = replace(one.trigger, grain_seconds=grain, window_seconds=window)
        return replace(one, trigger=trigger, cooldown_seconds=one.cooldown_seconds / speed)

    profiles = (replace(profile, rules=tuple(rule(one) for one in profile.rules)) for profile in setting.profiles)
    return setting if speed == 1 else replace(setting, profiles=tuple(profiles))


class _Reader:
    def __init__(self) -> None:
        self._problems: list[str] = []
        self._not_emulated: list[str] = []

    def setting(self, properties: Mapping[str, Any]) -> Setting:
        sent = self._list(properties, "profiles")
        if not 1 <= len(sent) <= MAX_PROFILES:
            self._problems.append(f"profiles must be 1 to {MAX_PROFILES}, got {len(sent)}.")
        profiles = tuple(self._profile(_mapping(one), index) for index, one in enumerate(sent[:MAX_PROFILES]))
        regular = sum(profile.when is None for profile in profiles)
        if regular > 1:
            self._problems.append(f"Only one profile can be without fixedDate and recurrence, got {regular}.")
        if self._problems:
            raise SettingError(self._problems)
        if self._not_emulated:
            raise SettingNotEmulated(self._not_emulated)
        return Setting(
            enabled=properties.get("enabled", True) is not False,
            target_id=str(properties.get("targetResourceUri") or ""),
            profiles=profiles,
        )

    def _profile(self, sent: Mapping[str, Any], index: int) -> Profile:
        name = str(sent.get("name") or f"profiles[{index}]")
        capacity = _mapping(sent.get("capacity"))
        low, high, default = (self._whole(capacity, key, name) for key in ("minimum", "maximum", "default"))
        if not low <= default <= high:
            self._problems.append(
                f"{name}: capacity must have minimum <= default <= maximum, got {low}, {default}, {high}."
            )
        rules = self._list(sent, "rules")
        if len(rules) > MAX_RULES:
            self._problems.append(f"{name}: rules must be at most {MAX_RULES}, got {len(rules)}.")
        read = tuple(
            self._rule(_mapping(rule), f"{name}, rule {number}") for number, rule in enumerate(rules[:MAX_RULES], 1)
        )
        return Profile(name, low, high, default, read, self._when(sent, name))

    def _when(self, sent: Mapping[str, Any], name: str) -> FixedDate | Recurrence | None:
        fixed, recurrence = sent.get("fixedDate"), sent.get("recurrence")
        if fixed and recurrence:
            self._problems.append(f"{name}: a profile has fixedDate or recurrence, not both.")
        if fixed:
            return self._fixed(_mapping(fixed), name)
        return self._recurrence(_mapping(recurrence), name) if recurrence else None

    def _fixed(self, sent: Mapping[str, Any], name: str) -> FixedDate | None:
        zone = self._zone(sent, name)
        start, end = (self._local_time(sent, key, zone, name) for key in ("start", "end"))
        if start is None or end is None:
            return None
        if not start < end or end - start > 365 * DAY:
            self._problems.append(f"{name}: fixedDate must end after it starts, within 365 days.")
        return FixedDate(start, end)

    def _recurrence(self, sent: Mapping[str, Any], name: str) -> Recurrence | None:
        if str(sent.get("frequency", "")).lower() != "week":
            self._not_emulated.append(f"{name}: a recurrence other than Week")
        schedule = _mapping(sent.get("schedule"))
        zone = self._zone(schedule, name)
        days = [str(day).lower() for day in self._list(schedule, "days")]
        hours, minutes = (tuple(self._list(schedule, key)) for key in ("hours", "minutes"))
        if not days or any(day not in WEEKDAYS for day in days):
            self._problems.append(f"{name}: recurrence.schedule.days must name weekdays, got {days}.")
        if not hours or any(type(hour) is not int or not 0 <= hour <= 23 for hour in hours):
            self._problems.append(f"{name}: recurrence.schedule.hours must be from 0 to 23, got {list(hours)}.")
        if not minutes or any(type(minute) is not int or not 0 <= minute <= 59 for minute in minutes):
            self._problems.append(f"{name}: recurrence.schedule.minutes must be from 0 to 59, got {list(minutes)}.")
        if self._problems or zone is None:
            return None
        return Recurrence(zone, tuple(WEEKDAYS.index(day) for day in days), hours, minutes)

    def _rule(self, sent: Mapping[str, Any], name: str) -> Rule:
        action = _mapping(sent.get("scaleAction"))
        kind = self._choice(action, "type", (*ACTIONS, "ServiceAllowedNextValue"), "ChangeCount", name)
        if kind == "ServiceAllowedNextValue":
            self._not_emulated.append(f"{name}: scaleAction ServiceAllowedNextValue")
        direction = self._choice(action, "direction", ("Increase", "Decrease"), "", name)
        value = self._whole(action, "value", name, default=1, lowest=0 if kind == "ExactCount" else 1)
        cooldown = self._duration(action, "cooldown", MINUTE, 7 * DAY, name)
        return Rule(
            self._trigger(_mapping(sent.get("metricTrigger")), name), direction == "Increase", kind, value, cooldown
        )

    def _trigger(self, sent: Mapping[str, Any], name: str) -> Trigger:
        threshold = sent.get("threshold")
        if isinstance(threshold, bool) or not isinstance(threshold, int | float):
            self._problems.append(f"{name}: metricTrigger.threshold must be a number, got {threshold!r}.")
            threshold = 0.0
        for key in ("metricName", "metricResourceUri"):
            if not isinstance(sent.get(key), str) or not sent[key]:
                self._problems.append(f"{name}: metricTrigger.{key} is required.")
        return Trigger(
            metric=str(sent.get("metricName")),
            resource_id=str(sent.get("metricResourceUri")),
            dimensions=tuple(self._dimension(_mapping(one), name) for one in self._list(sent, "dimensions")),
            grain_seconds=self._duration(sent, "timeGrain", MINUTE, 12 * HOUR, name),
            window_seconds=self._duration(sent, "timeWindow", 5 * MINUTE, 12 * HOUR, name),
            statistic=self._choice(sent, "statistic", STATISTICS, "", name),
            aggregation=self._choice(sent, "timeAggregation", AGGREGATIONS, "", name),
            operator=self._choice(sent, "operator", tuple(OPERATORS), "", name),
            threshold=float(threshold),
            per_instance=sent.get("dividePerInstance") is True,
            namespace=str(sent["metricNamespace"]) if sent.get("metricNamespace") else None,
        )

    def _dimension(self, sent: Mapping[str, Any], name: str) -> tuple[str, bool, tuple[str, ...]]:
        given = {key.lower(): value for key, value in sent.items()}  # documented as dimensionName
        kind = self._choice(given, "operator", ("Equals", "NotEquals"), "", name)
        values = given.get("values")
        if not given.get("dimensionname") or not isinstance(values, list) or not values:
            self._problems.append(f"{name}: a dimension needs DimensionName, Operator and Values.")
            return "", True, ()
        return str(given["dimensionname"]), kind == "Equals", tuple(str(value) for value in values)

    # Fields

    def _list(self, sent: Mapping[str, Any], key: str) -> list[Any]:
        value = sent.get(key)
        if value is not None and not isinstance(value, list):
            self._problems.append(f"{key} must be a list, got {type(value).__name__}.")
        return value if isinstance(value, list) else []

    def _whole(self, sent: Mapping[str, Any], key: str, name: str, default: int | None = None, lowest: int = 0) -> int:
        value = sent.get(key, default)  # Azure Monitor writes these numbers as strings
        text = str(value)
        if isinstance(value, bool) or not text.isascii() or not text.isdigit() or len(text) > 6 or int(text) < lowest:
            self._problems.append(f"{name}: {key} must be a whole number from {lowest}, got {value!r}.")
            return lowest
        return int(text)

    def _duration(self, sent: Mapping[str, Any], key: str, lowest: int, highest: int, name: str) -> float:
        value = sent.get(key)
        try:
            seconds = read_duration(value if isinstance(value, str) else "")
        except QueryError:
            self._problems.append(f"{name}: {key} must be a duration such as PT5M, got {value!r}.")
            return float(lowest)
        if not lowest <= seconds <= highest:
            self._problems.append(f"{name}: {key} must be from {lowest} to {highest} seconds, got {value}.")
        return seconds

    def _choice(self, sent: Mapping[str, Any], key: str, choices: tuple[str, ...], default: str, name: str) -> str:
        value = sent.get(key) or default
        for choice in choices:
            if str(value).lower() == choice.lower():
                return choice
        self._problems.append(f"{name}: {key} must be one of {', '.join(choices)}, got {value!r}.")
        return choices[0]

    def _zone(self, sent: Mapping[str, Any], name: str) -> str | None:
        zone = str(sent.get("timeZone") or "UTC")
        try:
            zone_of(zone)
        except KeyError:
            self._problems.append(
                f"{name}: timeZone must be a Windows name such as W. Europe Standard Time, got {zone[:60]!r}."
            )
            return None
        return zone

    def _local_time(self, sent: Mapping[str, Any], key: str, zone: str | None, name: str) -> float | None:
        """Times are in the profile's zone, even when they are written with a Z (documented)."""
        try:
            moment = datetime.fromisoformat(str(sent.get(key)))
        except ValueError:
            self._problems.append(f"{name}: fixedDate.{key} must be a time, got {sent.get(key)!r}.")
            return None
        return moment.replace(tzinfo=zone_of(zone)).timestamp() if zone is not None else None


def _mapping(sent: Any) -> Mapping[str, Any]:
    return sent if isinstance(sent, Mapping) else {}

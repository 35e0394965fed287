"""Decides how many instances an autoscale setting wants now, from the setting, metrics, time and current number. Pure.

As Microsoft documents it: any rule may scale out, and the greatest result counts. All scale-in rules must agree before
it scales in; then the smallest step counts, and it does not scale in if that would make a rule scale out again. The
bounds of the active profile apply immediately. A profile with fixed dates takes precedence over recurring ones, and
these over the regular one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from localazure.monitor.autoscale_setting import FixedDate, Profile, Recurrence, Rule, Setting, Trigger
from localazure.monitor.time_zones import zone_of

Reader = Callable[[Trigger], Sequence[Sequence[float]] | None]
"""For each grain of a trigger's window, oldest first, the values of the instances; None or empty: unreadable."""

_SHARED = ("CpuUtilizationPercentage",)
"""Metrics whose value per instance falls when instances are added."""


@dataclass(frozen=True)
class Current:
    """The current number of instances, and when autoscale last changed it (Unix time)."""

    instances: int
    last_scaled: float | None = None


@dataclass(frozen=True)
class Decision:
    """The wanted number of instances, and the reason."""

    instances: int
    reason: str
    profile: str = ""


def decide(setting: Setting, metrics: Reader, now: float, current: Current) -> Decision:
    """The number of instances that the setting wants."""
    if not setting.enabled:
        return Decision(current.instances, "The setting is disabled.")
    profile = active_profile(setting.profiles, now)
    if profile is None:
        return Decision(current.instances, "No profile is active.")
    wanted, reason = _within(profile, metrics, now, current)
    return Decision(wanted, reason, profile.name)


def active_profile(profiles: Sequence[Profile], now: float) -> Profile | None:
    """The active profile; a recurring one is active until another one begins."""
    for profile in profiles:
        if isinstance(profile.when, FixedDate) and profile.when.start <= now < profile.when.end:
            return profile
    recurring = [
        (last_start(profile.when, now), -index, profile)
        for index, profile in enumerate(profiles)
        if isinstance(profile.when, Recurrence)
    ]
    if recurring:
        return max(recurring, key=lambda item: item[:2])[2]
    return next((profile for profile in profiles if profile.when is None), None)


def last_start(recurrence: Recurrence, now: float) -> float:
    """When a recurring profile last began; every week has a beginning, so there is one within eight days."""
    zone = zone_of(recurrence.zone)
    today = datetime.fromtimestamp(now, UTC).astimezone(zone).date()
    starts = []
    for back in range(9):
        day = today - timedelta(days=back)
        if day.weekday() not in recurrence.days:
            continue
        for hour in recurrence.hours:
            for minute in recurrence.minutes:
                start = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).timestamp()
                starts += [start] if start <= now else []
    return max(starts)


def _within(profile: Profile, metrics: Reader, now: float, current: Current) -> tuple[int, str]:
    if current.instances < profile.minimum:
        return profile.minimum, f"{current.instances} is below the minimum of {profile.minimum}."
    if current.instances > profile.maximum:
        return profile.maximum, f"{current.instances} is above the maximum of {profile.maximum}."
    values = {rule: _gather(rule.trigger, metrics, current.instances) for rule in profile.rules}
    triggered = [rule for rule, value in values.items() if value is not None and rule.trigger.holds(value)]
    out = [rule for rule in triggered if rule.increases]
    ready = [rule for rule in out if _is_cool(rule, now, current)]
    if ready:
        rule = max(ready, key=lambda rule: _result(rule, current.instances))
        wanted = min(profile.maximum, max(current.instances, _result(rule, current.instances)))
        return wanted, _because(rule, values[rule])
    if out:
        return current.instances, "A rule would scale out, but its cool-down has not ended."
    unreadable = sum(value is None for value in values.values())
    if unreadable and current.instances < profile.default:
        return profile.default, f"The metrics of {unreadable} rule(s) cannot be read: the default count applies."
    return _scale_in(profile, values, triggered, now, current)


def _scale_in(
    profile: Profile, values: dict[Rule, float | None], triggered: list[Rule], now: float, current: Current
) -> tuple[int, str]:
    rules = [rule for rule in profile.rules if not rule.increases]
    if not rules or any(rule not in triggered for rule in rules):
        return current.instances, "No rule scales out, and the scale-in rules do not all agree."
    if not all(_is_cool(rule, now, current) for rule in rules):
        return current.instances, "All scale-in rules agree, but a cool-down has not ended."
    rule = max(rules, key=lambda rule: _result(rule, current.instances))
    wanted = max(profile.minimum, min(current.instances, _result(rule, current.instances)))
    while wanted < current.instances and _would_scale_out(profile, values, current.instances, wanted):
        wanted += 1
    if wanted == current.instances:
        return wanted, "All scale-in rules agree, but the minimum is reached or the setting would scale out again."
    return wanted, _because(rule, values[rule])


def _would_scale_out(profile: Profile, values: dict[Rule, float | None], before: int, after: int) -> bool:
    """Whether the same load on fewer instances makes a rule scale out: Azure calls it flapping and avoids it."""
    if after < 1:
        return False
    for rule, value in values.items():
        spread = rule.trigger.per_instance or rule.trigger.metric in _SHARED
        if rule.increases and spread and value is not None and rule.trigger.holds(value * before / after):
            return True
    return False


def _gather(trigger: Trigger, metrics: Reader, instances: int) -> float | None:
    """One number for all grains and instances, or None."""
    grains = [_combine(trigger.statistic, values) for values in metrics(trigger) or () if values]
    if not grains:
        return None
    if trigger.aggregation == "Last":
        value = grains[-1]
    else:
        names = {"Minimum": "Min", "Maximum": "Max", "Total": "Sum"}
        value = _combine(names.get(trigger.aggregation, trigger.aggregation), grains)
    return value / max(1, instances) if trigger.per_instance else value


def _combine(how: str, values: Sequence[float]) -> float:
    match how:
        case "Min":
            return min(values)
        case "Max":
            return max(values)
        case "Sum":
            return sum(values)
        case "Count":
            return float(len(values))
        case _:
            return sum(values) / len(values)


def _is_cool(rule: Rule, now: float, current: Current) -> bool:
    return current.last_scaled is None or now - current.last_scaled >= rule.cooldown_seconds


def _result(rule: Rule, instances: int) -> int:
    """The number of instances after a rule. Azure does not document how it rounds percents; here, at least one."""
    if rule.action == "ExactCount":
        return rule.value
    step = rule.value if rule.action == "ChangeCount" else max(1, math.floor(instances * rule.value / 100))
    return instances + step if rule.increases else max(0, instances - step)


def _because(rule: Rule, value: float | None) -> str:
    trigger = rule.trigger
    return f"{trigger.metric} is {value:.4g}: {trigger.operator} {trigger.threshold:g}."

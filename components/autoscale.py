"""Azure Monitor autoscale of one deployment: out quickly on load, in slowly, within bounds that schedules may change.

A managed deployment cannot scale itself (its scale type is always Default), and it cannot scale to zero. The rules are
in `autoscale_rules.py`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import monitor

from autoscale_config import AutoscaleSettings, ScheduleSettings
from components.autoscale_rules import Measured, rules_of
from components.placement import GroupPlacement

__all__ = ["Autoscale", "AutoscaleArgs", "within_bounds"]

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, kw_only=True)
class AutoscaleArgs:
    """Inputs of an `Autoscale`."""

    placement: GroupPlacement
    """*Required.* Names, region and tags, and the group."""
    setting_name: str
    """*Required.* Azure name, unique in the group."""
    endpoint_id: pulumi.Input[str]
    """*Required.* ARM id of the endpoint, whose metrics count requests."""
    deployment_id: pulumi.Input[str]
    """*Required.* ARM id of the deployment that is scaled."""
    deployment_name: str
    """*Required.* Its name, which tells its requests from those of the endpoint's other deployments."""
    settings: AutoscaleSettings
    """*Required.* Bounds, thresholds and schedules."""


class Autoscale(pulumi.ComponentResource):
    """An autoscale setting of one online deployment."""

    def __init__(self, name: str, args: AutoscaleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Autoscale", name, {}, opts)
        monitor.AutoscaleSetting(
            f"{name}-setting",
            autoscale_setting_name=args.setting_name,
            name=args.setting_name,
            resource_group_name=args.placement.resource_group_name,
            location=args.placement.location,
            enabled=True,
            target_resource_uri=args.deployment_id,
            profiles=_profiles(args),
            tags=args.placement.tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                delete_before_replace=True,
                # Makes the engine delete the setting before a deployment that is recreated, and declare it again after:
                # nothing must be scaled while it is deleted or created.
                replace_on_changes=["targetResourceUri"],
            ),
        )
        self.register_outputs({})


def within_bounds(count: int, settings: AutoscaleSettings) -> int:
    """The number closest to `count` that autoscale may have chosen under any of its profiles."""
    lowest = min([settings.min, *(schedule.min for schedule in settings.schedules)])
    return min(max(count, lowest), settings.most_instances)


def _profiles(args: AutoscaleArgs) -> list[monitor.AutoscaleProfileArgs]:
    """The default profile, and for each schedule one that starts it and one that ends it.

    A recurring profile has no end of its own: it lasts until another one starts. So the default is said again at each
    end, under the name by which Azure and its portal know it as the default.
    """
    settings = args.settings
    capacity = _capacity(settings.min, settings.max, settings.default)
    rules = rules_of(
        settings,
        Measured(endpoint_id=args.endpoint_id, deployment_id=args.deployment_id, deployment_name=args.deployment_name),
    )
    profiles = [monitor.AutoscaleProfileArgs(name="default", capacity=capacity, rules=rules)]
    for schedule in settings.schedules:
        end_days = _end_days(schedule)
        profiles += [
            monitor.AutoscaleProfileArgs(
                name=json.dumps(
                    {"name": "Auto created default scale condition", "for": schedule.name}, separators=(",", ":")
                ),
                capacity=capacity,
                rules=rules,
                recurrence=_weekly(end_days, schedule.end, schedule.timezone),
            ),
            monitor.AutoscaleProfileArgs(
                name=schedule.name,
                capacity=_capacity(schedule.min, schedule.max, schedule.default),
                rules=rules,
                recurrence=_weekly(schedule.days, schedule.start, schedule.timezone),
            ),
        ]
    return profiles


def _end_days(schedule: ScheduleSettings) -> Sequence[str]:
    """The days on which a schedule ends: the next ones if it runs past midnight ("HH:MM" compares as text)."""
    if schedule.end > schedule.start:
        return schedule.days
    return [WEEKDAYS[(WEEKDAYS.index(day) + 1) % len(WEEKDAYS)] for day in schedule.days]


def _weekly(days: Sequence[str], time: str, timezone: str) -> monitor.RecurrenceArgs:
    hours, minutes = (int(part) for part in time.split(":"))
    return monitor.RecurrenceArgs(
        frequency=monitor.RecurrenceFrequency.WEEK,
        schedule=monitor.RecurrentScheduleArgs(time_zone=timezone, days=list(days), hours=[hours], minutes=[minutes]),
    )


def _capacity(minimum: int, maximum: int, default: int) -> monitor.ScaleCapacityArgs:
    """Azure expects these numbers as strings; the default applies when the metrics cannot be read."""
    return monitor.ScaleCapacityArgs(minimum=str(minimum), maximum=str(maximum), default=str(default))

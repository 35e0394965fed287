"""Autoscale: it scales out under load and in slowly, and schedules end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from assessment.placement import Placement
from autoscale_config import MAX_RULES, AutoscaleSettings, RuleSettings, ScaleInSettings, ScheduleSettings
from components.autoscale import Autoscale, AutoscaleArgs
from tests.components.conftest import in_group
from tests.components.engine import FakeAzure, deploy
from tests.components.golden import assert_golden

NIGHT = ScheduleSettings(
    name="night", days=("Friday", "Sunday"), start="22:30", end="06:00", timezone="UTC", min=1, max=2, default=1
)
OFFICE = ScheduleSettings(
    name="office",
    days=("Monday",),
    start="08:00",
    end="18:15",
    timezone="W. Europe Standard Time",
    min=5,
    max=9,
    default=5,
)


def setting(azure: FakeAzure, placement: Placement, **settings: Any) -> dict[str, Any]:
    args = AutoscaleArgs(
        placement=in_group(placement),
        setting_name="as",
        endpoint_id="/endpoint",
        deployment_id="/endpoint/blue",
        deployment_name="blue",
        settings=AutoscaleSettings(**{"min": 3, "max": 10, "default": 4, **settings}),
    )
    return dict(deploy(lambda: Autoscale("one", args), azure).one("AutoscaleSetting").inputs)


def directions(profile: dict[str, Any]) -> list[tuple[str, str, float, str]]:
    return [
        (
            rule["metricTrigger"]["metricName"],
            rule["scaleAction"]["direction"],
            rule["metricTrigger"]["threshold"],
            rule["metricTrigger"]["operator"],
        )
        for rule in profile["rules"]
    ]


def test_by_default_only_the_cpu_decides(azure: FakeAzure, placement: Placement) -> None:
    (profile,) = setting(azure, placement)["profiles"]
    assert directions(profile) == [
        ("CpuUtilizationPercentage", "Increase", 70, "GreaterThan"),
        ("CpuUtilizationPercentage", "Decrease", 28, "LessThan"),
    ]


def test_bounds_are_text_as_azure_wants_them(azure: FakeAzure, placement: Placement) -> None:
    (profile,) = setting(azure, placement)["profiles"]
    assert profile["capacity"] == {"minimum": "3", "maximum": "10", "default": "4"}


def test_it_watches_and_scales_the_deployment(azure: FakeAzure, placement: Placement) -> None:
    inputs = setting(azure, placement)
    assert inputs["enabled"] is True
    assert inputs["targetResourceUri"] == "/endpoint/blue"
    triggers = [rule["metricTrigger"] for rule in inputs["profiles"][0]["rules"]]
    assert {trigger["metricResourceUri"] for trigger in triggers} == {"/endpoint/blue"}


def test_requests_count_per_instance_and_for_this_deployment_only(azure: FakeAzure, placement: Placement) -> None:
    (profile,) = setting(azure, placement, requests_per_instance_per_minute=600)["profiles"]
    assert directions(profile)[2:] == [
        ("RequestsPerMinute", "Increase", 600, "GreaterThan"),
        ("RequestsPerMinute", "Decrease", 240, "LessThan"),
    ]
    trigger = profile["rules"][2]["metricTrigger"]
    assert trigger["metricResourceUri"] == "/endpoint"
    assert trigger["dividePerInstance"] is True
    assert trigger["dimensions"] == [{"dimensionName": "deployment", "operator": "Equals", "values": ["blue"]}]


def test_it_scales_in_slower_than_out(azure: FakeAzure, placement: Placement) -> None:
    (profile,) = setting(azure, placement)["profiles"]
    out, back = profile["rules"]
    assert (out["scaleAction"]["value"], back["scaleAction"]["value"]) == ("2", "1")
    assert (out["scaleAction"]["cooldown"], back["scaleAction"]["cooldown"]) == ("PT20M", "PT1H")
    assert (out["metricTrigger"]["timeWindow"], back["metricTrigger"]["timeWindow"]) == ("PT5M", "PT30M")


def test_a_schedule_ends_because_the_default_starts_again(azure: FakeAzure, placement: Placement) -> None:
    default, end, start = setting(azure, placement, schedules=(OFFICE,))["profiles"]
    assert "recurrence" not in default
    assert start["name"] == "office"
    assert start["capacity"] == {"minimum": "5", "maximum": "9", "default": "5"}
    week = {"timeZone": "W. Europe Standard Time", "days": ["Monday"]}
    assert start["recurrence"] == {"frequency": "Week", "schedule": {**week, "hours": [8], "minutes": [0]}}
    assert end["name"] == '{"name":"Auto created default scale condition","for":"office"}'
    assert json.loads(end["name"])["for"] == start["name"]
    assert end["capacity"] == default["capacity"]
    assert end["rules"] == default["rules"]
    assert end["recurrence"] == {"frequency": "Week", "schedule": {**week, "hours": [18], "minutes": [15]}}


def test_a_schedule_past_midnight_ends_on_the_following_days(azure: FakeAzure, placement: Placement) -> None:
    _, end, start = setting(azure, placement, schedules=(NIGHT,))["profiles"]
    assert start["recurrence"]["schedule"]["days"] == ["Friday", "Sunday"]
    assert end["recurrence"]["schedule"]["days"] == ["Saturday", "Monday"]


def test_schedules_keep_within_azures_twenty_profiles(azure: FakeAzure, placement: Placement) -> None:
    schedules = tuple(NIGHT.model_copy(update={"name": f"night-{number}"}) for number in range(9))
    assert len(setting(azure, placement, schedules=schedules)["profiles"]) == 19


ALL_RULES = {
    "cpu": {"above": 70},
    "memory": {"above": 80, "below": 50},
    "gpu": {"above": 90, "below": 20},
    "gpu_memory": {"above": 95},
    "requests_per_instance": {"above": 600},
    "latency_p95": {"above": 300},
}
DEPLOYMENTS = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments"


def test_each_rule_watches_its_metric_and_scales_in_where_it_has_a_lower_threshold(
    azure: FakeAzure, placement: Placement
) -> None:
    (profile,) = setting(azure, placement, rules=RuleSettings.model_validate(ALL_RULES))["profiles"]
    assert directions(profile) == [
        ("CpuUtilizationPercentage", "Increase", 70, "GreaterThan"),
        ("CpuUtilizationPercentage", "Decrease", 28, "LessThan"),
        ("CpuMemoryUtilizationPercentage", "Increase", 80, "GreaterThan"),
        ("CpuMemoryUtilizationPercentage", "Decrease", 50, "LessThan"),
        ("GpuUtilizationPercentage", "Increase", 90, "GreaterThan"),
        ("GpuUtilizationPercentage", "Decrease", 20, "LessThan"),
        ("GpuMemoryUtilizationPercentage", "Increase", 95, "GreaterThan"),
        ("RequestsPerMinute", "Increase", 600, "GreaterThan"),
        ("RequestsPerMinute", "Decrease", 240, "LessThan"),
        ("RequestLatency_P95", "Increase", 300, "GreaterThan"),
    ]
    assert len(profile["rules"]) == MAX_RULES


def test_only_latency_is_read_from_the_endpoint_and_every_rule_names_its_namespace(
    azure: FakeAzure, placement: Placement
) -> None:
    (profile,) = setting(azure, placement, rules=RuleSettings.model_validate(ALL_RULES))["profiles"]
    triggers = {rule["metricTrigger"]["metricName"]: rule["metricTrigger"] for rule in profile["rules"]}
    latency = triggers.pop("RequestLatency_P95")
    assert latency["metricResourceUri"] == "/endpoint"
    assert latency["metricNamespace"] == DEPLOYMENTS.removesuffix("/deployments")
    assert latency["dimensions"] == [{"dimensionName": "deployment", "operator": "Equals", "values": ["blue"]}]
    for trigger in triggers.values():
        assert trigger["metricResourceUri"] == "/endpoint/blue"
        assert trigger["metricNamespace"] == DEPLOYMENTS
        assert "dimensions" not in trigger
    assert [name for name, trigger in triggers.items() if trigger.get("dividePerInstance")] == ["RequestsPerMinute"]


def test_a_setting_in_the_earlier_form_stays_as_it_was(azure: FakeAzure, placement: Placement) -> None:
    """A namespace there would be an update of every autoscale setting of an earlier version."""
    (profile,) = setting(azure, placement, target_cpu_percent=70, requests_per_instance_per_minute=600)["profiles"]
    assert [rule["metricTrigger"].get("metricNamespace") for rule in profile["rules"]] == [None] * 4


@pytest.mark.parametrize("rules", [None, RuleSettings.model_validate({"cpu": {"above": 60}})])
def test_how_it_scales_in_can_be_set(azure: FakeAzure, placement: Placement, rules: RuleSettings | None) -> None:
    scale_in = ScaleInSettings(step=2, window="90m", cooldown="1d")
    (profile,) = setting(azure, placement, rules=rules, scale_in=scale_in)["profiles"]
    out, back = profile["rules"]
    assert (back["scaleAction"]["value"], back["scaleAction"]["cooldown"]) == ("2", "P1D")
    assert back["metricTrigger"]["timeWindow"] == "PT90M"
    assert (out["scaleAction"]["value"], out["metricTrigger"]["timeWindow"]) == ("2", "PT5M")


def test_a_setting_with_everything_is_this_body(azure: FakeAzure, placement: Placement) -> None:
    """All ten rules under the default, a schedule and its end."""
    everything = setting(
        azure,
        placement,
        rules=RuleSettings.model_validate(ALL_RULES),
        scale_in=ScaleInSettings(step=3, window="45m", cooldown="2h"),
        schedules=(OFFICE,),
    )
    assert_golden("autoscale-max", json.dumps(everything, indent=1, sort_keys=True) + "\n")

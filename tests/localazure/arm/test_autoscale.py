"""Autoscale settings through ARM: what is refused, and that a deployment's capacity follows the metrics."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from localazure.monitor.definitions import DEPLOYMENTS, ENDPOINTS
from localazure.monitor.scaler import Scaler
from localazure.scoring.served import ServedRequest
from tests.localazure.arm.conftest import BLUE, ENDPOINT, GROUP

SETTING = f"{GROUP}/providers/Microsoft.Insights/autoscalesettings/as1"


def rule(direction: str, operator: str, threshold: float, **trigger: Any) -> dict[str, Any]:
    """Requests per instance and minute, counted by the endpoint."""
    metric = {
        "metricName": "RequestsPerMinute",
        "metricResourceUri": ENDPOINT,
        "dimensions": [{"DimensionName": "deployment", "Operator": "Equals", "Values": ["blue"]}],
        "dividePerInstance": True,
        **{"timeGrain": "PT1M", "timeWindow": "PT5M", "statistic": "Average", "timeAggregation": "Average"},
        **{"operator": operator, "threshold": threshold},
    }
    action = {"direction": direction, "type": "ChangeCount", "value": "1", "cooldown": "PT10M"}
    return {"metricTrigger": metric | trigger, "scaleAction": action}


def body(*rules: dict[str, Any], low: int = 1, high: int = 4, **more: Any) -> dict[str, Any]:
    capacity = {"minimum": str(low), "maximum": str(high), "default": str(low)}
    profile = {"name": "default", "capacity": capacity, "rules": list(rules)}
    return {
        "location": "westeurope",
        "properties": {"enabled": True, "targetResourceUri": BLUE, "profiles": [profile]} | more,
    }


OUT, IN = rule("Increase", "GreaterThan", 100), rule("Decrease", "LessThan", 10)


@pytest.fixture
def serving(arm):
    arm.make_serving_endpoint()
    assert arm.put(SETTING, body(OUT, IN)).status == 201
    return arm


def pass_minutes(arm, minutes: int, per_minute: int) -> None:
    """Let time pass, with so many requests to blue in each minute."""
    metrics = arm.plane.metrics
    metrics.record_instances("fraud-dev", "blue", arm.now, (("instance-0", "Ready"),))
    for _ in range(minutes):
        arm.now = arm.now // 60 * 60 + 60
        for _ in range(per_minute):
            metrics.observe(ServedRequest("fraud-dev", "blue", "i", "POST", "/score", arm.now + 1, 0, 200, 200, 1, 1))
    arm.now = arm.now // 60 * 60 + 60


def evaluate(arm) -> None:
    """Look at every setting once, and let what that starts end."""

    async def once() -> None:
        Scaler(arm.plane).turn(arm.now)

    arm.loop.run_until_complete(once())
    arm.settle()


def turn(arm) -> int:
    """One evaluation; the capacity that ARM shows after it."""
    evaluate(arm)
    found = arm.get(BLUE).body
    assert found["properties"]["provisioningState"] == "Succeeded"
    return int(found["sku"]["capacity"])


@pytest.mark.proves(
    "autoscalesettings",
    honours=[
        "properties.targetResourceUri",
        "properties.profiles.rules.metricTrigger",
        "properties.profiles.rules.scaleAction",
    ],
)
def test_capacity_follows_the_requests_that_were_served(serving):
    pass_minutes(serving, 5, 150)
    assert turn(serving) == 2
    assert serving.scoring.calls[-1] == "scale fraud-dev/blue 2"
    pass_minutes(serving, 5, 150)
    assert turn(serving) == 2  # 75 each
    pass_minutes(serving, 5, 0)
    assert turn(serving) == 1


def on(resource: str, metric: str, above: int, below: int | None, **more: Any) -> list[dict[str, Any]]:
    """The rules that the program declares for one key of `rules`."""
    namespace = DEPLOYMENTS if resource == BLUE else ENDPOINTS
    dimension = {"DimensionName": "deployment", "Operator": "Equals", "Values": ["blue"]}
    trigger = {
        "metricName": metric,
        "metricNamespace": namespace,
        "metricResourceUri": resource,
        "dimensions": [] if resource == BLUE else [dimension],
        "dividePerInstance": False,
        **more,
    }
    back = [] if below is None else [rule("Decrease", "LessThan", below, **trigger)]
    return [rule("Increase", "GreaterThan", above, **trigger), *back]


def use(arm, minutes: int, **percent: float) -> None:
    """Let time pass in which every instance has this utilization."""
    for _ in range(minutes):
        arm.now = arm.now // 60 * 60 + 60
        arm.plane.metrics.record_usage("fraud-dev", "blue", "instance-0", arm.now, **percent)
    arm.now = arm.now // 60 * 60 + 60


def answer(arm, minutes: int, milliseconds: int, deployment: str = "blue") -> None:
    """Let time pass in which every request takes so long."""
    for _ in range(minutes):
        arm.now = arm.now // 60 * 60 + 60
        for _ in range(20):
            seconds = milliseconds / 1000
            request = ServedRequest("fraud-dev", deployment, "i", "POST", "/score", arm.now, seconds, 200, 200, 1, 1)
            arm.plane.metrics.observe(request)
    arm.now = arm.now // 60 * 60 + 60


@pytest.mark.parametrize(("key", "metric"), [("cpu", "CpuUtilization"), ("memory", "CpuMemoryUtilization")])
@pytest.mark.proves("autoscalesettings", honours=["properties.profiles.rules.metricTrigger"])
def test_capacity_follows_the_utilization_of_the_instances(serving, key, metric):
    serving.put(SETTING, body(*on(BLUE, f"{metric}Percentage", 70, 28)))
    use(serving, 5, **{"cpu": 1.0, "memory": 1.0, key: 90.0})
    assert turn(serving) == 2
    use(serving, 11, **{"cpu": 99.0, "memory": 99.0, key: 50.0})
    assert turn(serving) == 2
    use(serving, 11, **{"cpu": 99.0, "memory": 99.0, key: 10.0})
    assert turn(serving) == 1


@pytest.mark.proves("autoscalesettings", honours=["properties.profiles.rules.metricTrigger"])
def test_capacity_follows_the_requests_that_the_deployment_counts_itself(serving):
    serving.put(SETTING, body(*on(BLUE, "RequestsPerMinute", 100, 40, dividePerInstance=True)))
    pass_minutes(serving, 5, 150)
    assert turn(serving) == 2
    pass_minutes(serving, 11, 150)
    assert turn(serving) == 2  # 75 each
    pass_minutes(serving, 11, 0)
    assert turn(serving) == 1


@pytest.mark.proves("autoscalesettings", honours=["properties.profiles.rules.metricTrigger"])
def test_capacity_follows_the_latency_of_the_deployments_own_requests(serving):
    serving.put(SETTING, body(*on(ENDPOINT, "RequestLatency_P95", 300, 50)))
    answer(serving, 5, 900, deployment="green")
    assert turn(serving) == 1
    answer(serving, 5, 900)
    assert turn(serving) == 2
    answer(serving, 11, 20)
    assert turn(serving) == 1


@pytest.mark.proves("autoscalesettings", honours=["properties.profiles.rules.scaleAction"])
def test_a_cool_down_outlasts_a_restart_and_a_put_of_the_setting(serving):
    pass_minutes(serving, 5, 900)
    assert turn(serving) == 2
    pass_minutes(serving, 5, 900)
    serving.restart()
    assert serving.put(SETTING, body(OUT, IN)).status == 200
    pass_minutes(serving, 2, 900)
    assert turn(serving) == 2
    pass_minutes(serving, 5, 900)
    assert turn(serving) == 3


@pytest.mark.proves("autoscalesettings", honours=["properties.profiles.capacity"])
def test_bounds_act_without_any_metric(serving):
    serving.put(SETTING, body(OUT, IN, low=3))
    assert turn(serving) == 3


def test_without_a_deployment_that_was_seen_idle_minutes_are_no_zero(serving):
    serving.put_deployment(BLUE, capacity=2)
    serving.now += 600
    assert turn(serving) == 2


def test_a_deployment_that_is_being_changed_is_left_alone(serving):
    pass_minutes(serving, 5, 900)
    serving.scoring.gate = asyncio.Event()
    serving.put_deployment(BLUE, environmentVariables={"A": "b"})
    evaluate(serving)
    assert serving.get(BLUE).body["sku"]["capacity"] == 1
    serving.scoring.gate.set()
    serving.settle()
    assert turn(serving) == 2


@pytest.mark.parametrize("enabled", [False])
@pytest.mark.proves("autoscalesettings", honours=["properties.enabled"])
def test_a_disabled_or_deleted_setting_does_not_act(serving, enabled):
    serving.put(SETTING, body(OUT, IN, low=3, enabled=enabled))
    assert turn(serving) == 1
    serving.delete(SETTING)
    assert turn(serving) == 1


def test_a_setting_whose_deployment_is_gone_does_not_disturb_the_others(serving):
    green = BLUE.replace("blue", "green")
    other = SETTING.replace("as1", "as2")
    serving.put(other, body(OUT, IN, low=2, targetResourceUri=green))
    serving.put_endpoint(traffic={"blue": 100})
    serving.delete(green)
    serving.put(SETTING, body(OUT, IN, low=2))
    assert turn(serving) == 2


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        (body(OUT, rule("Decrease", "LessThan", 1, timeWindow="PT1M")), 400, "timeWindow must be from 300"),
        (body(rule("Increase", "GreaterThan", 1, metricName="GpuUtilizationPercentage")), 501, "GpuUtilization"),
        (body(rule("Increase", "GreaterThan", 1, metricNamespace="Microsoft.Web/sites")), 501, "namespace Microsoft.W"),
        (body(rule("Increase", "GreaterThan", 1, metricResourceUri=f"{ENDPOINT}x")), 400, "does not exist"),
        (body(OUT, targetResourceUri=f"{BLUE}x"), 400, "does not exist"),
        (body(OUT, targetResourceUri=ENDPOINT), 501, "Autoscale of"),
        ({"location": "westeurope", "properties": {"profiles": 3, "targetResourceUri": BLUE}}, 400, "must be a list"),
    ],
)
@pytest.mark.proves(
    "autoscalesettings",
    refuses=["properties.targetResourceUri", "properties.profiles", "properties.profiles.rules.metricTrigger"],
)
def test_refusals(serving, changed, status, said):
    answer = serving.put(SETTING, changed)
    assert answer.status == status
    assert said in answer.error["message"]


@pytest.mark.proves("autoscalesettings", refuses=["properties.targetResourceUri"])
def test_one_setting_per_deployment(serving):
    assert serving.put(SETTING.replace("as1", "as2"), body(OUT)).status == 409

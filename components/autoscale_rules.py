"""The rules of an autoscale setting: which metric of which resource, and what happens above and below its thresholds.

Any rule scales out; all of those that scale in must agree (Azure's order of evaluation).
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import monitor

from autoscale_config import DEFAULT_CPU_PERCENT, IN_FRACTION, AutoscaleSettings, ScaleInSettings
from config_values import iso_duration

__all__ = ["Measured", "rules_of"]

STEP_OUT = 2
"""Instances added at once, as in Microsoft's reference policy for online endpoints."""
WINDOW_OUT = "PT5M"
"""What is averaged before it scales out: the shortest that Azure allows."""
COOLDOWN_OUT = "PT20M"
"""A new instance takes 12 to 18 minutes until it serves; before that more load must not add a third and a fourth."""
ENDPOINTS = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
DEPLOYMENTS = f"{ENDPOINTS}/deployments"
"""Namespaces of metrics: the types of the resources that have them."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The deployment that is scaled, and its endpoint."""

    endpoint_id: pulumi.Input[str]
    deployment_id: pulumi.Input[str]
    deployment_name: str


@dataclass(frozen=True, kw_only=True)
class _Metric:
    """One metric. On the endpoint it is split by deployment. The namespace is None in the form of earlier versions."""

    name: str
    namespace: str | None = DEPLOYMENTS
    on_endpoint: bool = False
    per_instance: bool = False


METRICS = {
    "cpu": _Metric(name="CpuUtilizationPercentage"),
    "memory": _Metric(name="CpuMemoryUtilizationPercentage"),
    "gpu": _Metric(name="GpuUtilizationPercentage"),
    "gpu_memory": _Metric(name="GpuMemoryUtilizationPercentage"),
    "requests_per_instance": _Metric(name="RequestsPerMinute", per_instance=True),
    "latency_p95": _Metric(name="RequestLatency_P95", namespace=ENDPOINTS, on_endpoint=True),
}
"""By the keys of `rules` in the stack file. Names, namespaces and the dimension are those of Microsoft's reference."""
FORMER_CPU = _Metric(name="CpuUtilizationPercentage", namespace=None)
FORMER_REQUESTS = _Metric(name="RequestsPerMinute", namespace=None, on_endpoint=True, per_instance=True)
"""What the two earlier keys declare, unchanged: a stack of an earlier version must still preview empty."""


def rules_of(settings: AutoscaleSettings, measured: Measured) -> list[monitor.ScaleRuleArgs]:
    """The rules of every profile of a setting."""
    rules: list[monitor.ScaleRuleArgs] = []
    if settings.rules is not None:
        for one in settings.rules.thresholds():
            rules += _pair(METRICS[one.key], one.above, one.below, measured, settings.scale_in)
        return rules
    former = [(FORMER_CPU, settings.target_cpu_percent or DEFAULT_CPU_PERCENT)]
    if settings.requests_per_instance_per_minute is not None:
        former.append((FORMER_REQUESTS, settings.requests_per_instance_per_minute))
    for metric, above in former:
        rules += _pair(metric, above, int(above * IN_FRACTION), measured, settings.scale_in)
    return rules


def _pair(
    metric: _Metric, above: int, below: int | None, measured: Measured, scale_in: ScaleInSettings
) -> list[monitor.ScaleRuleArgs]:
    """A rule that scales out above a value, and one that scales in below another where there is one."""
    out = monitor.ScaleRuleArgs(
        metric_trigger=_trigger(metric, measured, "GreaterThan", above, WINDOW_OUT),
        scale_action=_action("Increase", STEP_OUT, COOLDOWN_OUT),
    )
    if below is None:
        return [out]
    back = monitor.ScaleRuleArgs(
        metric_trigger=_trigger(metric, measured, "LessThan", below, iso_duration(scale_in.window)),
        scale_action=_action("Decrease", scale_in.step, iso_duration(scale_in.cooldown)),
    )
    return [out, back]


def _trigger(
    metric: _Metric, measured: Measured, operator: str, threshold: int, window: str
) -> monitor.MetricTriggerArgs:
    dimension = monitor.ScaleRuleMetricDimensionArgs(
        dimension_name="deployment",
        operator=monitor.ScaleRuleMetricDimensionOperationType.EQUALS,
        values=[measured.deployment_name],
    )
    return monitor.MetricTriggerArgs(
        metric_name=metric.name,
        metric_namespace=metric.namespace,
        metric_resource_uri=measured.endpoint_id if metric.on_endpoint else measured.deployment_id,
        dimensions=[dimension] if metric.on_endpoint else None,
        divide_per_instance=metric.per_instance or None,
        statistic=monitor.MetricStatisticType.AVERAGE,
        time_aggregation=monitor.TimeAggregationType.AVERAGE,
        time_grain="PT1M",
        time_window=window,
        operator=operator,
        threshold=float(threshold),
    )


def _action(direction: str, step: int, cooldown: str) -> monitor.ScaleActionArgs:
    return monitor.ScaleActionArgs(
        direction=direction, type=monitor.ScaleType.CHANGE_COUNT, value=str(step), cooldown=cooldown
    )

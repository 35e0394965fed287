"""How many instances a deployment may have: what the stack file says, else what its az ml file says. Pure."""

from __future__ import annotations

from autoscale_config import AutoscaleSettings
from models.spec import DeploymentSpec
from stack_config import DeploymentSettings

__all__ = ["autoscale_of", "least_instances", "most_instances"]


def autoscale_of(spec: DeploymentSpec, chosen: DeploymentSettings) -> AutoscaleSettings | None:
    """Return the autoscale of the stack file, else that of `scale_settings: target_utilization` in the az ml file."""
    if chosen.autoscale is not None or spec.autoscale is None:
        return chosen.autoscale
    return AutoscaleSettings(
        min=spec.autoscale.min_instances,
        max=spec.autoscale.max_instances,
        default=spec.autoscale.min_instances,
        target_cpu_percent=spec.autoscale.target_cpu_percent,
    )


def least_instances(spec: DeploymentSpec, chosen: DeploymentSettings) -> int:
    """The fewest instances of a deployment with weight."""
    autoscale = autoscale_of(spec, chosen)
    return autoscale.min if autoscale else chosen.instances or spec.instance_count


def most_instances(spec: DeploymentSpec, chosen: DeploymentSettings) -> int:
    """The most instances of a deployment at any time."""
    autoscale = autoscale_of(spec, chosen)
    return autoscale.most_instances if autoscale else chosen.instances or spec.instance_count

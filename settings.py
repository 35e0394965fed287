"""The only reader of `pulumi.Config`: the stack file in, one frozen `Settings` or one `SettingsError` out.

Everything that is wrong with the file is reported together, each line with key, value, rule and fix. It does not know
the az ml YAML of the models, nor what is live in Azure.
"""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from stack_config import (
    AutoscaleSettings,
    DeploymentSettings,
    EndpointSettings,
    Limits,
    Network,
    PlanSettings,
    RolloutSettings,
    ScheduleSettings,
    Settings,
    StepSettings,
)

__all__ = [
    "AutoscaleSettings",
    "DeploymentSettings",
    "EndpointSettings",
    "Limits",
    "Network",
    "PlanSettings",
    "RolloutSettings",
    "ScheduleSettings",
    "Settings",
    "SettingsError",
    "StepSettings",
    "load_settings",
    "parse_settings",
]


class SettingsError(pulumi.RunError):
    """The stack file is refused; the message lists everything that is wrong with it."""


def parse_settings(raw: Mapping[str, object], *, stack: str) -> Settings:
    """Check the `sluice:` keys of a stack file (without the prefix, plus `location`) and return them typed."""
    raise NotImplementedError


def load_settings() -> Settings:
    """Read the running stack's config."""
    raise NotImplementedError

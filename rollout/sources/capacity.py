"""Instances: whether they suffice for a split, and whether the stable colour keeps its own: `ports.Capacity`.

How many requests an instance takes is known only where the stack file declares it, as
`autoscale.requests_per_instance_per_minute`. A colour without that is not judged, and quota is not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from exit_codes import ExitCode
from rollout.decision.order import Changed, Ending
from rollout.ports import Azure, Floor
from rollout.sources.azure_monitor import AzureMonitor
from rollout.split import Split

DAY_SECONDS = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How many instances a colour may have, and the requests a minute that each of them takes, as declared."""

    most: int
    least: int | None = None
    """Autoscale's minimum; None: the number is fixed."""
    requests_per_instance: int | None = None
    """None: not declared, so not known."""


@dataclass(frozen=True, kw_only=True)
class DeclaredCapacity:
    """The instances of one endpoint's colours, as the stack file declares them, beside the traffic of the last day."""

    stack: str
    key: str
    bounds: Mapping[str, Bounds]
    monitor: AzureMonitor
    azure: Azure
    now: Callable[[], int]

    def problem(self, split: Split) -> str | None:
        """Why the peak of the last day does not fit the instances that each colour may have; None if it fits."""
        known = {name: self.bounds[name] for name in split.traffic if name in self.bounds}
        if not any(bounds.requests_per_instance for bounds in known.values()):
            return None
        now = self.now()
        peak = self.monitor.peak_per_minute(now - DAY_SECONDS, now)
        for name, bounds in known.items():
            if bounds.requests_per_instance is None:
                continue
            share = peak * split.percent_of(name) / 100
            needed = math.ceil(share / bounds.requests_per_instance)
            if needed > bounds.most:
                return (
                    f"at {split.percent_of(name)} % the peak of the last day ({peak:.0f} requests a minute) needs "
                    f"{needed} instances of {name}, {bounds.requests_per_instance} requests a minute each, and it may "
                    f"have {bounds.most}. Raise autoscale.max in {self._place(name)}"
                )
        return None

    def floor(self, stable: str) -> Floor | None:
        """What to raise before the first weight, because autoscale could remove instances while the weight falls.

        None if the number of instances is fixed, or is autoscale's minimum already.
        """
        bounds = self.bounds.get(stable)
        if bounds is None or bounds.least is None:
            return None
        endpoint = self.azure.endpoint()
        live = endpoint.deployments.get(stable) if endpoint is not None else None
        if live is None or live.instances is None or live.instances <= bounds.least:
            return None
        return Floor(deployment=stable, minimum=live.instances, was=bounds.least)

    def set_floor(self, floor: Floor) -> Changed:
        """Say what to declare: this version does not edit autoscale itself, and changes nothing."""
        return Changed(
            ending=Ending.REFUSED,
            reason=(
                f"{floor.deployment} may lose instances while its weight falls. Set autoscale.min (and default) to "
                f"{floor.minimum} in {self._place(floor.deployment)}, run `pulumi up --stack {self.stack}` and go on; "
                f"after the rollout set it back to {floor.was}. Or set hold_stable: false in the plan."
            ),
            exit_code=ExitCode.USAGE,
        )

    def retire(self, deployment: str, how: str) -> Changed:
        """Say what to declare: this version does not scale down or remove a colour itself, and changes nothing."""
        return Changed(
            ending=Ending.REFUSED,
            reason=(
                f"{deployment} has no weight any more and can be retired ({how.replace('_', ' ')}): change "
                f"{self._place(deployment)} and run `pulumi up --stack {self.stack}`."
            ),
            exit_code=ExitCode.USAGE,
        )

    def _place(self, deployment: str) -> str:
        return f"sluice:endpoints.{self.key}.deployments.{deployment} of Pulumi.{self.stack}.yaml"

"""Instances: whether they suffice for a split, and whether the stable colour keeps its own: `ports.Capacity`.

How many requests an instance takes is known only where the stack file declares it, as
`autoscale.rules.requests_per_instance` (or the earlier key). A colour without that is not judged. Quota is compared
before a rollout starts (`preflight/`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from command_errors import UsageError
from endpoint_state import LiveEndpoint
from rollout.declaration.stack_file import StackFile
from rollout.instances import Floor, floor_of, profiles_of
from rollout.ports import Autoscale
from rollout.sources.azure_monitor import AzureMonitor
from rollout.split import Split

DAY_SECONDS = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How many instances a colour may have, and the requests a minute that each of them takes, as declared."""

    most: int
    requests_per_instance: int | None = None
    """None: not declared, so not known."""


@dataclass(frozen=True, kw_only=True)
class DeclaredCapacity:
    """The instances of one endpoint's colours, as the stack file declares them, beside the traffic of the last day."""

    stack: str
    key: str
    bounds: Mapping[str, Bounds]
    monitor: AzureMonitor
    stack_file: StackFile
    autoscale: Autoscale
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

    def floor(self, stable: str, live: LiveEndpoint) -> Floor | None:
        """What to raise before the first weight, because autoscale could remove instances while the weight falls.

        None if the number of instances is fixed, or no profile of autoscale goes below it. Raises UsageError if the
        stack file cannot be edited so, and UnavailableError.
        """
        numbers, colour = self.stack_file.numbers(stable), live.deployments.get(stable)
        if numbers is None or colour is None or colour.instances is None:
            return None
        if not list(profiles_of(numbers)):
            self._require_no_other_autoscale(stable, colour.instances)
            return None
        floor = floor_of(stable, numbers, colour.instances)
        if floor is not None:
            self.stack_file.with_edit(self.stack_file.text(), floor.raising)
        return floor

    def _require_no_other_autoscale(self, stable: str, count: int) -> None:
        """Raise UsageError if autoscale that the stack file does not declare could remove instances."""
        found = self.autoscale.numbers(stable)
        if found is not None and floor_of(stable, found, count) is not None:
            raise UsageError(
                f"{stable} may lose instances while its weight falls: it has {count}, and its autoscale, which the "
                f"stack file does not declare, may go below. Declare autoscale in {self._place(stable)}, so that the "
                "rollout can raise its minimum until the end, or set hold_stable: false in the plan."
            )

    def _place(self, deployment: str) -> str:
        return f"sluice:endpoints.{self.key}.deployments.{deployment} of Pulumi.{self.stack}.yaml"

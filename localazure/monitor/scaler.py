"""Runs autoscale settings: reads them and the metrics, calls `autoscale.decide`, and changes capacities through ARM.

A change is the same PATCH of `sku.capacity` that a user could send, with its operation, its conflicts and its scale-out
of real instances. A deployment that is being changed is skipped until the next turn. The time of a setting's last
action is stored with it, so cool-downs survive a restart.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from localazure.arm.behaviour import Behaviour
from localazure.arm.reply import Request
from localazure.errors import ArmError
from localazure.monitor.autoscale import Current, Decision, decide
from localazure.monitor.autoscale_setting import Setting, Trigger, hastened, read_setting
from localazure.monitor.definitions import DEPLOYMENTS, INSTANCE, Definition, definition_of
from localazure.monitor.errors import SettingError
from localazure.monitor.filters import Filter
from localazure.monitor.gauges import Steps
from localazure.monitor.measures import Measured, Span, measure
from localazure.monitor.metrics import Metrics
from localazure.resource import Resource
from localazure.resource_id import ResourceId
from localazure.store import Store

log = logging.getLogger(__name__)

SETTINGS = "microsoft.insights/autoscalesettings"
EVALUATION_SECONDS = 30.0
"""Azure's job runs every 30 to 60 seconds."""
CALLER = "Microsoft.Insights/autoscale"
_API_VERSION = "2024-04-01"
_EVENTS = 20
_ZERO_WITHOUT_REQUESTS = "RequestsPerMinute"


class Plane(Protocol):
    """The part of the control plane that the scaler needs."""

    @property
    def store(self) -> Store: ...

    @property
    def metrics(self) -> Metrics: ...

    def behaviour(self, arm_type: str) -> Behaviour: ...


@dataclass(frozen=True)
class MetricReader:
    """Answers triggers of one setting from the metrics."""

    metrics: Metrics
    target: Measured
    """The deployment that the setting scales."""
    now: float

    def __call__(self, trigger: Trigger) -> Sequence[Sequence[float]] | None:
        resource_id = ResourceId(trigger.resource_id)
        definition = definition_of(resource_id, trigger.metric)
        if definition is None:
            return None
        resource = Measured.of(resource_id)
        grain = int(trigger.grain_seconds)
        end = math.floor(self.now / grain) * grain
        start = end - max(1, round(trigger.window_seconds / grain)) * grain
        span = Span(start, end, grain, self.now)
        series = measure(self.metrics, definition, resource, span, _filter(trigger, definition))
        grains = {
            slot: [points[slot]["average"] for points in series.values() if slot in points] for slot in span.slots()
        }
        if definition.name == _ZERO_WITHOUT_REQUESTS:
            # It is not known whether Azure reports idle minutes as 0. Without that, an idle deployment would keep its
            # instances for ever, so here a minute without requests counts as 0 if the deployment existed.
            for slot, values in grains.items():
                if not values and self._was_there(slot, slot + grain):
                    values.append(0.0)
        return [values for values in grains.values() if values]

    def _was_there(self, start: float, end: float) -> bool:
        assert self.target.deployment is not None
        states: Steps[Any] = self.metrics.gauges(self.target.endpoint, self.target.deployment).capacity
        return any(present for _, present in states.between(start, end))


class Scaler:
    """`turn` evaluates every setting once. `speed` makes grains, windows and cool-downs pass faster."""

    def __init__(self, plane: Plane, speed: float = 1.0) -> None:
        self._plane = plane
        self._speed = speed
        self._decisions: dict[str, tuple[Measured, Decision]] = {}

    def turn(self, now: float) -> None:
        """Decide for each setting and start the changes; never raises for a setting that cannot be followed."""
        store = self._plane.store
        settings = store.of_type(SETTINGS)
        for resource in settings:
            try:
                self._follow(resource, hastened(read_setting(resource.properties), self._speed), now)
            except (SettingError, ArmError) as error:
                log.warning("autoscale %s does not act: %s", resource.id, error)
        known = {resource.id for resource in settings}
        self._decisions = {key: decision for key, decision in self._decisions.items() if key in known}

    def by_deployment(self) -> dict[tuple[str, str], Decision]:
        """The last decision about each deployment that has a setting."""
        return {(target.endpoint, target.deployment or ""): decision for target, decision in self._decisions.values()}

    def _follow(self, resource: Resource, setting: Setting, now: float) -> None:
        store = self._plane.store
        deployment = store.get(setting.target_id)
        if deployment is None or deployment.resource_id.type != DEPLOYMENTS.lower():
            return
        endpoint_id = deployment.resource_id.parent
        if deployment.properties.get("provisioningState") != "Succeeded" or store.running_operations(endpoint_id):
            return
        count = int(deployment.body["sku"]["capacity"])
        target = Measured.of(deployment.resource_id)
        reader = MetricReader(self._plane.metrics, target, now)
        decision = decide(setting, reader, now, Current(count, resource.private.get("last_scaled")))
        self._decisions[resource.id] = (target, decision)
        if decision.instances != count:
            self._scale(deployment, decision.instances)
            self._remember(resource, now, count, decision)

    def _scale(self, deployment: Resource, instances: int) -> None:
        sku = {"name": deployment.body["sku"]["name"], "capacity": instances}
        request = Request("PATCH", deployment.resource_id, _API_VERSION, {"sku": sku}, {}, CALLER)
        self._plane.behaviour(DEPLOYMENTS).patch(request)

    def _remember(self, resource: Resource, now: float, before: int, decision: Decision) -> None:
        event = {"time": now, "from": before, "to": decision.instances, "reason": decision.reason}
        resource.private["last_scaled"] = now
        resource.private["events"] = [*resource.private.get("events", []), event][-_EVENTS:]
        self._plane.store.save(resource)
        log.info("autoscale %s: %d -> %d instances. %s", resource.id, before, decision.instances, decision.reason)


def _filter(trigger: Trigger, definition: Definition) -> Filter:
    """Keep the values of instances separate for the rule's statistic; combine everything else into one series."""
    conditions = [
        (next((known for known in definition.dimensions if known.lower() == name.lower()), name), wanted, values)
        for name, wanted, values in trigger.dimensions
    ]

    def matches(given: Any) -> bool:
        return all(
            (given.get(name, "").lower() in [value.lower() for value in values]) is wanted
            for name, wanted, values in conditions
        )

    split = (INSTANCE,) if INSTANCE in definition.dimensions and definition.name != "DeploymentCapacity" else ()
    return Filter(split, matches)

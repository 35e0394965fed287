"""Whether the instances suffice for a split, and whether the stable colour keeps its own."""

from dataclasses import dataclass
from typing import Any, cast

import pytest

from endpoint_state import LiveDeployment, LiveEndpoint
from rollout.decision.order import Ending
from rollout.ports import Floor
from rollout.sources.azure_monitor import AzureMonitor
from rollout.sources.capacity import Bounds, DeclaredCapacity
from rollout.split import Split


@dataclass
class Monitor:
    """A day with one peak."""

    peak: float
    asked: tuple[int, int] | None = None

    def peak_per_minute(self, since: int, now: int) -> float:
        self.asked = since, now
        return self.peak


@dataclass
class Azure:
    """An endpoint whose blue has so many instances."""

    instances: int | None

    def endpoint(self) -> LiveEndpoint | None:
        blue = LiveDeployment(name="blue", provisioning_state="Succeeded", instances=self.instances)
        return LiveEndpoint(name="e", provisioning_state="Succeeded", auth_mode="key", deployments={"blue": blue})

    def set_split(self, split: Split) -> None:
        raise AssertionError


SCALED = Bounds(most=4, least=2, requests_per_instance=600)


def capacity(peak: float = 1000, instances: int | None = 3, **bounds: Bounds) -> tuple[DeclaredCapacity, Monitor]:
    monitor = Monitor(peak)
    bounds = bounds or {"blue": SCALED, "green": SCALED}
    made: Any = DeclaredCapacity(
        stack="prod",
        key="fraud-detection",
        bounds=bounds,
        monitor=cast("AzureMonitor", monitor),
        azure=Azure(instances),
        now=lambda: 100_000,
    )
    return made, monitor


@pytest.mark.parametrize(("peak", "fits"), [(4800, True), (4801, False)])
def test_the_peak_of_the_last_day_has_to_fit_each_colour(peak: float, fits: bool) -> None:
    declared, monitor = capacity(peak)
    problem = declared.problem(Split(traffic={"blue": 50, "green": 50}))
    assert (problem is None) is fits
    assert monitor.asked == (100_000 - 86_400, 100_000)


def test_a_problem_names_the_peak_the_need_and_the_key_to_raise() -> None:
    problem = capacity(3000)[0].problem(Split(traffic={"green": 100}))
    assert problem == (
        "at 100 % the peak of the last day (3000 requests a minute) needs 5 instances of green, 600 requests a minute "
        "each, and it may have 4. Raise autoscale.max in sluice:endpoints.fraud-detection.deployments.green of "
        "Pulumi.prod.yaml"
    )


def test_a_colour_whose_capacity_is_not_declared_is_not_judged() -> None:
    declared, monitor = capacity(1e9, green=Bounds(most=1))
    assert declared.problem(Split(traffic={"green": 100})) is None
    assert monitor.asked is None


def test_a_stable_colour_above_its_minimum_needs_a_floor() -> None:
    assert capacity(instances=3)[0].floor("blue") == Floor(deployment="blue", minimum=3, was=2)


@pytest.mark.parametrize("instances", [2, None])
def test_a_stable_colour_at_its_minimum_keeps_its_instances(instances: int | None) -> None:
    assert capacity(instances=instances)[0].floor("blue") is None


def test_a_fixed_number_of_instances_needs_no_floor() -> None:
    assert capacity(blue=Bounds(most=3))[0].floor("blue") is None
    assert capacity()[0].floor("unknown") is None


def test_what_a_person_has_to_declare_is_said_and_nothing_is_changed() -> None:
    declared, _ = capacity()
    raised = declared.set_floor(Floor(deployment="blue", minimum=3, was=2))
    assert (raised.ending, raised.exit_code) == (Ending.REFUSED, 2)
    assert "Set autoscale.min (and default) to 3" in raised.reason
    assert "set it back to 2" in raised.reason
    retired = declared.retire("blue", "scale_down")
    assert (retired.ending, retired.exit_code) == (Ending.REFUSED, 2)
    assert "can be retired (scale down)" in retired.reason

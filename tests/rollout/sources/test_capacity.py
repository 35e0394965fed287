"""Whether the instances suffice for a split, and whether the stable colour keeps its own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from command_errors import UsageError
from endpoint_state import LiveDeployment, LiveEndpoint
from rollout.declaration.stack_file import StackFile
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
class Autoscale:
    """The settings in Azure."""

    found: dict[str, int] | None = None

    def numbers(self, deployment: str) -> dict[str, int] | None:
        return self.found


SCALED = Bounds(most=4, requests_per_instance=600)
STACK = """\
config:
  sluice:endpoints:
    fraud-detection:
      deployments:
        blue: {autoscale: {min: 2, max: 4, default: 2}}
        fixed: {instances: 3}
        base: {autoscale: &base {min: 2, max: 4, default: 2}}
        shared: {autoscale: *base}
"""


def capacity(
    peak: float = 1000, folder: Path = Path(), found: dict[str, int] | None = None, **bounds: Bounds
) -> tuple[DeclaredCapacity, Monitor]:
    monitor = Monitor(peak)
    made: Any = DeclaredCapacity(
        stack="prod",
        key="fraud-detection",
        bounds=bounds or {"blue": SCALED, "green": SCALED},
        monitor=cast("AzureMonitor", monitor),
        stack_file=StackFile(folder / "Pulumi.prod.yaml", "fraud-detection"),
        autoscale=Autoscale(found),
        now=lambda: 100_000,
    )
    return made, monitor


def live(instances: int | None, name: str = "blue") -> LiveEndpoint:
    blue = LiveDeployment(name=name, provisioning_state="Succeeded", instances=instances)
    return LiveEndpoint(name="e", provisioning_state="Succeeded", auth_mode="key", deployments={name: blue})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.prod.yaml").write_text(STACK)
    return tmp_path


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


def test_a_stable_colour_above_its_minimum_needs_a_floor(folder: Path) -> None:
    floor = capacity(folder=folder)[0].floor("blue", live(3))
    assert floor is not None
    assert (floor.deployment, floor.minimum) == ("blue", 3)
    assert floor.now == {"autoscale.min": 3, "autoscale.default": 3}


@pytest.mark.parametrize("instances", [2, None])
def test_a_stable_colour_at_its_minimum_keeps_its_instances(folder: Path, instances: int | None) -> None:
    assert capacity(folder=folder)[0].floor("blue", live(instances)) is None


def test_a_fixed_number_of_instances_needs_no_floor(folder: Path) -> None:
    declared, _ = capacity(folder=folder)
    assert declared.floor("fixed", live(5, "fixed")) is None
    assert declared.floor("unknown", live(5)) is None


def test_a_floor_that_the_stack_file_cannot_take_is_refused_before_the_start(folder: Path) -> None:
    with pytest.raises(UsageError, match="is an anchor with an alias"):
        capacity(folder=folder)[0].floor("shared", live(3, "shared"))
    of_the_file = {"autoscale.min": 1, "autoscale.max": 5, "autoscale.default": 1}
    with pytest.raises(UsageError, match=r"Declare autoscale in sluice:endpoints\.fraud-detection\.deployments\.fixed"):
        capacity(folder=folder, found=of_the_file)[0].floor("fixed", live(3, "fixed"))
    assert capacity(folder=folder, found=of_the_file)[0].floor("fixed", live(1, "fixed")) is None

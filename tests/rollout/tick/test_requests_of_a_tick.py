"""What a tick without a change asks of others, counted at the clients and at git: it is the same every time."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from rollout.change.instance_change import InstanceChange
from rollout.change.weight_change import WeightChange
from rollout.decision.acts import Wait
from rollout.declaration.stack_file import StackFile
from rollout.record.chain import Chain
from rollout.record.event import Kind
from rollout.record.journal import Journal
from rollout.repository.clone import Clone
from rollout.sources.live import ArmEndpoint
from rollout.sources.metrics import AzureMetrics
from rollout.tick.controller import Controller
from rollout.tick.world import World
from rollout_config import PlanSettings
from tests.rollout.record.rollouts import PLAN, T0, Story, write
from tests.rollout.repository.clones import Remote
from tests.rollout.sources.monitor_answers import definitions, metric, monitor_with
from tests.rollout.sources.test_live import BLUE as DEPLOYMENT
from tests.rollout.sources.test_live import ENDPOINT, ID, Arm
from tests.rollout.world import GRAIN, OWNER, FakeCapacity, FakeClock, FakeFile, FakeProbes

pytestmark = pytest.mark.slow  # real git

STACK = "config:\n  sluice:rollout:\n    fraud-detection: {stable: blue, traffic: {blue: 90, green: 10}}\n"
WATCHED = PlanSettings.from_values(
    {
        **PLAN.as_values(),
        "steps": [{"weight": 10, "bake": "2h"}, {"weight": 100, "bake": "5m"}],
        "gates": {"error_rate": {"max": 0.01}, "saturation": {"cpu": 80, "memory": 80}},
    }
)
RPM = {"blue": 540.0, "green": 60.0}


@dataclass
class Counted:
    """How often each was asked since the last time that this was read."""

    arm: Arm
    metrics: list[Any]
    trace: Path
    seen: dict[str, int] = field(default_factory=dict)

    def since(self) -> dict[str, int]:
        now = {
            "reads of Resource Manager": len(self.arm.reads),
            "metric queries": sum(path.endswith("metrics") for path, _ in self.metrics),
            "metric definitions": sum(path.endswith("metricDefinitions") for path, _ in self.metrics),
            "git fetches": self._git("fetch"),
            "git pushes": self._git("push"),
        }
        new = {name: count - self.seen.get(name, 0) for name, count in now.items()}
        self.seen = now
        return new

    def _git(self, command: str) -> int:
        lines = map(json.loads, self.trace.read_text().splitlines()) if self.trace.exists() else ()
        return sum(line["event"] == "start" and line["argv"][3:4] == [command] for line in lines)


def answer(path: str, query: Any) -> tuple[int, Any, dict[str, str]]:
    """Azure Monitor with the same requests in every minute, and processors that are half busy."""
    if path.endswith("metricDefinitions"):
        return 200, definitions({"PT1M": "P93D"}), {}
    start, end = (datetime.fromisoformat(text).timestamp() for text in query["timespan"].split("/"))
    starts = range(math.ceil(start), int(end), GRAIN)
    found = []
    for name in query["metricnames"].split(","):
        if "Percentage" in name:
            rows = [({}, dict.fromkeys(starts, 50.0))]
        elif "$filter" not in query:
            rows = [({}, dict.fromkeys(starts, sum(RPM.values())))]
        else:
            labels = re.findall(r"(\w+) eq", query["$filter"])
            rows = [
                ({label: colour if label == "deployment" else "200" for label in labels}, dict.fromkeys(starts, rpm))
                for colour, rpm in RPM.items()
            ]
        found.append(metric(name, rows))
    return 200, {"value": found}, {}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0 + 600)


@pytest.fixture
def counted(tmp_path: Path) -> Counted:
    live = {**ENDPOINT, "properties": {**ENDPOINT["properties"], "traffic": {"blue": 90, "green": 10}}}
    colours = [
        {**DEPLOYMENT, "name": name, "tags": {"sluice:release": release}}
        for name, release in (("blue", "b1"), ("green", "g1"))
    ]
    return Counted(Arm(live, colours), [], tmp_path / "trace.jsonl")


@pytest.fixture
def controller(tmp_path: Path, clock: FakeClock, counted: Counted, monkeypatch: pytest.MonkeyPatch) -> Controller:
    """A new process, whose rollout has had 10 % for some minutes."""
    for name in ("GITHUB_ACTIONS", "TF_BUILD"):
        monkeypatch.delenv(name, raising=False)
    checkout = Remote(tmp_path, STACK).checkout("runner")
    record = checkout.path / "rollouts" / "prod" / "fraud-detection" / "20261127T140000Z-green.jsonl"
    story = Story(WATCHED)
    story.at(0, Kind.VERIFIED, counted=None, settle=120, skipped=True)
    story.move(10, 0, applied=20)
    write(record, story.events)
    checkout.git("add", ".")
    checkout.git("commit", "--quiet", "-m", "A rollout")
    checkout.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    stack = StackFile(checkout.path / "Pulumi.prod.yaml", "fraud-detection")
    monitor, transport = monitor_with(answer)
    counted.metrics = transport.asked
    environment = checkout.environment | {"GIT_TRACE2_EVENT": str(counted.trace)}
    world = World(
        azure=ArmEndpoint(counted.arm, ID),  # type: ignore[arg-type]  # only reads
        metrics=AzureMetrics(monitor, tmp_path, clock.sleep),
        probes=FakeProbes(clock),
        capacity=FakeCapacity(FakeFile(tmp_path / "Pulumi.prod.yaml")),
        stack_file=stack,
        repository=Clone(stack, record, push=True, environment=environment),
        change=WeightChange(None),  # type: ignore[arg-type]  # nothing is changed
        instances=InstanceChange(None),  # type: ignore[arg-type]  # nothing is changed
        clock=clock,
    )
    return Controller(Journal(Chain(record), clock), world, OWNER)


def test_a_tick_without_a_change_asks_azure_twice_the_metrics_four_times_and_git_once(
    controller: Controller, clock: FakeClock, counted: Counted
) -> None:
    controller.tick()
    counted.since()
    settled = controller.journal.state.read_until
    for _ in range(5):
        clock.sleep(GRAIN)
        assert isinstance(controller.tick().act, Wait)
        assert counted.since() == {
            "reads of Resource Manager": 2,
            "metric queries": 4,  # total, split, latencies; and CPU and memory, because the plan has that gate
            "metric definitions": 0,
            "git fetches": 1,
            "git pushes": 0,
        }
    assert controller.journal.state.read_until == settled + 5 * GRAIN


def test_the_first_tick_of_a_process_reads_the_counts_twice(controller: Controller, counted: Counted) -> None:
    tick = controller.tick()
    assert isinstance(tick.act, Wait), tick.text
    assert tick.state.intervals
    assert counted.since() == {
        "reads of Resource Manager": 2,
        "metric queries": 5,
        "metric definitions": 1,
        "git fetches": 1,
        "git pushes": 0,
    }

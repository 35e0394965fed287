"""One change of weights on the real engine: forward, back past other changes, after a kill, and without the engine."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from exit_codes import ExitCode
from recovery.engine_locks import StackLocks
from resource_manager.operations import ArmOperations
from rollout.change.attempt import opened
from rollout.change.engine_lock import PatientEngine
from rollout.change.tools import Tools, endpoint_urn
from rollout.change.weight_change import WeightChange
from rollout.decision.order import Changed, Direction, Ending, Order, Outcome
from rollout.declaration.stack_file import StackFile
from rollout.engine import PulumiEngine
from rollout.instances import DeploymentEdit
from rollout.people.actor import Actor
from rollout.ports import Message
from rollout.record.chain import Chain
from rollout.record.event import Kind
from rollout.record.journal import Journal
from rollout.sources.live import ArmEndpoint
from rollout.sources.live_autoscale import ArmAutoscale
from rollout.split import Split
from tests.integration.rehearsal import MODEL, Azure, Stack
from tests.rollout.record.rollouts import started
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

ENDPOINTS = "microsoft.machinelearningservices/workspaces/onlineEndpoints"
BLUE = Split(traffic={"blue": 100})
TEN = Split(traffic={"blue": 90, "green": 10})
FORWARD = Order(start=BLUE, to=TEN, direction=Direction.FORWARD, step=0, why="every gate passed")
BACK = Order(start=TEN, to=BLUE, direction=Direction.BACK, step=-1, why="error_rate 64:1", outcome=Outcome.ROLLED_BACK)


class QuickClock:
    """Real time, in which pauses between two looks are short."""

    def now(self) -> int:
        return int(time.time())

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.2))


class NoRepository:
    """Neither --commit nor --push."""

    def sync(self) -> str | None:
        return None

    def publish(self, message: Message, *, patient: bool = True, edit: DeploymentEdit | None = None) -> None:
        """Nothing to do."""


class Rollout:
    """The change of one endpoint and its record, as a process that may be replaced by another one."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.path = stack.file.parent / "rollouts" / f"{stack.name}.jsonl"
        if not self.path.exists():
            Chain(self.path).append(Kind.STARTED, started(endpoint=MODEL, stack=stack.name), int(time.time()))
        self.file = StackFile(stack.file, MODEL)
        self.said: list[str] = []
        self.begin(stack.engine)

    def begin(self, engine: PulumiEngine) -> None:
        clock = QuickClock()
        self.record = Journal(Chain(self.path), clock)
        locks = StackLocks(engine, self.said.append)
        urn = endpoint_urn("sluice", self.stack.name, MODEL)
        self.change = WeightChange(
            Tools(
                endpoint_name=self.stack.names.endpoint(MODEL),
                engine=PatientEngine(engine, locks, clock, urn, self.said.append),
                locks=locks,
                azure=ArmEndpoint(ArmOperations(self.said.append, 60), self.stack.endpoint_id),
                autoscale=ArmAutoscale(ArmOperations(self.said.append, 60), self._setting_id),
                stack_file=self.file,
                repository=NoRepository(),
                clock=clock,
                actor=Actor(name="Ada"),
                say=self.said.append,
            )
        )

    def _setting_id(self, deployment: str) -> str:
        return self.stack.names.autoscale_id(self.stack.names.endpoint(MODEL), deployment)

    def make(self, order: Order) -> Changed:
        return self.change.make(self.record, order, None)

    def require_settled(self, split: Split) -> None:
        """Declared = live = record, and the preview has nothing about the endpoint."""
        assert self.file.lines().split == self.record.state.weights == split
        assert self.stack.live_traffic() == split.traffic
        changes = [change.name for change in self.stack.engine.preview().changes]
        assert f"{MODEL}-endpoint" not in changes


@pytest.fixture
def rollout(simulated_azure: Azure, monkeypatch: pytest.MonkeyPatch) -> Rollout:
    """The dev stack: blue at 100 %, green at 0 %."""
    stack = Stack(simulated_azure, "dev")
    for name in os.environ.keys() - stack.environment.keys():
        monkeypatch.delenv(name)
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    return Rollout(stack)


def test_a_step_forward_and_a_way_back_past_another_pending_change(rollout: Rollout) -> None:
    before = rollout.file.text()
    changed = rollout.make(FORWARD)
    assert (changed.ending, changed.reason) == (Ending.APPLIED, "")
    rollout.require_settled(TEN)
    rollout.stack.deployment("amber", instances=1)

    onwards = Order(
        start=TEN,
        to=Split(traffic={"blue": 50, "green": 50}),
        direction=Direction.FORWARD,
        step=1,
        why="every gate passed",
    )
    changed = rollout.make(onwards)
    assert (changed.ending, changed.exit_code) == (Ending.WITHDRAWN, ExitCode.USAGE)
    assert any(f"{MODEL}-amber-deployment" in one for one in changed.pending)
    rollout.require_settled(TEN)

    assert rollout.make(BACK).ending is Ending.APPLIED
    rollout.require_settled(BLUE)
    assert "amber" not in rollout.stack.live_deployments()
    assert "amber" in rollout.file.text()
    assert "amber" not in before


@pytest.mark.parametrize("order", [FORWARD, BACK], ids=["forward", "back"])
def test_an_engine_killed_while_azure_holds_its_put_is_found_and_confirmed(rollout: Rollout, order: Order) -> None:
    if order is BACK:
        rollout.make(FORWARD)
    intent = opened(rollout.record, order)
    rollout.file.write(order.to)
    moment = rollout.stack.azure.moment("hold", when="before", type=ENDPOINTS, method="PUT", count=1)
    assert rollout.stack.kill_at(moment)
    wait_until(lambda: rollout.stack.live_traffic() == order.to.traffic, "Azure does not finish what it was sent")

    rollout.begin(rollout.stack.engine)
    changed = rollout.change.confirm(rollout.record, intent, None)
    assert (changed.ending, changed.reason) == (Ending.APPLIED, "")
    assert any("removed the lock of a dead update" in text for text in rollout.said)
    assert rollout.record.chain.events[-1].data["found"] is True
    rollout.require_settled(order.to)
    assert rollout.stack.engine.preview().is_empty


def test_without_a_backend_the_glass_is_broken_and_the_state_follows_later(rollout: Rollout, tmp_path: Path) -> None:
    rollout.make(FORWARD)
    gone = rollout.stack.environment | {"PULUMI_BACKEND_URL": f"file://{tmp_path / 'gone'}"}
    rollout.begin(PulumiEngine(rollout.stack.project, rollout.stack.name, gone))
    changed = rollout.make(BACK)
    assert (changed.ending, changed.needs_break_glass) == (Ending.OPEN, True)
    assert rollout.stack.live_traffic() == TEN.traffic
    intent = rollout.record.state.open_intent
    assert intent is not None
    before = rollout.stack.live_endpoint()
    assert rollout.change.break_glass(rollout.record, intent, None).ending is Ending.APPLIED
    after = rollout.stack.live_endpoint()
    assert after["properties"]["traffic"] == BLUE.traffic
    for body in (before, after):  # the time of the change, and the operation that Azure names
        del body["systemData"], body["properties"]["properties"], body["properties"]["traffic"]
    assert after == before

    assert rollout.change.reconcile(rollout.record, intent, None).ending is Ending.OPEN
    rollout.begin(rollout.stack.engine)
    assert rollout.change.reconcile(rollout.record, intent, None).ending is Ending.APPLIED
    kinds = [event.kind for event in rollout.record.chain.events[-3:]]
    assert kinds == [Kind.BREAK_GLASS, Kind.ATTEMPT, Kind.RECONCILED], "the state that did not follow is a try"
    rollout.require_settled(BLUE)
    assert rollout.stack.engine.preview().is_empty

"""A world in memory for the controller: Azure, its metrics, the engine, git and the stack file, with faults.

Records are real files. Time is a number that sleeping moves. `crash_at` kills the controller at a crash point of the
rollout's design (the numbers are those of `tests/rollout/test_crashes.py`).
"""

from __future__ import annotations

import copy
import json
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from command_errors import UnavailableError, UsageError, WaitingError
from endpoint_state import LiveDeployment, LiveEndpoint
from rollout.change.engine_lock import PatientEngine
from rollout.change.instance_change import InstanceChange
from rollout.change.punctual import PunctualChange, PunctualInstanceChange
from rollout.change.tools import Tools, endpoint_urn
from rollout.change.weight_change import WeightChange
from rollout.errors import EngineFailed, EngineLocked, Overtaken
from rollout.events import ENDPOINT_TYPE, Change, Outcome, Preview
from rollout.evidence.intervals import Counts, Interval
from rollout.instances import DeploymentEdit, Floor, Removal, floor_of
from rollout.people.actor import Actor
from rollout.ports import Declared, Message, Probed, Reading
from rollout.record.chain import Chain, Owner
from rollout.record.event import Event, Kind
from rollout.record.journal import Journal
from rollout.record.state import RolloutState
from rollout.split import Split
from rollout.tick.controller import Controller, Tick
from rollout.tick.world import World
from rollout_config import PlanSettings
from tests.rollout.record.rollouts import BLUE, PLAN, T0, started

NAME = "fraud-detection-prod-0a1b2c"
AUTOSCALE, DEPLOYMENT = "azure-native:monitor:AutoscaleSetting", "azure-native:machinelearningservices:OnlineDeployment"
GRAIN, SETTLE, RPM = 60, 120, 600
QUICK = PlanSettings.from_values(
    {
        **PLAN.as_values(),
        "steps": [{"weight": 10, "bake": "4m"}, {"weight": 50, "bake": "3m"}, {"weight": 100, "bake": "8m"}],
    }
)
OWNER = Owner(
    project="sluice",
    stack="prod",
    endpoint="fraud-detection",
    subscription="00000000-0000-0000-0000-000000000001",
    workspace="mlw-payments-prod",
)


class Killed(BaseException):
    """kill -9 of the controller: nothing is cleaned up."""


@dataclass
class FakeClock:
    time: int = T0 + 5

    def now(self) -> int:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += max(1, round(seconds))


@dataclass
class FakeAzure:
    """An endpoint. `put` is what an update of the engine asks for."""

    clock: FakeClock
    split: Split = BLUE
    state: str = "Succeeded"
    deployments: dict[str, LiveDeployment] = field(default_factory=dict)
    history: list[tuple[int, Split]] = field(default_factory=list)
    """What routed requests, and from when."""
    routing_lag: int = 0
    updating_until: int = 0
    unreachable: bool = False
    autoscale: dict[str, dict[str, int]] = field(default_factory=dict)
    """The numbers of each autoscale setting."""
    changed_by: str = "sluice"
    auth_mode: str = "key"
    glass: int = 0

    def __post_init__(self) -> None:
        for name, release in (("blue", "b1"), ("green", "g1")):
            self.deployments.setdefault(
                name, LiveDeployment(name=name, provisioning_state="Succeeded", release=release, instances=3)
            )
        self.history.append((0, self.split))

    def endpoint(self) -> LiveEndpoint | None:
        if self.unreachable:
            raise UnavailableError("Azure did not answer")
        busy = self.clock.now() < self.updating_until
        return LiveEndpoint(
            name=NAME,
            provisioning_state="Updating" if busy else self.state,
            auth_mode=self.auth_mode,
            traffic=self.split.traffic,
            mirror=self.split.mirror,
            deployments=dict(self.deployments),
            changed_by=self.changed_by,
            changed_at="2026-11-27T14:03:00Z",
        )

    def numbers(self, deployment: str) -> dict[str, int] | None:
        if self.unreachable:
            raise UnavailableError("Azure did not answer")
        return self.autoscale.get(deployment)

    def set_split(self, split: Split) -> None:
        self.glass += 1
        self.state = "Succeeded"
        self.put(split)

    def put(self, split: Split, *, by: str = "sluice") -> None:
        self.split, self.changed_by = split, by
        self.history.append((self.clock.now() + self.routing_lag, split))

    def split_during(self, start: int, end: int) -> list[tuple[int, Split, int]]:
        """(seconds, split, how long it had been routing) of a time."""
        found = []
        for (since, split), (until, _) in zip(self.history, [*self.history[1:], (end, BLUE)], strict=True):
            seconds = min(end, until) - max(start, since)
            if seconds > 0:
                found.append((seconds, split, max(0, start - since)))
        return found


BadWhen = Callable[[Split, int], float]
"""Error rate of green, given the split and for how many seconds it has been routing."""


@dataclass
class FakeMetrics:
    """Counts of what was routed, complete after SETTLE."""

    azure: FakeAzure
    error_rate: BadWhen
    rpm: int = RPM
    shared_error_rate: float = 0.002
    fault: str | None = None
    fault_until: int = 0
    reads: int = 0

    def interval(self, start: int) -> Interval:
        counts: dict[str, Counts] = {}
        for seconds, split, age in self.azure.split_during(start, start + GRAIN):
            for name, percent in (*split.traffic.items(), *split.mirror.items()):
                requests = self.rpm * seconds * percent // (100 * GRAIN)
                rate = self.error_rate(split, age) if name == "green" else self.shared_error_rate
                seed = random.Random(f"{start} {name} {seconds}")
                errors = sum(seed.random() < rate for _ in range(requests))
                counts[name] = counts.get(name, Counts()) + Counts(requests=requests, errors=errors)
        return Interval(start=start, seconds=GRAIN, counts=counts)

    def read(self, state: RolloutState, now: int) -> Reading:
        self.reads += 1
        fault = self.fault if now < self.fault_until else None
        first = -(-state.read_until // GRAIN) * GRAIN
        if fault == "error":
            return Reading(settled_until=state.read_until, problem="Azure Monitor answered 503")
        if fault == "missing":
            return Reading(settled_until=state.read_until, problem="the series of one status code is missing")
        lag = SETTLE + (240 if fault == "late" else 0)
        starts = range(first, now - lag - GRAIN + 1, GRAIN)
        settled = tuple(self.interval(start) for start in starts)
        young_from = starts[-1] + GRAIN if starts else first
        young = [self.interval(at) for at in range(young_from, now - GRAIN - 30, GRAIN)]
        if fault == "zero":
            young = [Interval(start=one.start, seconds=GRAIN) for one in young]
        until = settled[-1].end if settled else state.read_until
        return Reading(settled=settled, young=tuple(young), settled_until=until)

    def counted(self, colour: str, since: int, now: int) -> int | None:
        return 20 if now - since >= 90 else 0


@dataclass
class FakeFile:
    path: Path
    point: Callable[[int], None] = lambda number: None
    split: Split = BLUE
    stable: str | None = "blue"
    writes: list[Split] = field(default_factory=list)
    deployments: dict[str, dict[str, int]] = field(default_factory=lambda: {"blue": {}, "green": {}})

    def read(self) -> Declared:
        return Declared(split=self.split, stable=self.stable, deployments=self.deployments)

    def numbers(self, deployment: str) -> dict[str, int] | None:
        return self.deployments.get(deployment)

    def text(self) -> str:
        return json.dumps(self.deployments)

    def with_edit(self, text: str, edit: DeploymentEdit) -> str:
        deployments = json.loads(text)
        if isinstance(edit, Removal):
            deployments.pop(edit.deployment, None)
            return json.dumps(deployments)
        found = deployments[edit.deployment]
        for path, number in edit.to.items():
            if found.get(path) not in (number, edit.start[path]):
                raise UsageError(f"{path} is {found.get(path)}, the rollout expects {edit.start[path]}")
            found[path] = number
        return json.dumps(deployments)

    def apply(self, edit: DeploymentEdit) -> None:
        self.point(24)
        self.deployments = json.loads(self.with_edit(self.text(), edit))
        self.point(25)

    def write(self, split: Split, stable: str | None = None) -> None:
        self.point(3)
        self.split, self.stable = split, stable or self.stable
        self.writes.append(split)
        self.point(4)


@dataclass
class Remote:
    """The branch of the repository: record and stack file."""

    record: bytes = b""
    split: Split = BLUE
    stable: str | None = "blue"
    deployments: str = ""


@dataclass
class FakeRepository:
    """git as a compare-and-swap of record and file."""

    remote: Remote
    path: Path
    file: FakeFile
    base: bytes = b""
    """The record on the remote when it was last seen."""
    on_push: Callable[[], None] = lambda: None
    point: Callable[[int], None] = lambda number: None
    one_at_a_time: threading.RLock = field(default_factory=threading.RLock)

    def sync(self) -> str | None:
        self.base = self.remote.record
        return self.remote.record.decode() or None

    def publish(self, message: Message, *, patient: bool = True, edit: DeploymentEdit | None = None) -> None:
        with self.one_at_a_time:
            if not self.path.exists():
                return
            if self.remote.record != self.base:
                if patient:
                    self.path.write_bytes(self.remote.record)
                    self.file.split, self.file.stable = self.remote.split, self.remote.stable
                    self.file.deployments = json.loads(self.remote.deployments)
                    self.base = self.remote.record
                raise Overtaken("another runner pushed this rollout's next event first")
            self.on_push()
            self.point(5 if edit is None else 22)
            if edit is not None:
                self.remote.deployments = self.file.with_edit(self.remote.deployments, edit)
            content = self.path.read_bytes()
            self.remote.record = self.base = content[: content.rfind(b"\n") + 1]
            self.remote.split, self.remote.stable = self.file.split, self.file.stable
            self.point(6 if edit is None else 23)


@dataclass
class FakeLocks:
    """The engine's lock: a living update of somebody else holds it until a time."""

    clock: FakeClock
    until: int = 0

    def remove_dead(self) -> bool:
        if self.holder() is not None:
            raise WaitingError("an update of stack prod is running")
        return False

    def holder(self) -> str | None:
        return "bob's update" if self.clock.now() < self.until else None

    def last_update(self) -> str | None:
        return None


@dataclass
class FakeEngine:
    """The engine. `faults` are what happens to its next updates: 429, 409, 500, lost, failed, locked; or pending."""

    azure: FakeAzure
    file: FakeFile
    locks: FakeLocks
    point: Callable[[int], None]
    faults: list[str] = field(default_factory=list)
    ups: int = 0
    state: Split = BLUE
    """What it believes Azure has."""
    deployments: dict[str, dict[str, int]] = field(default_factory=dict)
    """The instance counts in its state."""
    protected: set[str] = field(default_factory=lambda: {"blue"})

    def preview(self, *, refresh: bool = False, targets: Sequence[str] = ()) -> Preview:
        if self.faults[:1] == ["pending"] and not targets:
            self.faults.pop(0)
            return Preview(changes=(*self._changes(targets), change("azure-native:insights:MetricAlert", "alert", {})))
        return Preview(changes=self._changes(targets))

    def up(self, *, skip_preview: bool = True, refresh: bool = False, targets: Sequence[str] = ()) -> Outcome:
        self.ups += 1
        clock = self.azure.clock
        if self.locks.holder() is not None:
            raise EngineLocked("the stack is currently locked by 1 lock(s)")
        weights = not targets or any(ENDPOINT_TYPE in target for target in targets)
        if weights:
            self.point(7)
        if not weights or not targets:
            self.point(26)
        clock.time = max(clock.time, min(self.azure.updating_until, clock.time + 3600))
        clock.sleep(5)
        fault = self.faults.pop(0) if self.faults else None
        if fault == "locked":
            self.locks.until = clock.now() + 90
            raise EngineLocked("the stack is currently locked by 1 lock(s)")
        if fault == "failed" and weights:
            self.azure.state = "Failed"
        if fault in {"429", "409", "500", "failed"} or clock.now() < self.azure.updating_until:
            raise EngineFailed(f"the update failed: {fault or 409}")
        if refresh and weights:
            self.state = self.azure.split
        if refresh:
            for name, numbers in self.azure.autoscale.items():
                if name in self._declared(targets):
                    self.deployments[name] = {**self.deployments[name], **numbers}
        changes = self._changes(targets)
        if weights and (self._weights() or self.azure.state == "Failed"):
            self.azure.state = "Succeeded"
            self.azure.put(self.file.split)
        for each in changes:
            self._make(each)
        if not targets and not changes:
            self.protected = set(self.file.split.traffic)
        if fault == "lost":
            self.azure.updating_until = clock.now() + 40
            raise EngineFailed("the connection was lost")
        if weights:
            self.state = self.file.split
        if weights:
            self.point(8)
        if not weights or not targets:
            self.point(28)
        self.deployments = {**self.deployments, **copy.deepcopy(self._declared(targets))}
        for name in set(self.deployments) - set(self.file.deployments):
            del self.deployments[name]
        return Outcome(done=changes)

    def _declared(self, targets: Sequence[str]) -> dict[str, dict[str, int]]:
        found = self.file.deployments
        return {name: found[name] for name in found if not targets or any(f"-{name}-" in target for target in targets)}

    def _make(self, change: Change) -> None:
        """What one change does in Azure. Autoscale acts at once: out to its minimum."""
        name = next((one for one in ("blue", "green") if f"-{one}-" in f"{change.name}-"), "")
        live = self.azure.deployments.get(name)
        if change.type == AUTOSCALE and change.op == "update" and live is not None:
            self.azure.autoscale[name] = scale_of(self.file.deployments[name])
            least = self.azure.autoscale[name]["autoscale.min"]
            self.azure.deployments[name] = replace(live, instances=max(live.instances or 0, least))
        elif change.type == DEPLOYMENT and change.op == "update" and live is not None:
            self.azure.deployments[name] = replace(live, instances=self.file.deployments[name]["instances"])
        elif change.type == DEPLOYMENT and change.op == "delete":
            if name in self.protected or self.azure.split.carries(name):
                raise EngineFailed(f"{name} is protected")
            self.azure.deployments.pop(name, None)
        elif change.op == "delete":
            self.azure.autoscale.pop(name, None)

    def _changes(self, targets: Sequence[str]) -> tuple[Change, ...]:
        """The changes, of the targets only if there are any, as the engine matches them."""
        found = [*self._weights(), *self._instances()]
        return tuple(one for one in found if not targets or any(target.endswith(f"::{one.name}") for target in targets))

    def _instances(self) -> Iterator[Change]:
        for name, before in self.deployments.items():
            declared = self.file.deployments.get(name)
            resource = f"fraud-detection-{name}"
            if declared is None:
                if "autoscale.min" in before:
                    yield replace(change(AUTOSCALE, f"{resource}-autoscale-setting", {}), op="delete")
                yield replace(change(DEPLOYMENT, f"{resource}-deployment", {}), op="delete")
            elif "autoscale.min" in declared and scale_of(declared) != scale_of(before):
                inputs, old = {"profiles": profiles_of(declared)}, {"profiles": profiles_of(before)}
                made = change(AUTOSCALE, f"{resource}-autoscale-setting", inputs)
                yield replace(made, old_inputs=old, diffs=("profiles[0].capacity.minimum",))
            elif "autoscale.min" not in declared and declared.get("instances") != before.get("instances"):
                made = change(DEPLOYMENT, f"{resource}-deployment", {"sku": {"capacity": declared["instances"]}})
                yield replace(made, diffs=("sku.capacity",))

    def _weights(self) -> tuple[Change, ...]:
        to = self.file.split
        properties = {"traffic": dict(to.traffic), "mirrorTraffic": dict(to.mirror)}
        inputs = {"endpointName": NAME, "properties": properties}
        return () if to == self.state else (change(ENDPOINT_TYPE, "fraud-detection-endpoint", inputs),)


def scale_of(numbers: dict[str, int]) -> dict[str, int]:
    return {path: number for path, number in numbers.items() if path.startswith("autoscale.")}


def profiles_of(numbers: dict[str, int]) -> list[dict[str, Any]]:
    """The one profile of an autoscale setting, as the engine has it."""
    names = {"minimum": "min", "maximum": "max", "default": "default"}
    return [{"name": "default", "capacity": {key: str(numbers[f"autoscale.{one}"]) for key, one in names.items()}}]


def change(type_: str, name: str, inputs: Mapping[str, Any]) -> Change:
    diffs = ("properties.traffic.green",) if inputs else ("tags",)
    return Change(op="update", urn=f"urn:{name}", type=type_, name=name, diffs=diffs, inputs=inputs)


class PointedJournal(Journal):
    """A record whose writer can be killed before and after a line."""

    def __init__(self, chain: Chain, clock: FakeClock, point: Callable[[int], None]) -> None:
        super().__init__(chain, clock)
        self.point = point

    def append(self, kind: Kind, data: Mapping[str, Any]) -> Event:
        done = dict.fromkeys((Kind.RESERVED, Kind.RETURNED, Kind.RETIRED), (29,))
        begun = dict.fromkeys((Kind.RESERVING, Kind.RETIRING), (20,))
        for number in {Kind.INTENT: (1, 2), Kind.APPLIED: (10,), **begun, **done}.get(kind, ()):
            self.point(number)
        event = super().append(kind, data)
        after = {**dict.fromkeys(begun, (21,)), **dict.fromkeys(done, (30,))}
        for number in {Kind.INTENT: (3,), Kind.APPLIED: (11,), Kind.BREAK_GLASS: (14,), **after}.get(kind, ()):
            self.point(number)
        return event


@dataclass
class FakeCapacity:
    file: FakeFile
    too_small: str | None = None
    no_floor: str | None = None

    def problem(self, split: Split) -> str | None:
        return self.too_small

    def floor(self, stable: str, live: LiveEndpoint) -> Floor | None:
        if self.no_floor is not None:
            raise UsageError(self.no_floor)
        return floor_of(stable, self.file.deployments[stable], live.deployments[stable].instances or 0)


@dataclass
class FakeProbes:
    clock: FakeClock
    problem: str | None = None

    def send(self, colour: str, stable: str | None) -> Probed:
        return Probed(sent=20, start=self.clock.now(), disagreement=0.0, problem=self.problem)


def good(split: Split, age: int) -> float:
    return 0.002


class Room:
    """One machine with its clone, its controller and its view of Azure and the remote."""

    def __init__(
        self,
        folder: Path,
        *,
        plan: PlanSettings = QUICK,
        bad: BadWhen = good,
        azure: FakeAzure | None = None,
        remote: Remote | None = None,
        at: int = T0,
        deployments: dict[str, dict[str, int]] | None = None,
        **start: Any,
    ) -> None:
        """`at`: when it was started; `start`: fields of its first event."""
        self.clock = azure.clock if azure else FakeClock()
        self.azure = azure or FakeAzure(self.clock)
        self.metrics = FakeMetrics(self.azure, bad)
        self.path = folder / "rollouts" / "prod" / "fraud-detection" / "20261127T140000Z-green.jsonl"
        self.file = FakeFile(folder / "Pulumi.prod.yaml", self._point)
        if deployments is not None:
            self.file.deployments = deployments
            self.azure.autoscale = {name: scale_of(one) for name, one in deployments.items() if scale_of(one)}
        self.remote = remote or Remote(deployments=self.file.text())
        self.repository = FakeRepository(self.remote, self.path, self.file, point=self._point)
        self.locks = FakeLocks(self.clock)
        self.engine = FakeEngine(self.azure, self.file, self.locks, self._point)
        self.engine.deployments = copy.deepcopy(self.file.deployments)
        self.said: list[str] = []
        self.capacity = FakeCapacity(self.file)
        self.probes = FakeProbes(self.clock)
        self.crash_at: int | None = None
        self.ticks: list[Tick] = []
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.remote.record:
            self.clone()
        else:
            Chain(self.path).append(Kind.STARTED, started(plan, **start), at)
            self.remote.record = self.repository.base = self.path.read_bytes()
            self.boot()

    def boot(self) -> None:
        """Start the controller, as a new process does."""
        self.journal = PointedJournal(Chain(self.path), self.clock, self._point)
        urn = endpoint_urn("sluice", "prod", "fraud-detection")
        tools = Tools(
            endpoint_name=NAME,
            engine=PatientEngine(self.engine, self.locks, self.clock, urn, self.said.append),
            locks=self.locks,
            azure=self.azure,
            autoscale=self.azure,
            stack_file=self.file,  # type: ignore[arg-type]  # in memory
            repository=self.repository,
            clock=self.clock,
            actor=Actor(name="sluice"),
            say=self.said.append,
        )
        self.world = World(
            azure=self.azure,
            metrics=self.metrics,
            probes=self.probes,
            capacity=self.capacity,
            stack_file=self.file,
            repository=self.repository,
            change=WeightChange(tools),
            instances=InstanceChange(tools),
            clock=self.clock,
        )
        self.controller = Controller(self.journal, self.world, OWNER)

    def limit(self, until: int) -> None:
        """Limit the time of the run: no change but a way back begins after `until`."""
        change = PunctualChange(self.world.change, self.clock, until)
        instances = PunctualInstanceChange(self.world.instances, self.clock, until)
        self.controller = Controller(self.journal, replace(self.world, change=change, instances=instances), OWNER)

    def clone(self) -> None:
        """Forget everything that was not pushed."""
        self.path.write_bytes(self.remote.record)
        self.repository.base = self.remote.record
        self.file.split, self.file.stable = self.remote.split, self.remote.stable
        self.file.deployments = json.loads(self.remote.deployments)
        self.boot()

    @property
    def state(self) -> RolloutState:
        return self.journal.state

    def say(self, kind: Kind, **data: Any) -> None:
        """A person's word, written by another process and pushed."""
        at = max(self.clock.now(), self.state.last_at)
        Chain(self.path).append(kind, data, at)
        self.remote.record = self.repository.base = self.path.read_bytes()

    def tick(self, pause: int = 30) -> Tick:
        tick = self.controller.tick()
        self.ticks.append(tick)
        self.clock.sleep(pause)
        return tick

    def until(self, wanted: Callable[[Tick], bool], *, most: int = 400) -> Tick:
        """Tick until something is so."""
        for _ in range(most):
            tick = self.tick()
            if wanted(tick):
                return tick
        raise AssertionError(f"not reached in {most} ticks: {self.ticks[-1].text} ({self.ticks[-1].act})")

    def to_the_end(self) -> Tick:
        return self.until(lambda tick: tick.state.is_over)

    def assert_agreed(self) -> None:
        """Declared = live = record, and what was pushed is what is here."""
        assert self.file.split == self.azure.split == self.state.weights
        assert self.state.open_intent is None
        assert self.remote.record == self.path.read_bytes()
        assert self.remote.split == self.file.split
        assert json.loads(self.remote.deployments) == self.file.deployments == self.engine.deployments
        assert self.engine.preview().is_empty
        assert not self.journal.chain.broken
        assert self.state == Journal(Chain(self.path), self.clock).state

    def _point(self, number: int) -> None:
        if self.crash_at == number and threading.current_thread() is threading.main_thread():
            self.crash_at = None
            if number == 2:
                self.path.write_bytes(self.path.read_bytes() + b'{"at":"2026-11-27T14:')
            raise Killed

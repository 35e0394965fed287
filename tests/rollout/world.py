"""A world in memory for the controller: Azure, its metrics, git, the stack file and one change of weights, with faults.

Records are real files. Time is a number that sleeping moves. `crash_at` kills the controller at a crash point of the
rollout's design (the numbers are those of `tests/rollout/test_crashes.py`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from command_errors import UnavailableError
from endpoint_state import LiveDeployment, LiveEndpoint
from exit_codes import ExitCode
from rollout.controller import Controller, Tick, World
from rollout.errors import Overtaken
from rollout.evidence.intervals import Counts, Interval
from rollout.order import Changed, Direction, Ending, Intent, Order
from rollout.ports import Declared, Floor, Message, Probed, Reading, Record
from rollout.record.chain import Chain, Owner
from rollout.record.event import Kind
from rollout.record.journal import Journal
from rollout.record.state import RolloutState
from rollout.split import Split
from rollout_config import PlanSettings
from tests.rollout.record.rollouts import BLUE, PLAN, T0, started

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
    changed_by: str = "sluice"

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
            name="fraud-detection-prod-0a1b2c",
            provisioning_state="Updating" if busy else self.state,
            auth_mode="key",
            traffic=self.split.traffic,
            mirror=self.split.mirror,
            deployments=dict(self.deployments),
            changed_by=self.changed_by,
            changed_at="2026-11-27T14:03:00Z",
        )

    def set_split(self, split: Split) -> None:
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
    split: Split = BLUE
    stable: str | None = "blue"
    writes: list[Split] = field(default_factory=list)

    def read(self) -> Declared:
        return Declared(split=self.split, stable=self.stable, deployments=frozenset({"blue", "green"}))

    def write(self, split: Split, stable: str | None = None) -> None:
        self.split, self.stable = split, stable or self.stable
        self.writes.append(split)


@dataclass
class Remote:
    """The branch of the repository: record and stack file."""

    record: bytes = b""
    split: Split = BLUE
    stable: str | None = "blue"


@dataclass
class FakeRepository:
    """git as a compare-and-swap of record and file."""

    remote: Remote
    path: Path
    file: FakeFile
    base: bytes = b""
    """The record on the remote when it was last seen."""
    on_push: Callable[[], None] = lambda: None
    refused: Exception | None = None

    def sync(self) -> str | None:
        self.base = self.remote.record
        return self.remote.record.decode() or None

    def publish(self, message: Message, *, patient: bool = True) -> None:
        if self.refused is not None:
            raise self.refused
        if not self.path.exists():
            return
        if self.remote.record != self.base:
            self.path.write_bytes(self.remote.record)
            self.file.split, self.file.stable = self.remote.split, self.remote.stable
            raise Overtaken("another runner pushed this rollout's next event first")
        self.on_push()
        self.remote.record = self.base = self.path.read_bytes()
        self.remote.split, self.remote.stable = self.file.split, self.file.stable


@dataclass
class FakeChange:
    """One change of weights as `ports.Change` describes it, on an engine whose next updates may fail."""

    azure: FakeAzure
    file: FakeFile
    repository: FakeRepository
    clock: FakeClock
    point: Callable[[int], None] = lambda number: None
    faults: list[str] = field(default_factory=list)
    """What happens to the next updates: 429, 409, 500, lost, failed, locked, pending."""
    ups: int = 0
    glass: int = 0

    def make(
        self, record: Record, order: Order, closing: Mapping[str, Any] | None, spent: Mapping[str, float] | None = None
    ) -> Changed:
        self.point(1)
        self.point(2)
        event = record.append(Kind.INTENT, order.as_values())
        self.point(3)
        intent = record.state.open_intent
        assert intent is not None
        assert intent.seq == event.seq
        return self.resume(record, intent, closing)

    def resume(self, record: Record, intent: Intent, closing: Mapping[str, Any] | None) -> Changed:
        order = intent.order
        if (self.file.split, self.file.stable) != (order.to, order.stable or self.file.stable):
            self.file.write(order.to, order.stable)
        self.point(4)
        if order.direction is not Direction.BACK:
            try:
                self.point(5)
                self.repository.publish(Message(subject=order.why))
            except Overtaken as error:
                return Changed(ending=Ending.OVERTAKEN, reason=str(error), exit_code=ExitCode.WAITING)
            self.point(6)
            if self.faults[:1] == ["pending"]:
                self.faults.pop(0)
                self.withdraw(record, intent, "other changes are pending")
                return Changed(ending=Ending.WITHDRAWN, exit_code=ExitCode.USAGE, pending=("update alert",))
        problem = self._up(order.to)
        if problem is not None:
            record.append(Kind.ATTEMPT, {"intent": intent.seq, "reason": problem})
            tried = record.state.open_intent.attempts if record.state.open_intent else 0
            glass = intent.is_back and (tried >= 3 or problem == "locked")
            return Changed(ending=Ending.OPEN, reason=problem, exit_code=ExitCode.UNAVAILABLE, needs_break_glass=glass)
        self.point(10)
        return self._applied(record, intent, closing, found=False)

    def confirm(self, record: Record, intent: Intent, closing: Mapping[str, Any] | None) -> Changed:
        self.file.write(intent.order.to, intent.order.stable)
        return self._applied(record, intent, closing, found=True)

    def withdraw(self, record: Record, intent: Intent, reason: str) -> Changed:
        stable = record.state.declared_stable
        self.file.write(record.state.weights, stable)
        record.append(Kind.WITHDRAWN, {"intent": intent.seq, "reason": reason})
        self.repository.publish(Message(subject=f"withdrawn: {reason}"))
        return Changed(ending=Ending.WITHDRAWN, reason=reason)

    def break_glass(self, record: Record, intent: Intent, closing: Mapping[str, Any] | None) -> Changed:
        self.glass += 1
        self.azure.set_split(intent.order.to)
        self.azure.state = "Succeeded"
        record.append(Kind.BREAK_GLASS, {"by": "sluice", "why": "locked", "weights": intent.order.to.as_values()})
        self.point(14)
        return Changed(ending=Ending.OPEN, reason="weights set without the engine", exit_code=ExitCode.UNAVAILABLE)

    def reconcile(self, record: Record, intent: Intent, closing: Mapping[str, Any] | None) -> Changed:
        self.file.write(intent.order.to, intent.order.stable)
        problem = self._up(intent.order.to)
        if problem is not None:
            return Changed(ending=Ending.OPEN, reason=problem, exit_code=ExitCode.UNAVAILABLE)
        record.append(Kind.RECONCILED, {})
        if closing is not None:
            record.append(Kind.ENDED, closing)
        self._publish(record, intent)
        return Changed(ending=Ending.APPLIED)

    def _applied(self, record: Record, intent: Intent, closing: Mapping[str, Any] | None, *, found: bool) -> Changed:
        record.append(Kind.APPLIED, {"intent": intent.seq, "found": found, "update": self.ups, "seconds": {}})
        if closing is not None:
            record.append(Kind.ENDED, closing)
        self.point(11)
        self._publish(record, intent)
        return Changed(ending=Ending.APPLIED)

    def _publish(self, record: Record, intent: Intent) -> None:
        try:
            self.repository.publish(Message(subject=intent.order.why))
        except Overtaken:
            if not intent.is_back:
                raise

    def _up(self, to: Split) -> str | None:
        """Run `up`; why it failed."""
        self.ups += 1
        self.point(7)
        fault = self.faults.pop(0) if self.faults else None
        self.clock.sleep(5)
        if fault in {"429", "409", "500", "locked"}:
            return fault
        if fault == "failed":
            self.azure.state = "Failed"
            return "the operation failed"
        self.azure.state = "Succeeded"
        self.azure.put(to)
        if fault == "lost":
            self.azure.updating_until = self.clock.now() + 40
            return "the answer was lost"
        self.point(8)
        return None


@dataclass
class FakeCapacity:
    too_small: str | None = None
    raised: list[Floor] = field(default_factory=list)
    retired: list[tuple[str, str]] = field(default_factory=list)
    wanted: Floor | None = None

    def problem(self, split: Split) -> str | None:
        return self.too_small

    def floor(self, stable: str) -> Floor | None:
        return self.wanted

    def set_floor(self, floor: Floor) -> Changed:
        self.raised.append(floor)
        return Changed(ending=Ending.APPLIED)

    def retire(self, deployment: str, how: str) -> Changed:
        self.retired.append((deployment, how))
        return Changed(ending=Ending.APPLIED)


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
        **start: Any,
    ) -> None:
        self.clock = azure.clock if azure else FakeClock()
        self.azure = azure or FakeAzure(self.clock)
        self.metrics = FakeMetrics(self.azure, bad)
        self.path = folder / "rollouts" / "prod" / "fraud-detection" / "20261127T140000Z-green.jsonl"
        self.file = FakeFile()
        self.remote = remote or Remote()
        self.repository = FakeRepository(self.remote, self.path, self.file)
        self.change = FakeChange(self.azure, self.file, self.repository, self.clock, self._point)
        self.capacity = FakeCapacity()
        self.probes = FakeProbes(self.clock)
        self.crash_at: int | None = None
        self.ticks: list[Tick] = []
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.remote.record:
            self.clone()
        else:
            Chain(self.path).append(Kind.STARTED, started(plan, **start), T0)
            self.remote.record = self.repository.base = self.path.read_bytes()
            self.boot()

    def boot(self) -> None:
        """Start the controller, as a new process does."""
        self.journal = Journal(Chain(self.path), self.clock)
        self.world = World(
            azure=self.azure,
            metrics=self.metrics,
            probes=self.probes,
            capacity=self.capacity,
            stack_file=self.file,
            repository=self.repository,
            change=self.change,
            clock=self.clock,
        )
        self.controller = Controller(self.journal, self.world, OWNER)

    def clone(self) -> None:
        """Forget everything that was not pushed."""
        self.path.write_bytes(self.remote.record)
        self.repository.base = self.remote.record
        self.file.split, self.file.stable = self.remote.split, self.remote.stable
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
        assert not self.journal.chain.broken
        assert self.state == Journal(Chain(self.path), self.clock).state

    def _point(self, number: int) -> None:
        if self.crash_at == number:
            self.crash_at = None
            if number == 2:
                self.path.write_bytes(self.path.read_bytes() + b'{"at":"2026-11-27T14:')
            raise Killed

"""A small world for changes of weights: Azure, an engine with a state, a remote, and a process that can be killed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from command_errors import WaitingError
from endpoint_state import LiveEndpoint
from rollout.change.engine_lock import PatientEngine
from rollout.change.tools import Tools, endpoint_urn
from rollout.change.weight_change import WeightChange
from rollout.decision.order import Changed, Direction, Order
from rollout.decision.order import Outcome as RolloutOutcome
from rollout.declaration.stack_file import StackFile
from rollout.errors import EngineFailed
from rollout.events import ENDPOINT_TYPE, Change, Outcome, Preview
from rollout.instances import DeploymentEdit
from rollout.people.actor import Actor
from rollout.ports import Message, Repository
from rollout.record.chain import Chain
from rollout.record.event import Event, Kind
from rollout.record.journal import Journal
from rollout.split import Split
from tests.rollout.record.rollouts import BLUE, T0, started

NAME = "fraud-detection-prod-1"
RECORD = Path("rollouts/prod/fraud-detection/20261127T140000Z-green.jsonl")
TEN = Split(traffic={"blue": 90, "green": 10})
STACK = "config:\n  sluice:rollout:\n    fraud-detection: {stable: blue, traffic: {blue: 100}}\n"
FORWARD = Order(start=BLUE, to=TEN, direction=Direction.FORWARD, step=0, why="every gate passed")
BACK = Order(
    start=TEN, to=BLUE, direction=Direction.BACK, step=-1, why="error_rate 64:1", outcome=RolloutOutcome.ROLLED_BACK
)
CLOSING: Mapping[str, Any] = {
    **{"outcome": "rolled_back", "reason": "error_rate 64:1", "requests": 31, "errors": 9, "evidence": {}},
    **{"synthetic": False, "evidence_skipped": False, "approved_by": []},
}


def begin(folder: Path) -> None:
    """The files of a rollout that has started."""
    (folder / "Pulumi.prod.yaml").write_text(STACK)
    Chain(folder / RECORD).append(Kind.STARTED, started(), T0)


class Killed(BaseException):
    """kill -9: no code of the process runs after it, except what a test does next."""


@dataclass
class Clock:
    """A clock that moves only when someone sleeps; `at` are things that happen at a time."""

    time: float = T0 + 100
    at: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def now(self) -> int:
        return int(self.time)

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        for due in [each for each in self.at if each[0] <= self.time]:
            self.at.remove(due)
            due[1]()


@dataclass
class Azure:
    """The endpoint in Azure."""

    step: Callable[[str], None]
    split: Split = BLUE
    state: str = "Succeeded"
    errors: list[Exception] = field(default_factory=list)
    put_errors: list[Exception] = field(default_factory=list)
    puts: list[Split] = field(default_factory=list)

    def endpoint(self) -> LiveEndpoint | None:
        self.step("read")
        if self.errors:
            raise self.errors.pop(0)
        traffic, mirror = self.split.traffic, self.split.mirror
        return LiveEndpoint(name=NAME, provisioning_state=self.state, auth_mode="Key", traffic=traffic, mirror=mirror)

    def numbers(self, deployment: str) -> dict[str, int] | None:
        return None

    def set_split(self, split: Split) -> None:
        if self.put_errors:
            raise self.put_errors.pop(0)
        self.puts.append(split)
        self.split = split


@dataclass
class Engine:
    """The engine: what its state believes Azure has, and what else of the stack would change."""

    azure: Azure
    declared: Callable[[], Split]
    step: Callable[[str], None]
    state: Split = BLUE
    pending: tuple[Change, ...] = ()
    errors: list[Exception] = field(default_factory=list)
    calls: list[tuple[str, bool, tuple[str, ...]]] = field(default_factory=list)

    def preview(self, *, refresh: bool = False, targets: Sequence[str] = ()) -> Preview:
        self.calls.append(("preview", refresh, tuple(targets)))
        self.step("preview")
        if self.errors:
            raise self.errors.pop(0)
        return Preview(changes=(*self._weights(), *(() if targets else self.pending)))

    def up(self, *, skip_preview: bool = True, refresh: bool = False, targets: Sequence[str] = ()) -> Outcome:
        self.calls.append(("up", refresh, tuple(targets)))
        assert skip_preview
        self.step("up")
        if self.errors:
            raise self.errors.pop(0)
        if refresh:
            self.state = self.azure.split
        changes = self._weights()
        if changes:
            self.azure.split = self.declared()
            self.step("put")
            self.state = self.azure.split
        return Outcome(done=(*changes, *(() if targets else self.pending)))

    def _weights(self) -> tuple[Change, ...]:
        to = self.declared()
        if to == self.state:
            return ()
        properties = {"traffic": dict(to.traffic), "mirrorTraffic": dict(to.mirror)}
        inputs = {"endpointName": NAME, "properties": properties}
        return (update(ENDPOINT_TYPE, "fraud-detection-endpoint", ("properties.traffic.green",), inputs),)


def update(
    type_: str, name: str, diffs: tuple[str, ...] = ("tags",), inputs: Mapping[str, Any] | None = None
) -> Change:
    return Change(op="update", urn=f"urn:{name}", type=type_, name=name, diffs=diffs, inputs=inputs or {})


@dataclass
class Locks:
    """The engine's locks: `living` is who holds one, `dead` says that a dead update left one."""

    living: str | None = None
    dead: bool = False

    def remove_dead(self) -> bool:
        if self.living:
            raise WaitingError(f"an update of stack prod is running: {self.living}.")
        removed, self.dead = self.dead, False
        return removed

    def holder(self) -> str | None:
        return self.living

    def last_update(self) -> str | None:
        return "prod-1795867200000000000"


@dataclass
class Remote:
    """What origin has of the rollout, and what it answers next."""

    record: bytes
    split: Split = BLUE
    answers: list[Exception | Callable[[], None]] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)
    patience: list[bool] = field(default_factory=list)


class SteppedFile(StackFile):
    """A stack file whose writer can be killed."""

    def __init__(self, path: Path, step: Callable[[str], None]) -> None:
        super().__init__(path, "fraud-detection")
        self.step = step

    def write(self, split: Split, stable: str | None = None) -> None:
        self.step("write")
        super().write(split, stable)
        self.step("written")


class SteppedJournal(Journal):
    """A record whose writer can be killed."""

    def __init__(self, path: Path, clock: Clock, step: Callable[[str], None]) -> None:
        super().__init__(Chain(path), clock)
        self.step = step

    def append(self, kind: Kind, data: Mapping[str, Any]) -> Event:
        self.step(f"before {kind}")
        event = super().append(kind, data)
        self.step(f"after {kind}")
        return event


class World:
    """Azure, engine and remote live on when the process is killed; `restart` begins another one in the same folder."""

    def __init__(self, folder: Path) -> None:
        self.kill_at: str | None = None
        self.clock = Clock()
        self.azure = Azure(self.step)
        self.locks = Locks()
        self.engine = Engine(self.azure, lambda: self.file.lines().split, self.step)
        self.said: list[str] = []
        self.repository: Repository = self
        self.move_to(folder)
        begin(folder)
        self.remote = Remote(self.path.read_bytes())
        self.restart()

    def move_to(self, folder: Path) -> None:
        """Work in another clone from now on."""
        self.folder = folder
        self.file = SteppedFile(folder / "Pulumi.prod.yaml", self.step)

    @property
    def path(self) -> Path:
        return self.folder / RECORD

    def step(self, name: str) -> None:
        if name == self.kill_at:
            self.kill_at = None
            raise Killed(name)

    def restart(self) -> None:
        """Another process: it knows what is on disk."""
        self.record = SteppedJournal(self.path, self.clock, self.step)
        urn = endpoint_urn("sluice", "prod", "fraud-detection")
        engine = PatientEngine(self.engine, self.locks, self.clock, urn, self.said.append)
        self.change = WeightChange(
            Tools(
                endpoint_name=NAME,
                engine=engine,
                locks=self.locks,
                azure=self.azure,
                autoscale=self.azure,
                stack_file=self.file,
                repository=self.repository,
                clock=self.clock,
                actor=Actor(name="Ada", run="https://ci/1"),
                say=self.said.append,
            )
        )

    def fresh_clone(self) -> None:
        """Another machine: it knows what was pushed."""
        self.path.write_bytes(self.remote.record)
        (self.folder / "Pulumi.prod.yaml").write_text(STACK)
        StackFile(self.file.path, "fraud-detection").write(self.remote.split)
        self.restart()

    # ports.Repository

    def sync(self) -> str | None:
        return self.remote.record.decode()

    def publish(self, message: Message, *, patient: bool = True, edit: DeploymentEdit | None = None) -> None:
        self.remote.patience.append(patient)
        if patient:
            self.step("push")
        if self.remote.answers:
            answer = self.remote.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            answer()
        self.remote.record = self.path.read_bytes()
        self.remote.split = self.file.lines().split
        self.remote.subjects.append(message.subject)
        if patient:
            self.step("pushed")

    # What the controller does

    def finish(self, order: Order, closing: Mapping[str, Any] | None) -> Changed | None:
        """Do what a tick after a crash does: finish the open change, or begin it if nothing of it was kept."""
        state = self.record.state
        intent = state.open_intent
        if intent is None:
            return self.change.make(self.record, order, closing) if state.weights != order.to else None
        act = self.change.confirm if self.azure.split == intent.order.to else self.change.resume
        return act(self.record, intent, closing)

    def ready_to_go_back(self) -> None:
        """One step forward, then nothing is left of how it came about."""
        self.change.make(self.record, FORWARD, None)
        self.engine.calls.clear()
        self.remote.subjects.clear()
        self.remote.patience.clear()

    def kinds(self) -> list[str]:
        """The kinds of the events on disk, without `started`."""
        return [event.kind.value for event in Chain(self.path).events[1:]]

    def require_settled(self, split: Split) -> None:
        """Declared = live = record = what was pushed, and the preview is empty."""
        assert self.file.lines().split == self.azure.split == self.record.state.weights == split
        assert self.record.state.open_intent is None
        assert self.record.broken is None
        assert (self.remote.record, self.remote.split) == (self.path.read_bytes(), split)
        assert self.engine.preview().is_empty
        assert [path.name for path in self.folder.iterdir() if path.name.startswith(".")] == []


def failed(text: str = "quota exceeded") -> EngineFailed:
    return EngineFailed(f"pulumi up of stack prod failed:\n{text}", errors=(text,))

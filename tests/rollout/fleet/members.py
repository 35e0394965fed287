"""Rollouts of a fleet in memory: each has its own world, with the controller's real code in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from command_errors import CommandError
from fleet_config import FleetRollout, FleetSettings
from rollout.fleet.progress import Found
from rollout.fleet.runner import Fleet, FleetView
from rollout.record.chain import Chain, record_files
from rollout.record.journal import Journal
from rollout.split import Split
from rollout.tick.controller import Tick
from rollout_config import PlanSettings
from tests.rollout.world import QUICK, BadWhen, FakeAzure, FakeClock, Room, good

SHORT = PlanSettings.from_values(
    {**QUICK.as_values(), "steps": [{"weight": 50, "bake": "4m"}, {"weight": 100, "bake": "4m"}]}
)
BLUE = Split(traffic={"blue": 100})


def fleet_of(*waves: Mapping[str, object]) -> FleetSettings:
    """Waves, such as `wave("pilot", "prod-weu", bake="10m")`."""
    return FleetSettings.model_validate({"waves": tuple(waves)})


def wave(name: str, *stacks: str, bake: str | None = None, endpoint: str = "fraud-detection") -> dict[str, object]:
    rollouts = tuple({"endpoint": endpoint, "stack": stack} for stack in stacks)
    return {"name": name, "rollouts": rollouts, "bake": bake}


class RoomMember:
    """`runner.Member` whose endpoint is a room; green is new there, until it has been started."""

    def __init__(self, folder: Path, clock: FakeClock) -> None:
        self.folder = folder
        self.azure = FakeAzure(clock)
        self.contents = {"blue": "cb", "green": "cg"}
        self.bad: BadWhen = good
        self.plan = SHORT
        self.deployments: dict[str, dict[str, int]] | None = None
        self.refuses: CommandError | None = None
        self.fails: CommandError | None = None
        self.room: Room | None = None
        self.starts = 0
        self.synced = 0
        self.left = 0

    def find(self, *, synced: bool = False) -> Found:
        self.synced += synced
        files = record_files(self.folder / "rollouts" / "prod" / "fraud-detection")
        states = [Journal(Chain(file), self.azure.clock).state for file in files]
        return Found(declared=self.azure.split, contents=self.contents, rollouts=states)

    def start(self, colour: str) -> None:
        self.starts += 1
        if self.refuses is not None:
            raise self.refuses
        colours = {name: {"release": f"{name[0]}1", "content": content} for name, content in self.contents.items()}
        clock = self.azure.clock
        start = {"colour": colour, "colours": colours, "deployments": self.deployments}
        self.room = Room(self.folder, plan=self.plan, azure=self.azure, bad=self.bad, at=clock.now(), **start)
        self.room.metrics.rpm = 100

    def tick(self) -> Tick:
        if self.fails is not None:
            raise self.fails
        if self.room is None:
            raise AssertionError("it was not started")
        return self.room.controller.tick()

    def leave(self) -> None:
        self.left += 1


class Members:
    """The members of a fleet, by stack, on one clock."""

    def __init__(self, folder: Path, settings: FleetSettings) -> None:
        self.clock = FakeClock()
        self.settings = settings
        self.by_rollout: dict[FleetRollout, RoomMember] = {
            one: RoomMember(folder / one.endpoint / one.stack, self.clock) for one in settings.rollouts
        }

    def __getitem__(self, stack: str) -> RoomMember:
        return next(member for one, member in self.by_rollout.items() if one.stack == stack)

    def fleet(self) -> Fleet:
        """A new process: it knows nothing but files."""
        return Fleet(self.settings, self.by_rollout, self.clock)

    def until(self, wanted: Callable[[FleetView], bool]) -> None:
        """One pass after another, each in a new process, until something is so."""
        for _ in range(400):
            if wanted(self.fleet().drive(seconds=1)):
                return
            self.clock.sleep(30)
        raise AssertionError("not reached in 400 passes")

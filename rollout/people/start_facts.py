"""What the start of a rollout depends on, as plain values: the place, the declaration, Azure, the records.

Pure. `start.py` decides on it; the caller fills it in from Azure, the stack file, the model files and the records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from endpoint_state import LiveEndpoint, Provenance
from rollout.evidence.intervals import Counts
from rollout.record.event import Event, Kind
from rollout.split import Split
from rollout_config import PlanSettings
from stack_config import Limits


@dataclass(frozen=True, kw_only=True)
class Colour:
    """A deployment as the stack file and the model files declare it.

    `release` is what its `sluice:release` tag has to say; `content` is the digest of the same without what stacks set.
    """

    release: str
    content: str
    instances: int = 1
    idle_instances: int | None = None
    """Its lower minimum at 0 percent, if it has one."""
    provenance: Provenance = field(default_factory=Provenance)


@dataclass(frozen=True, kw_only=True)
class PastRollout:
    """What an earlier record of this endpoint says. `outcome` is None while that rollout runs."""

    id: str
    colour: str
    contents: Mapping[str, str]
    outcome: str | None = None
    raised: str | None = None
    """The colour whose floor it raised and has not given back."""

    @classmethod
    def of(cls, events: Sequence[Event]) -> PastRollout | None:
        """The summary of a record; None if its first event is lost, or was edited."""
        started = next((event.data for event in events if event.kind is Kind.STARTED), None)
        if started is None or started["colour"] not in started["colours"]:
            return None
        floors = [event for event in events if event.kind in (Kind.RESERVING, Kind.RESERVED, Kind.RETURNED)]
        raised = bool(floors) and floors[-1].kind is not Kind.RETURNED and bool(floors[-1].data.get("now"))
        ended = [event.data for event in events if event.kind is Kind.ENDED]
        return cls(
            id=str(started["id"]),
            colour=str(started["colour"]),
            contents={name: str(colour["content"]) for name, colour in started["colours"].items()},
            outcome=str(ended[-1]["outcome"]) if ended else None,
            raised=str(floors[-1].data["deployment"]) if raised else None,
        )

    @property
    def content(self) -> str:
        """The content digest of the colour that was rolled out."""
        return self.contents[self.colour]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the endpoint is, as the record names it."""

    project: str
    stack: str
    endpoint: str
    workspace: str
    subscription: str
    arm_host: str
    endpoint_id: str
    """Its ARM id."""

    def as_values(self) -> dict[str, str]:
        """The part of `started` that says where."""
        return {
            "project": self.project,
            "stack": self.stack,
            "endpoint": self.endpoint,
            "workspace": self.workspace,
            "subscription": self.subscription,
            "arm_host": self.arm_host,
            "endpoint_id": self.endpoint_id,
        }


@dataclass(frozen=True, kw_only=True)
class StartFacts:
    """Everything that a start depends on.

    `declared` and `stable` are those of the stack file; `colours` are its deployments; `live` is the endpoint in Azure,
    None if it does not exist; `past` are the records of this endpoint, oldest first; `broken` names those that cannot
    be read; `last_hour` has the requests of each colour in the last 60 minutes; `pending` are the changes that the
    preview shows; `unfit` are the reasons of the plan's lint.
    """

    place: Place
    plan: PlanSettings | None
    declared: Split
    stable: str | None
    colours: Mapping[str, Colour]
    live: LiveEndpoint | None
    limits: Limits
    past: Sequence[PastRollout] = ()
    broken: Sequence[str] = ()
    last_hour: Mapping[str, Counts] = field(default_factory=dict)
    pending: Sequence[str] = ()
    unfit: Sequence[str] = ()

    @property
    def running(self) -> PastRollout | None:
        """The rollout of this endpoint that has not ended."""
        return next((rollout for rollout in reversed(self.past) if rollout.outcome is None), None)

    @property
    def stack_file(self) -> str:
        """The name of the stack file."""
        return f"Pulumi.{self.place.stack}.yaml"

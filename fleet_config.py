"""The models of a fleet file: waves of rollouts over endpoints and stacks, in their order. Imports no Pulumi.

What the waves mean, `rollout/fleet/` knows; `config_schema.py` makes the JSON Schema for editors of it.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator
from pydantic_core import PydanticCustomError

from config_values import Duration, Key, Name, Section, StackName, seconds_of

WaveName = Annotated[str, StringConstraints(pattern=r"^\S(.*\S)?$", max_length=40)]


class FleetRollout(Section):
    """One rollout of a wave: one endpoint of one stack."""

    endpoint: Key
    """Key of the endpoint in the stack file."""
    stack: StackName
    """Name of the stack, whose file is Pulumi.<stack>.yaml."""
    to: Name | None = None
    """The colour to roll out. Default: the one new colour at 0 %, or the one with the release of the first wave."""

    def __str__(self) -> str:
        return f"{self.endpoint} in {self.stack}"


class Wave(Section):
    """Rollouts that run side by side. The next wave begins when all of them are done."""

    name: WaveName
    """For people, such as pilot or europe."""
    rollouts: Annotated[tuple[FleetRollout, ...], Field(min_length=1)]
    """At least one; each goes by the plan of its own stack file."""
    bake: Duration | None = None
    """How long the next wave waits after the last rollout of this one is done. A rollback in this time stops it."""

    @property
    def bake_seconds(self) -> int:
        """How long the next wave waits."""
        return seconds_of(self.bake) if self.bake is not None else 0


class FleetSettings(Section):
    """A whole fleet file."""

    waves: Annotated[tuple[Wave, ...], Field(min_length=1)]
    """The waves, in their order."""

    @field_validator("waves")
    @classmethod
    def _each_once(cls, value: tuple[Wave, ...]) -> tuple[Wave, ...]:
        names = Counter(wave.name for wave in value)
        places = Counter(str(rollout) for wave in value for rollout in wave.rollouts)
        if twice := [name for counted in (names, places) for name, count in counted.items() if count > 1]:
            raise PydanticCustomError(
                "fleet_twice",
                "must name each wave and each endpoint of a stack once, got {twice} more than once",
                {"twice": ", ".join(twice)},
            )
        return value

    @property
    def rollouts(self) -> tuple[FleetRollout, ...]:
        """All rollouts, in the order of their waves."""
        return tuple(rollout for wave in self.waves for rollout in wave.rollouts)

"""How far a fleet is: derived from the records of its rollouts and from what the stack files declare. Pure.

The release that a wave rolls out is that of the first wave with the same endpoint. So what the first wave has proven is
what the later ones get, and a rollout of an earlier release says nothing about this one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from fleet_config import FleetRollout, FleetSettings, Wave
from rollout.decision.open_change import MOST_ATTEMPTS
from rollout.decision.order import Outcome
from rollout.record.state import RolloutState
from rollout.split import Split

DIGITS = 12
"""Of a digest, for people."""


class Progress(StrEnum):
    """How far one rollout of a wave is."""

    WAITING = "waiting"
    """It has not started, and it can."""
    BLOCKED = "blocked"
    """It has not started, and something is in its way."""
    UNDER_WAY = "under_way"
    DONE = "done"
    FAILED = "failed"
    """Rolled back, aborted or superseded."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one endpoint of a stack has: `contents` are the content digests of its declared colours.

    `rollouts` are the states of its records, oldest first; `problem` says why nothing else could be read.
    """

    declared: Split = field(default_factory=Split)
    contents: Mapping[str, str] = field(default_factory=dict)
    rollouts: Sequence[RolloutState] = ()
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where one rollout of a wave stands. `content` is the digest of what it rolls out, None if that is not known."""

    rollout: FleetRollout
    progress: Progress
    why: str
    content: str | None = None
    colour: str | None = None
    """The colour to start, for WAITING."""
    state: RolloutState | None = None
    """Of its last record, if that is about the same release."""

    @property
    def owes_a_floor(self) -> bool:
        """Whether it has ended, and has yet to give back the stable colour's floor; it is tried three times."""
        state = self.state
        return state is not None and state.reserved is not None and state.reserve_failures < MOST_ATTEMPTS

    @property
    def ended_at(self) -> int:
        """When it was done, in seconds since 1970; 0 if no rollout was needed."""
        return self.state.ended.at if self.state is not None and self.state.ended is not None else 0


@dataclass(frozen=True, kw_only=True)
class WaveState:
    """One wave and the rollouts in it."""

    wave: Wave
    standings: tuple[Standing, ...]

    @property
    def is_done(self) -> bool:
        """Whether each rollout is done; the bake may not be over."""
        return all(one.progress is Progress.DONE for one in self.standings)

    @property
    def baked_at(self) -> int:
        """When the next wave may begin, if this one is done."""
        return max(one.ended_at for one in self.standings) + self.wave.bake_seconds


@dataclass(frozen=True, kw_only=True)
class FleetState:
    """All waves."""

    waves: tuple[WaveState, ...]

    @property
    def standings(self) -> tuple[Standing, ...]:
        """Of all rollouts, in the order of their waves."""
        return tuple(one for wave in self.waves for one in wave.standings)

    @property
    def failed(self) -> tuple[Standing, ...]:
        """The rollouts that have failed; while there are any, none starts."""
        return tuple(one for one in self.standings if one.progress is Progress.FAILED)

    def current(self, now: int) -> int:
        """Index of the wave that is under way or bakes; the number of waves when everything is over."""
        for index, one in enumerate(self.waves):
            last = index == len(self.waves) - 1
            if not one.is_done or (not last and now < one.baked_at):
                return index
        return len(self.waves)

    def is_over(self, now: int) -> bool:
        """Whether every wave is done. The bake of the last one holds nothing up."""
        return self.current(now) == len(self.waves)

    def to_start(self, now: int) -> tuple[Standing, ...]:
        """The rollouts that may start now."""
        index = self.current(now)
        if self.failed or index == len(self.waves):
            return ()
        return tuple(one for one in self.waves[index].standings if one.progress is Progress.WAITING)

    @property
    def under_way(self) -> tuple[Standing, ...]:
        """The rollouts that have not ended; a failure elsewhere does not stop them."""
        return tuple(one for one in self.standings if one.progress is Progress.UNDER_WAY)

    @property
    def to_tick(self) -> tuple[Standing, ...]:
        """The rollouts that a tick takes on: those under way, and those that have a floor to give back."""
        return tuple(one for one in self.standings if one.progress is Progress.UNDER_WAY or one.owes_a_floor)

    def blocked(self, now: int) -> tuple[Standing, ...]:
        """What stands in the way of the present wave."""
        index = self.current(now)
        waves = self.waves[index : index + 1]
        return tuple(one for wave in waves for one in wave.standings if one.progress is Progress.BLOCKED)

    def bakes_until(self, now: int) -> int | None:
        """When the bake of the present wave is over; None unless it bakes."""
        index = self.current(now)
        if self.failed or index == len(self.waves) or not self.waves[index].is_done:
            return None
        return self.waves[index].baked_at


def progress_of(settings: FleetSettings, found: Mapping[FleetRollout, Found]) -> FleetState:
    """The state of a fleet; `found` has an entry for each of its rollouts."""
    leaders: dict[str, Standing] = {}
    waves = []
    for wave in settings.waves:
        standings = tuple(standing_of(one, found[one], leaders.get(one.endpoint)) for one in wave.rollouts)
        for one in standings:
            leaders.setdefault(one.rollout.endpoint, one)
        waves.append(WaveState(wave=wave, standings=standings))
    return FleetState(waves=tuple(waves))


def standing_of(rollout: FleetRollout, found: Found, leader: Standing | None) -> Standing:
    """Where a rollout stands; `leader` is the one of the same endpoint in an earlier wave, None if it is the first."""
    last = found.rollouts[-1] if found.rollouts else None
    if found.problem is not None and (last is None or last.is_over):
        return Standing(rollout=rollout, progress=Progress.BLOCKED, why=found.problem)
    if leader is None:
        return _first(rollout, found, last)
    if leader.content is None:
        why = f"what to roll out is not known before {leader.rollout} is"
        return Standing(rollout=rollout, progress=Progress.BLOCKED, why=why)
    return _following(rollout, found, last, leader, leader.content)


def _first(rollout: FleetRollout, found: Found, last: RolloutState | None) -> Standing:
    """The release is the one under way, the one that is named, the one new one, or that of the last rollout."""
    if last is not None and not last.is_over:
        return _recorded(rollout, last)
    if rollout.to is not None:
        content = found.contents.get(rollout.to)
        if content is None:
            return _blocked(rollout, f"its stack file declares no colour {rollout.to}; declared: {_names(found)}")
        return _standing(rollout, found, last, content, [rollout.to])
    seen = {content for state in found.rollouts for content in state.contents.values()}
    new = [name for name in _idle(found) if found.contents[name] not in seen]
    if len(new) > 1:
        return _blocked(
            rollout, f"several colours at 0 % are new: {', '.join(sorted(new))}. Choose one: `to: {new[0]}`"
        )
    if new:
        return _waiting(rollout, new[0], found.contents[new[0]])
    if last is not None:
        return _recorded(rollout, last)
    return _blocked(rollout, "no colour at 0 % is new. Add the new version as another deployment and run `pulumi up`")


def _following(
    rollout: FleetRollout, found: Found, last: RolloutState | None, leader: Standing, content: str
) -> Standing:
    """The release is that of the first wave with this endpoint."""
    if last is not None and not last.is_over and last.contents[last.colour] != content:
        why = (
            f"{last.id} is under way with another release than {leader.rollout} has. Finish it with `sluice rollout "
            f"run {last.endpoint} --stack {last.stack}`, or take it back with `sluice rollout rollback`"
        )
        return _blocked(rollout, why, content)
    have = [name for name in found.contents if found.contents[name] == content]
    if rollout.to is not None and found.contents.get(rollout.to) != content:
        have = []
    return _standing(rollout, found, last, content, [rollout.to] if rollout.to in have else sorted(have))


def _standing(
    rollout: FleetRollout, found: Found, last: RolloutState | None, content: str, have: Sequence[str]
) -> Standing:
    """Where a rollout of `content` stands; the colours `have` it."""
    if last is not None and (not last.is_over or last.contents[last.colour] == content):
        return _recorded(rollout, last)
    for name in have:
        if found.declared.percent_of(name) == 100:
            why = f"{name} serves this release already"
            return Standing(rollout=rollout, progress=Progress.DONE, why=why, content=content)
        if not found.declared.carries(name):
            return _waiting(rollout, name, content)
    where = f"Deploy it there first: `pulumi up --stack {rollout.stack}`"
    if have:
        split = found.declared.describe()
        return _blocked(rollout, f"{have[0]} has this release and is not at 0 % ({split})", content)
    named = f"{rollout.to} has not" if rollout.to is not None else "no colour has"
    return _blocked(rollout, f"{named} the release {content[:DIGITS]} of the first wave. {where}", content)


def _recorded(rollout: FleetRollout, state: RolloutState) -> Standing:
    """Where the last record says that it stands."""
    ended = state.ended
    if ended is None or not state.is_over:
        progress, why = Progress.UNDER_WAY, state.id
    elif ended.outcome is Outcome.DONE:
        progress, why = Progress.DONE, f"{state.colour} is stable"
    else:
        progress, why = Progress.FAILED, f"{ended.outcome.replace('_', ' ')}: {ended.reason}"
    return Standing(rollout=rollout, progress=progress, why=why, content=state.contents[state.colour], state=state)


def _waiting(rollout: FleetRollout, colour: str, content: str) -> Standing:
    why = f"{colour} is ready at 0 %"
    return Standing(rollout=rollout, progress=Progress.WAITING, why=why, content=content, colour=colour)


def _blocked(rollout: FleetRollout, why: str, content: str | None = None) -> Standing:
    return Standing(rollout=rollout, progress=Progress.BLOCKED, why=why, content=content)


def _idle(found: Found) -> Iterator[str]:
    yield from (name for name in found.contents if not found.declared.carries(name))


def _names(found: Found) -> str:
    return ", ".join(sorted(found.contents)) or "none"

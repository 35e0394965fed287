"""The rollouts of a fleet, each on its endpoint (`fleet.runner.Member`), as one command works on them."""

from __future__ import annotations

from typing import Protocol

from command_errors import CommandError, UsageError
from fleet_config import FleetRollout, FleetSettings
from rollout.fleet.progress import Found
from rollout.record.journal import Journal
from rollout.session.beginning import begin
from rollout.session.finding import site_at
from rollout.session.session import Session
from rollout.session.site import Site
from rollout.session.ticks import Screen, Ticker
from rollout.tick.controller import Tick
from stacks.file import file_among_stacks


class Wall(Protocol):
    """Where several rollouts are shown."""

    def part(self, name: str) -> Screen:
        """The screen of one of them."""


def members_of(
    session: Session, settings: FleetSettings, wall: Wall, *, until: int | None = None
) -> dict[FleetRollout, SiteMember]:
    """The endpoint of each rollout. Raises UsageError with all of them that cannot be found.

    `until`: no change but a way back begins after that time (seconds since 1970).
    """
    from settings import SettingsError

    several = len({rollout.stack for rollout in settings.rollouts}) > 1
    members, problems = {}, []
    for rollout in settings.rollouts:
        file = file_among_stacks(rollout.stack) if several else None
        try:
            site = site_at(session, rollout.stack, rollout.endpoint, file)
        except (CommandError, SettingsError) as error:
            problems.append(str(error))
        else:
            members[rollout] = SiteMember(site, wall.part(f"{site.key} · {site.stack}"), until)
    if problems:
        raise UsageError("\n".join(["the fleet cannot start:", *dict.fromkeys(problems)]))
    return members


class SiteMember:
    """`runner.Member` on one endpoint."""

    def __init__(self, site: Site, screen: Screen, until: int | None = None) -> None:
        self._site = site
        self._screen = screen
        self._until = until
        self._ticker: Ticker | None = None

    def find(self, *, synced: bool = False) -> Found:
        """Its records and what its stack file declares."""
        site = self._site
        if synced and site.session.push:  # the record that is to come has no name yet
            site.repository(site.folder / "next.jsonl").sync()
        rollouts = [Journal(chain, site.session.clock).state for chain in site.chains()]
        try:
            contents = {name: colour.content for name, colour in site.colours().items()}
            return Found(declared=site.declared.read().split, contents=contents, rollouts=rollouts)
        except CommandError as error:
            return Found(rollouts=rollouts, problem=str(error))

    def start(self, colour: str) -> None:
        """Start the rollout of a colour."""
        journal = begin(self._site, to=colour, again=False)
        self._screen.line(f"started {journal.state.id}: {journal.chain.path}")

    def tick(self) -> Tick:
        """One tick of the last rollout."""
        if self._ticker is None:
            self._ticker = Ticker(self._site, self._screen, until=self._until)
        return self._ticker.tick()

    def leave(self) -> None:
        """Push what the ticks wrote, and end the load."""
        if self._ticker is not None:
            self._ticker.leave()
            self._ticker.close()

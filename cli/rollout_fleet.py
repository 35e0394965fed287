"""`sluice rollout fleet`: waves of rollouts over endpoints and stacks. `rollout/fleet/` decides what runs when."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from cli.rollout_screen import Screen, standard_screen
from cli.rollout_site import Site, SystemClock, site_at
from cli.rollout_start import begin, declared_colours
from cli.rollout_ticks import Ticker
from command_errors import CommandError, UsageError
from fleet_config import FleetRollout, FleetSettings
from rollout.fleet.file import read_fleet
from rollout.fleet.progress import Found
from rollout.fleet.runner import Fleet, FleetView
from rollout.record.journal import Journal
from rollout.tick.controller import Tick
from rollout.views.fleet_view import fleet_picture, fleet_values
from rollout.views.view import plain
from stacks.file import file_among_stacks


def run_fleet(options: argparse.Namespace) -> int:
    """Run `sluice rollout fleet`."""
    file = Path(options.file)
    settings = read_fleet(file)
    sites = _sites(settings)
    clock = SystemClock()
    with standard_screen(json=options.json, live=not options.status) as screen:
        members = {rollout: SiteMember(site, clock, options, screen) for rollout, site in sites.items()}
        fleet = Fleet(settings, members, clock)
        if options.status:
            view = fleet.look()
        else:
            view = fleet.drive(seconds=options.seconds, watch=lambda view: screen.draw(fleet_picture(view, file.name)))
    _conclude(view, file, options)
    return view.exit_code


def _conclude(view: FleetView, file: Path, options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(fleet_values(view, file.name), indent=2))
    else:
        print(plain(fleet_picture(view, file.name)))


def _sites(settings: FleetSettings) -> dict[FleetRollout, Site]:
    """The endpoint of each rollout. Raises UsageError with all of them that cannot be found."""
    from settings import SettingsError

    several = len({rollout.stack for rollout in settings.rollouts}) > 1
    sites, problems = {}, []
    for rollout in settings.rollouts:
        file = file_among_stacks(rollout.stack) if several else None
        try:
            sites[rollout] = site_at(rollout.stack, rollout.endpoint, file)
        except (CommandError, SettingsError) as error:
            problems.append(str(error))
    if problems:
        raise UsageError("\n".join(["the fleet cannot start:", *dict.fromkeys(problems)]))
    return sites


class SiteMember:
    """`runner.Member` on one endpoint."""

    def __init__(self, site: Site, clock: SystemClock, options: argparse.Namespace, screen: Screen) -> None:
        self._site = site
        self._clock = clock
        self._options = options
        self._screen = screen.prefixed(f"{site.key} · {site.stack}  ")
        self._ticker: Ticker | None = None

    def find(self, *, synced: bool = False) -> Found:
        """Its records and what its stack file declares."""
        site = self._site
        if synced and self._options.push:  # the record that is to come has no name yet
            site.repository(site.folder / "next.jsonl", self._options).sync()
        rollouts = [Journal(chain, self._clock).state for chain in site.chains()]
        try:
            contents = {name: colour.content for name, colour in declared_colours(site).items()}
            return Found(declared=site.declared.read().split, contents=contents, rollouts=rollouts)
        except CommandError as error:
            return Found(rollouts=rollouts, problem=str(error))

    def start(self, colour: str) -> None:
        """Start the rollout of a colour."""
        options = argparse.Namespace(**{**vars(self._options), "to": colour, "again": False})
        journal = begin(self._site, self._clock, options)
        self._screen.line(f"started {journal.state.id}: {journal.chain.path}")

    def tick(self) -> Tick:
        """One tick of the last rollout."""
        if self._ticker is None:
            self._ticker = Ticker(self._site, self._clock, self._options, self._screen)
        return self._ticker.tick()

    def leave(self) -> None:
        """Push what the ticks wrote, and end the load."""
        if self._ticker is not None:
            self._ticker.leave()
            self._ticker.close()

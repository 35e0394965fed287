"""`sluice rollout fleet`: waves of rollouts over endpoints and stacks. `rollout/fleet/` decides what runs when."""

from __future__ import annotations

import argparse
from pathlib import Path

from cli.rollout_screen import standard_screen
from cli.rollout_session import session_of
from cli.rollout_status import print_values
from rollout.fleet.file import read_fleet
from rollout.fleet.runner import Fleet
from rollout.session.wave import members_of
from rollout.views.fleet_view import fleet_picture, fleet_values
from rollout.views.view import plain


def run_fleet(options: argparse.Namespace) -> int:
    """Run `sluice rollout fleet`."""
    file = Path(options.file)
    settings, session = read_fleet(file), session_of(options)
    with standard_screen(json=options.json, live=not options.status) as screen:
        members = members_of(session, settings, screen, until=session.end_after(options.seconds))
        fleet = Fleet(settings, members, session.clock)
        if options.status:
            view = fleet.look()
        else:
            view = fleet.drive(seconds=options.seconds, watch=lambda view: screen.draw(fleet_picture(view, file.name)))
    if options.json:
        print_values(fleet_values(view, file.name))
    else:
        print(plain(fleet_picture(view, file.name)))
    return view.exit_code

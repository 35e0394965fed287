"""`sluice rollout run` and `step`: they let the controller tick, and end with what it came to."""

from __future__ import annotations

import argparse

from cli.rollout_screen import standard_screen
from cli.rollout_session import session_of, site_of, tell
from cli.rollout_status import conclude, print_values
from command_errors import UsageError
from project import stack_name
from rollout.fleet.runner import worst
from rollout.session.beginning import begin
from rollout.session.deeds import supersede
from rollout.session.finding import sites_of
from rollout.session.rounds import has_work, tick_in_turn
from rollout.session.site import Site
from rollout.session.ticks import Ticker, seen_of
from rollout.tick.controller import Tick
from rollout.views.next_command import next_command
from rollout.views.status_values import status_values


def run_run(options: argparse.Namespace) -> int:
    """Run `sluice rollout run`."""
    site = site_of(options)
    with standard_screen(json=options.json) as screen:
        if options.supersede:
            supersede(site, screen)
        if not site.is_under_way():
            journal = begin(site, to=options.to, again=options.again)
            screen.line(f"started {journal.state.id}: {journal.chain.path}")
        ticker = Ticker(site, screen)
        try:
            tick = ticker.drive()
        finally:
            ticker.close()
    conclude(site, ticker.journal, as_json=options.json)
    if not tick.state.is_over or tick.state.reserved is not None:
        tell(tick.text)
    return tick.exit_code


def run_step(options: argparse.Namespace) -> int:
    """Run `sluice rollout step`."""
    if options.all == (options.endpoint is not None):
        raise UsageError("name an ENDPOINT, or give --all for every endpoint of the stack; not both.")
    if options.all:
        return _step_all(options)
    site = site_of(options)
    with standard_screen(json=options.json, live=bool(options.seconds)) as screen:
        ticker = Ticker(site, screen, until=site.session.end_after(options.seconds))
        try:
            tick = ticker.drive(seconds=options.seconds or 0)
        finally:
            ticker.close()
    if options.json:
        print_values(status_values(seen_of(tick, site)))
    else:
        _tell(site, tick)
    return tick.exit_code


def _step_all(options: argparse.Namespace) -> int:
    stack, session = stack_name(options.stack), session_of(options)
    sites = [site for site in sites_of(session, stack) if has_work(site)]
    if not sites:
        tell(f"no rollout is under way in {stack}.")
    with standard_screen(json=options.json, live=False) as screen:
        ends = tick_in_turn(session, sites, screen, options.seconds or 0)
    ticks = [(site, tick) for site, (_, tick) in zip(sites, ends, strict=True) if tick is not None]
    if options.json:
        print_values([status_values(seen_of(tick, site)) for site, tick in ticks])
    else:
        for site, tick in ticks:
            _tell(site, tick)
    return worst({code for code, _ in ends})


def _tell(site: Site, tick: Tick) -> None:
    print(f"{site.key}: {tick.text}")
    command = next_command(tick.state)
    if command is not None:
        tell(f"next: {command}")

"""`sluice rollout run` and `step`: they let the controller tick, and end with what it came to."""

from __future__ import annotations

import argparse
import json
from contextlib import closing

from cli.rollout_people import supersede
from cli.rollout_rounds import Rounds, has_work
from cli.rollout_screen import Screen, standard_screen
from cli.rollout_site import Site, SystemClock, site_of, sites_of, tell
from cli.rollout_start import begin
from cli.rollout_status import conclude
from cli.rollout_ticks import Ticker, seen_of
from command_errors import UsageError
from exit_codes import ExitCode
from project import stack_name
from rollout.fleet.runner import worst
from rollout.tick.controller import Tick
from rollout.tick.runner import interrupts, slept
from rollout.views.next_command import next_command
from rollout.views.status_values import status_values


def run_run(options: argparse.Namespace) -> int:
    """Run `sluice rollout run`."""
    site, clock = site_of(options), SystemClock()
    if options.supersede:
        supersede(site, clock, options)
    with standard_screen(json=options.json) as screen:
        if not site.is_under_way(clock):
            journal = begin(site, clock, options)
            screen.line(f"started {journal.state.id}: {journal.chain.path}")
        ticker = Ticker(site, clock, options, screen)
        try:
            tick = ticker.drive()
        finally:
            ticker.close()
    conclude(site, ticker.journal, clock, options)
    if not tick.state.is_over or tick.state.reserved is not None:
        tell(tick.text)
    return tick.exit_code


def run_step(options: argparse.Namespace) -> int:
    """Run `sluice rollout step`."""
    if options.all == (options.endpoint is not None):
        raise UsageError("name an ENDPOINT, or give --all for every endpoint of the stack; not both.")
    clock = SystemClock()
    if options.all:
        return _step_all(options, clock)
    site = site_of(options)
    with standard_screen(json=options.json, live=bool(options.seconds)) as screen:
        ticker = Ticker(site, clock, options, screen)
        try:
            tick = ticker.drive(seconds=options.seconds or 0)
        finally:
            ticker.close()
    if options.json:
        print(json.dumps(status_values(seen_of(tick, site)), indent=2))
    else:
        _tell(site, tick)
    return tick.exit_code


def _step_all(options: argparse.Namespace, clock: SystemClock) -> int:
    sites = [site for site in sites_of(stack_name(options.stack)) if has_work(site, clock)]
    if not sites:
        tell(f"no rollout is under way in {stack_name(options.stack)}.")
    until = clock.now() + (options.seconds or 0)
    with standard_screen(json=options.json, live=False) as screen:
        ends = _tick_in_turn(sites, clock, options, screen, until)
    ticks = [(site, tick) for site, (_, tick) in zip(sites, ends, strict=True) if tick is not None]
    if options.json:
        print(json.dumps([status_values(seen_of(tick, site)) for site, tick in ticks], indent=2))
    else:
        for site, tick in ticks:
            _tell(site, tick)
    return worst({code for code, _ in ends})


def _tick_in_turn(
    sites: list[Site], clock: SystemClock, options: argparse.Namespace, screen: Screen, until: int
) -> list[tuple[ExitCode, Tick | None]]:
    """Tick each endpoint in turn, until none has anything to do or the time is over.

    Ctrl-C ends it after the tick that runs.
    """
    rounds = Rounds(clock, options, screen)
    with closing(rounds), interrupts() as asked:
        while sites:
            pause = rounds.tick(sites)
            if pause is None or asked.set or clock.now() + pause >= until or not slept(clock, pause, asked):
                break
    return [rounds.ends[site.key] for site in sites]


def _tell(site: Site, tick: Tick) -> None:
    print(f"{site.key}: {tick.text}")
    command = next_command(tick.state)
    if command is not None:
        tell(f"next: {command}")

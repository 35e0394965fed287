"""`sluice rollout status`, `watch` and `history`: they read and print, and change nothing."""

from __future__ import annotations

import argparse
import contextlib
import json

from cli.rollout_screen import standard_screen
from cli.rollout_session import site_to_look_at_of
from exit_codes import ExitCode
from rollout.errors import BrokenRecord
from rollout.record.journal import Journal
from rollout.record.state import RolloutState
from rollout.report.summary import sentence
from rollout.session.looking import look
from rollout.session.site import Site
from rollout.tick.controller import exit_code_of
from rollout.tick.runner import LEAST_PAUSE_SECONDS, MOST_PAUSE_SECONDS
from rollout.views.event_lines import line_of
from rollout.views.status_values import status_values, summary_values
from rollout.views.view import duration, picture, plain, requests_of


def run_status(options: argparse.Namespace) -> int:
    """Run `sluice rollout status`."""
    site = site_to_look_at_of(options)
    journal = site.last_journal()
    conclude(site, journal, as_json=options.json)
    return exit_code_of(journal.state)


def run_watch(options: argparse.Namespace) -> int:
    """Run `sluice rollout watch`; Ctrl-C ends it."""
    site = site_to_look_at_of(options)
    journal = site.last_journal()
    with standard_screen(json=options.json) as screen, contextlib.suppress(KeyboardInterrupt):
        told, seen = 0, look(site, journal)
        while True:
            for event in journal.chain.events[told:]:
                if (line := line_of(event)) is not None:
                    screen.line(line)
            told = len(journal.chain.events)
            seen = look(site, journal)
            screen.show(seen)
            if journal.state.is_over:
                break
            pause = min(max(journal.state.grain_seconds, LEAST_PAUSE_SECONDS), MOST_PAUSE_SECONDS)
            site.session.clock.sleep(pause)
            journal.refresh()
    if options.json:
        print(json.dumps(status_values(seen), indent=2))
    return exit_code_of(journal.state)


def run_history(options: argparse.Namespace) -> int:
    """Run `sluice rollout history`."""
    site = site_to_look_at_of(options)
    clock = site.session.clock
    values, lines = [], []
    for chain in site.chains():
        try:
            state = Journal(chain, clock).state
        except BrokenRecord as error:
            values.append({"id": chain.path.stem, "broken": str(error)})
            lines.append(f"{chain.path.stem}  {error}")
        else:
            values.append(summary_values(state))
            lines.append(_history_line(state, clock.now()))
    if options.json:
        print(json.dumps(values, indent=2))
    else:
        print("\n".join(reversed(lines)) or f"{site.key} has had no rollout in {site.stack}.")
    return ExitCode.DONE


def conclude(site: Site, journal: Journal, *, as_json: bool) -> None:
    """Print where a rollout stands now, and, if it is over or on its way back, what became of it in one sentence."""
    seen = look(site, journal)
    if as_json:
        print_values(status_values(seen))
        return
    print(plain(picture(seen)))
    if journal.unwritten is None and (journal.state.is_over or journal.state.back is not None):
        print(sentence(journal.state))


def print_values(values: object) -> None:
    """Print facts for scripts."""
    print(json.dumps(values, indent=2))


def _history_line(state: RolloutState, now: int) -> str:
    ended = state.ended
    took = duration((ended.at if ended else now) - state.started_at)
    how = f"{ended.outcome.replace('_', ' ')}: {ended.reason}" if ended else f"under way for {took}"
    counts = requests_of(state)
    exposed = f"{counts.requests} requests, {counts.errors} failed" if counts.requests else "no requests"
    return f"{state.id}  {state.stable} → {state.colour}  {took:>6}  {exposed}  by {state.started_by}  {how}"

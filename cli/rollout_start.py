"""`sluice rollout start`: begins a rollout. `rollout/session/beginning.py` gathers what a start depends on."""

from __future__ import annotations

import argparse

from cli.rollout_screen import standard_screen
from cli.rollout_session import site_of
from cli.rollout_status import print_values
from exit_codes import ExitCode
from rollout.session.beginning import begin
from rollout.session.deeds import supersede


def run_start(options: argparse.Namespace) -> int:
    """Run `sluice rollout start`."""
    site = site_of(options)
    if options.supersede:
        with standard_screen(json=options.json) as screen:
            supersede(site, screen)
    journal = begin(site, to=options.to, again=options.again)
    state = journal.state
    if options.json:
        print_values({"rollout": state.id, "colour": state.colour, "record": str(journal.chain.path)})
    else:
        print(f"started {state.id}. Next: sluice rollout run {site.place}")
    return ExitCode.DONE

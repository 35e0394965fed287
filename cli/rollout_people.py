"""`sluice rollout pause|resume|approve|reject|promote|rollback|abort`: what people say to a rollout.

`rollout/people/requests.py` decides what may be said, `rollout/session/deeds.py` brings it into the record.
"""

from __future__ import annotations

import argparse
import os

from cli.rollout_screen import standard_screen
from cli.rollout_session import session_of, site_of, tell
from cli.rollout_status import conclude, print_values
from exit_codes import ExitCode
from project import project_root, stack_name
from rollout.decision.order import Outcome
from rollout.people import requests
from rollout.people.actor import Actor, approver
from rollout.record.state import RolloutState
from rollout.session.by_hand import set_weights
from rollout.session.deeds import Speak, actor, found_in_azure, go_back, record_deed
from rollout.session.finding import site_to_go_back
from rollout.session.site import Site
from rollout.split import Split


def run_pause(options: argparse.Namespace) -> int:
    """Run `sluice rollout pause`."""
    return _say(options, lambda state: requests.pause(state, actor(), options.reason))


def run_resume(options: argparse.Namespace) -> int:
    """Run `sluice rollout resume`."""
    site = site_of(options)
    live, colours = found_in_azure(site) if options.drift == "adopt" else (None, None)
    plan = site.declared.read().plan if options.drift == "replan" else None
    return _say(
        options,
        lambda state: requests.resume(
            state, actor(), options.reason, drift=options.drift, live=live, colours=colours, plan=plan
        ),
    )


def run_approve(options: argparse.Namespace) -> int:
    """Run `sluice rollout approve`."""
    return _say(options, lambda state: requests.approve(state, _person(state, "approve"), options.reason))


def run_reject(options: argparse.Namespace) -> int:
    """Run `sluice rollout reject`."""
    return _say(options, lambda state: requests.reject(state, _person(state, "reject"), options.reason))


def run_promote(options: argparse.Namespace) -> int:
    """Run `sluice rollout promote`."""
    return _say(options, lambda state: requests.promote(state, actor(), options.reason))


def run_rollback(options: argparse.Namespace) -> int:
    """Run `sluice rollout rollback`."""
    if options.to is not None:
        return _set_by_hand(options)
    return _come_back(options, Outcome.ROLLED_BACK)


def run_abort(options: argparse.Namespace) -> int:
    """Run `sluice rollout abort`."""
    return _come_back(options, Outcome.ABORTED, keep_weights=options.keep_weights)


def _come_back(options: argparse.Namespace, outcome: Outcome, *, keep_weights: bool = False) -> int:
    site = _site_to_go_back(options)
    with standard_screen(json=options.json) as screen:
        tick, journal = go_back(site, screen, outcome, reason=options.reason, keep_weights=keep_weights)
    conclude(site, journal, as_json=options.json)
    if journal.unwritten is not None or tick.state.reserved is not None or not tick.state.is_over:
        tell(tick.text)
    # It ended as asked, so it is no failure of this command.
    return ExitCode.DONE if tick.state.is_over else tick.exit_code


def _set_by_hand(options: argparse.Namespace) -> int:
    site = _site_to_go_back(options)
    done = set_weights(site, Split(traffic=options.to), options.reason)
    said, file = done.split.describe(), site.stack_file.name
    if options.json:
        print_values({"endpoint": site.key, "weights": done.split.as_values(), "left": done.left})
    elif done.left is None:
        print(f"{site.key} has {said} in Azure and in {file}.")
    else:
        print(
            f"{site.key} has {said} in Azure; {file} and Pulumi's state do not say so yet. {done.left} Then declare "
            f"these weights there and run `pulumi up --refresh --stack {site.stack}`."
        )
    if done.record is not None:
        tell(f"the record {done.record} does not know it: restore it from the repository, or move it away.")
    return ExitCode.DONE


def _site_to_go_back(options: argparse.Namespace) -> Site:
    return site_to_go_back(session_of(options), stack_name(options.stack), options.endpoint)


def _person(state: RolloutState, verb: str) -> Actor:
    return approver(os.environ, project_root(), started_by=state.started_by, verb=verb)


def _say(options: argparse.Namespace, speak: Speak) -> int:
    site = site_of(options)
    journal = site.last_journal()
    told = record_deed(site, speak, journal)
    if options.json:
        print_values({"rollout": journal.state.id, "recorded": told is not None, "told": told})
    else:
        print(told or f"{journal.state.id}: that has been said already; nothing to do.")
    return ExitCode.DONE

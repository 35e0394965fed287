"""`sluice rollout pause|resume|approve|reject|promote|rollback|abort`: what people say to a rollout.

`rollout/people/requests.py` decides what may be said; the event goes into the record and, with
--push, to the branch. Only `rollback` and `abort` also tick, until the weights are back.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from cli.rollout_screen import Screen, standard_screen
from cli.rollout_site import Site, SystemClock, site_of, site_to_go_back, tell
from cli.rollout_status import conclude
from cli.rollout_ticks import SpokenJournal, Ticker
from command_errors import CommandError
from exit_codes import ExitCode
from project import project_root
from rollout.decision.order import Outcome
from rollout.errors import Overtaken
from rollout.people import requests
from rollout.people.actor import Actor, actor_of, approver
from rollout.ports import Message
from rollout.record.lock import endpoint_lock
from rollout.record.state import RolloutState
from rollout.split import Split
from rollout.tick.controller import Tick

if TYPE_CHECKING:
    from rollout.people.requests import Deed
    from rollout.ports import Repository
    from rollout.record.journal import Journal

ATTEMPTS = 5
"""How often an event is appended again after what other runners have pushed."""

Speak = Callable[[RolloutState], "Deed | None"]


def run_pause(options: argparse.Namespace) -> int:
    """Run `sluice rollout pause`."""
    return _say(options, lambda state: requests.pause(state, _actor(), options.reason))


def run_resume(options: argparse.Namespace) -> int:
    """Run `sluice rollout resume`."""
    site = site_of(options)
    live, colours = _found(site) if options.drift == "adopt" else (None, None)
    plan = site.declared.read().plan if options.drift == "replan" else None
    return _say(
        options,
        lambda state: requests.resume(
            state, _actor(), options.reason, drift=options.drift, live=live, colours=colours, plan=plan
        ),
    )


def _found(site: Site) -> tuple[Split | None, dict[str, dict[str, str | None]]]:
    """What Azure has: the split, and each colour's release, with its content where that release is declared."""
    from cli.rollout_start import declared_colours

    endpoint = site.azure.endpoint()
    if endpoint is None:
        return None, {}
    declared = declared_colours(site)
    colours = {
        name: {
            "release": live.release,
            "content": declared[name].content if name in declared and declared[name].release == live.release else None,
        }
        for name, live in endpoint.deployments.items()
    }
    return Split(traffic=endpoint.traffic, mirror=endpoint.mirror), colours


def run_approve(options: argparse.Namespace) -> int:
    """Run `sluice rollout approve`."""
    return _say(options, lambda state: requests.approve(state, _person(state, "approve"), options.reason))


def run_reject(options: argparse.Namespace) -> int:
    """Run `sluice rollout reject`."""
    return _say(options, lambda state: requests.reject(state, _person(state, "reject"), options.reason))


def run_promote(options: argparse.Namespace) -> int:
    """Run `sluice rollout promote`."""
    return _say(options, lambda state: requests.promote(state, _actor(), options.reason))


def run_rollback(options: argparse.Namespace) -> int:
    """Run `sluice rollout rollback`."""
    if options.to is not None:
        from cli.rollout_by_hand import set_weights

        return set_weights(site_to_go_back(options), options)
    return _come_back(options, Outcome.ROLLED_BACK)


def run_abort(options: argparse.Namespace) -> int:
    """Run `sluice rollout abort`."""
    return _come_back(options, Outcome.ABORTED, keep_weights=options.keep_weights)


def _come_back(options: argparse.Namespace, outcome: Outcome, *, keep_weights: bool = False) -> int:
    site, clock = site_to_go_back(options), SystemClock()
    with standard_screen(json=options.json) as screen:
        tick, journal = go_back(site, clock, options, screen, outcome, reason=options.reason, keep_weights=keep_weights)
    conclude(site, journal, clock, options)
    if journal.unwritten is not None or tick.state.reserved is not None or not tick.state.is_over:
        tell(tick.text)
    # It ended as asked, so it is no failure of this command.
    return ExitCode.DONE if tick.state.is_over else tick.exit_code


def supersede(site: Site, clock: SystemClock, options: argparse.Namespace) -> None:
    """Take the rollout that is under way back, if there is one, so that another one can start."""
    if site.is_under_way(clock):
        with standard_screen(json=options.json) as screen:
            reason = "another rollout is started in its place"
            go_back(site, clock, options, screen, Outcome.SUPERSEDED, reason=reason)


def go_back(
    site: Site,
    clock: SystemClock,
    options: argparse.Namespace,
    screen: Screen,
    outcome: Outcome,
    *,
    reason: str | None,
    keep_weights: bool = False,
) -> tuple[Tick, SpokenJournal]:
    """Record the decision to go back, and tick until the weights are those from before the rollout."""
    actor = _actor()

    def speak(state: RolloutState) -> Deed | None:
        return requests.roll_back(state, actor, reason, now=clock.now(), outcome=outcome, keep_weights=keep_weights)

    journal = SpokenJournal(site.last_journal(clock).chain, clock, screen)
    journal.way_back = True  # a broken record or a full disk must not be in its way
    told = record_deed(site, clock, options, speak, journal)
    screen.line(told or "the way back was decided before; going on with it")
    ticker = Ticker(site, clock, options, screen, journal)
    try:
        return ticker.drive(), journal
    finally:
        ticker.close()


def _actor() -> Actor:
    return actor_of(os.environ, project_root())


def _person(state: RolloutState, verb: str) -> Actor:
    return approver(os.environ, project_root(), started_by=state.started_by, verb=verb)


def _say(options: argparse.Namespace, speak: Speak) -> int:
    site, clock = site_of(options), SystemClock()
    journal = site.last_journal(clock)
    told = record_deed(site, clock, options, speak, journal)
    if options.json:
        print(json.dumps({"rollout": journal.state.id, "recorded": told is not None, "told": told}, indent=2))
    else:
        print(told or f"{journal.state.id}: that has been said already; nothing to do.")
    return ExitCode.DONE


def record_deed(
    site: Site, clock: SystemClock, options: argparse.Namespace, speak: Speak, journal: Journal
) -> str | None:
    """Append the event to the record, and push it; return what to tell, None if there is nothing to say.

    A push that comes second is repeated after the events of the other one. Raises Overtaken after five times.
    """
    repository = site.repository(journal.chain.path, options)
    for attempt in range(1, ATTEMPTS + 1):
        with endpoint_lock(site.folder, clock):
            journal.refresh()
            theirs = _pushed_by_others(repository, journal)
            if theirs is not None:
                journal.take_over(theirs)
            if not journal.way_back:
                journal.require_whole()
            deed = speak(journal.state)
            if deed is None:
                return None
            journal.append(deed.kind, deed.data)
            try:
                repository.publish(_message(site, journal.state, deed), patient=not journal.way_back)
            except Overtaken:
                if attempt == ATTEMPTS:
                    raise
                tell(f"another runner pushed first; appending again ({attempt} of {ATTEMPTS})")
                continue
            except CommandError as error:
                if not journal.way_back:
                    raise
                tell(f"not pushed, the way back goes on: {error}")
            return deed.told
    raise AssertionError("the last attempt returns or raises")


def _pushed_by_others(repository: Repository, journal: Journal) -> str | None:
    """The record on the remote; on the way back, a remote that does not answer is told and left aside."""
    try:
        return repository.sync()
    except CommandError as error:
        if not journal.way_back:
            raise
        tell(f"the remote was not read, the way back goes on: {error}")
        return None


def _message(site: Site, state: RolloutState, deed: Deed) -> Message:
    said = str(deed.kind).replace("_", " ")
    trailers = {"Rollout": state.id, "Actor": str(deed.data.get("by") or ""), "Run": str(deed.data.get("run") or "")}
    return Message(subject=f"rollout({site.key}): {said} in {site.stack}", trailers=trailers)

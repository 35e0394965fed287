"""`sluice rollout pause|resume|approve|reject|promote|rollback|abort`: what people say to a rollout.

`rollout/people.py` decides what may be said; the event goes into the record and, with --push, to the branch. Only
`rollback` and `abort` also tick, until the weights are back.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from cli.rollout_screen import Screen, standard_screen
from cli.rollout_site import Site, SystemClock, site_of, tell
from cli.rollout_status import conclude
from cli.rollout_ticks import Ticker
from exit_codes import ExitCode
from project import project_root
from rollout import people
from rollout.actor import Actor, actor_of, approver
from rollout.controller import Tick
from rollout.errors import Overtaken
from rollout.order import Outcome
from rollout.ports import Message
from rollout.record.lock import endpoint_lock
from rollout.record.state import RolloutState
from rollout.split import Split

if TYPE_CHECKING:
    from rollout.people import Deed

ATTEMPTS = 5
"""How often an event is appended again after what other runners have pushed."""

Speak = Callable[[RolloutState], "Deed | None"]


def run_pause(options: argparse.Namespace) -> int:
    """Run `sluice rollout pause`."""
    return _say(options, lambda state: people.pause(state, _actor(), options.reason))


def run_resume(options: argparse.Namespace) -> int:
    """Run `sluice rollout resume`."""
    site = site_of(options)
    live, colours = _found(site) if options.drift == "adopt" else (None, None)
    plan = site.declared.read().plan if options.drift == "replan" else None
    return _say(
        options,
        lambda state: people.resume(
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
    return _say(options, lambda state: people.approve(state, _person(state, "approve"), options.reason))


def run_reject(options: argparse.Namespace) -> int:
    """Run `sluice rollout reject`."""
    return _say(options, lambda state: people.reject(state, _person(state, "reject"), options.reason))


def run_promote(options: argparse.Namespace) -> int:
    """Run `sluice rollout promote`."""
    return _say(options, lambda state: people.promote(state, _actor(), options.reason))


def run_rollback(options: argparse.Namespace) -> int:
    """Run `sluice rollout rollback`."""
    if options.to is not None:
        from cli.rollout_by_hand import set_weights

        return set_weights(site_of(options), options)
    return _come_back(options, Outcome.ROLLED_BACK)


def run_abort(options: argparse.Namespace) -> int:
    """Run `sluice rollout abort`."""
    return _come_back(options, Outcome.ABORTED, keep_weights=options.keep_weights)


def _come_back(options: argparse.Namespace, outcome: Outcome, *, keep_weights: bool = False) -> int:
    site, clock = site_of(options), SystemClock()
    with standard_screen(json=options.json) as screen:
        tick = go_back(site, clock, options, screen, outcome, reason=options.reason, keep_weights=keep_weights)
    conclude(site, site.last_journal(clock), clock, options)
    # It ended as asked, so it is no failure of this command.
    return ExitCode.DONE if tick.state.is_over else tick.exit_code


def go_back(
    site: Site,
    clock: SystemClock,
    options: argparse.Namespace,
    screen: Screen,
    outcome: Outcome,
    *,
    reason: str | None,
    keep_weights: bool = False,
) -> Tick:
    """Record the decision to go back, and tick until the weights are those from before the rollout."""
    actor = _actor()

    def speak(state: RolloutState) -> Deed | None:
        return people.roll_back(state, actor, reason, now=clock.now(), outcome=outcome, keep_weights=keep_weights)

    _, told = record_deed(site, clock, options, speak, way_back=True)
    screen.line(told or "the way back was decided before; going on with it")
    ticker = Ticker(site, clock, options, screen)
    ticker.journal.way_back = True
    try:
        return ticker.drive()
    finally:
        ticker.close()


def _actor() -> Actor:
    return actor_of(os.environ, project_root())


def _person(state: RolloutState, verb: str) -> Actor:
    return approver(os.environ, project_root(), started_by=state.started_by, verb=verb)


def _say(options: argparse.Namespace, speak: Speak) -> int:
    site = site_of(options)
    state, told = record_deed(site, SystemClock(), options, speak)
    if options.json:
        print(json.dumps({"rollout": state.id, "recorded": told is not None, "told": told}, indent=2))
    else:
        print(told or f"{state.id}: that has been said already; nothing to do.")
    return ExitCode.DONE


def record_deed(
    site: Site, clock: SystemClock, options: argparse.Namespace, speak: Speak, *, way_back: bool = False
) -> tuple[RolloutState, str | None]:
    """Append the event to the last record of the endpoint, and push it; return the state and what to tell.

    A push that comes second is repeated after the events of the other one. Raises Overtaken after five times.
    """
    for attempt in range(1, ATTEMPTS + 1):
        with endpoint_lock(site.folder, clock):
            journal = site.last_journal(clock)
            repository = site.repository(journal.chain.path, options, way_back=way_back)
            journal.way_back = way_back
            theirs = repository.sync()
            if theirs is not None:
                journal.take_over(theirs)
            if not way_back:
                journal.require_whole()
            deed = speak(journal.state)
            if deed is None:
                return journal.state, None
            journal.append(deed.kind, deed.data)
            try:
                repository.publish(_message(site, journal.state, deed), patient=not way_back)
            except Overtaken:
                if attempt == ATTEMPTS:
                    raise
                tell(f"another runner pushed first; appending again ({attempt} of {ATTEMPTS})")
                continue
            return journal.state, deed.told
    raise AssertionError("the last attempt returns or raises")


def _message(site: Site, state: RolloutState, deed: Deed) -> Message:
    said = str(deed.kind).replace("_", " ")
    trailers = {"Rollout": state.id, "Actor": str(deed.data.get("by") or ""), "Run": str(deed.data.get("run") or "")}
    return Message(subject=f"rollout({site.key}): {said} in {site.stack}", trailers=trailers)

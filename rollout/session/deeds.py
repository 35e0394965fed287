"""What people say to a rollout, brought into its record, and on the way back also into the world.

`rollout/people/requests.py` decides what may be said. The event goes into the record and, where the command pushes, to
the branch. Only the way back also ticks, until the weights are back.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from command_errors import CommandError, UsageError
from exit_codes import ExitCode
from project import project_root
from rollout.decision.order import Outcome
from rollout.errors import BrokenRecord, Overtaken
from rollout.people import requests
from rollout.people.actor import Actor, actor_of, actor_of_way_back
from rollout.people.requests import Deed
from rollout.ports import Message, Repository
from rollout.record.chain import Chain
from rollout.record.journal import Journal
from rollout.record.lock import endpoint_lock
from rollout.record.state import RolloutState
from rollout.session.site import Site
from rollout.session.ticks import Screen, SpokenJournal, Ticker
from rollout.split import Split
from rollout.tick.controller import Tick

ATTEMPTS = 5
"""How often an event is appended again after what other runners have pushed."""

Speak = Callable[[RolloutState], "Deed | None"]
"""The event for the record, given the state; None if it has been said already."""


def actor() -> Actor:
    """Who runs this command."""
    return actor_of(os.environ, project_root())


def go_back(
    site: Site, screen: Screen, outcome: Outcome, *, reason: str | None, keep_weights: bool = False
) -> tuple[Tick, SpokenJournal]:
    """Record the decision to go back, and tick until the weights are those from before the rollout."""
    by, clock = actor_of_way_back(os.environ, project_root()), site.session.clock

    def speak(state: RolloutState) -> Deed | None:
        return requests.roll_back(state, by, reason, now=clock.now(), outcome=outcome, keep_weights=keep_weights)

    journal = SpokenJournal(site, _record_to_go_back(site), screen)
    journal.way_back = True  # a broken record or a full disk must not be in its way
    told = record_deed(site, speak, journal)
    screen.line(told or "the way back was decided before; going on with it")
    ticker = Ticker(site, screen, journal)
    try:
        return ticker.drive(), journal
    finally:
        ticker.close()


def _record_to_go_back(site: Site) -> Chain:
    """The last record. Raises UsageError with the way back that needs none."""
    by_hand = f"Name them yourself: `sluice rollout rollback {site.place} --to blue=100` (with its own colours)."
    if not site.chains():
        raise UsageError(
            f"{site.key} has had no rollout in {site.stack}, so no record says which weights it had before. {by_hand}"
        )
    try:
        return site.last_journal().chain
    except BrokenRecord as error:
        raise BrokenRecord(f"{error} Until then no record says which weights it had before. {by_hand}") from error


def supersede(site: Site, screen: Screen) -> None:
    """Take the rollout that is under way back, if there is one, so that another one can start.

    Raises CommandError if it could not be finished.
    """
    if not site.is_under_way():
        return
    tick, _ = go_back(site, screen, Outcome.SUPERSEDED, reason="another rollout is started in its place")
    if not tick.state.is_over:
        error = CommandError(f"no rollout was started, because {tick.state.id} is still on its way back. {tick.text}")
        error.exit_code = tick.exit_code or ExitCode.WAITING
        raise error


def record_deed(site: Site, speak: Speak, journal: Journal) -> str | None:
    """Append the event to the record, and push it; return what to tell, None if there is nothing to say.

    A push that comes second is repeated after the events of the other one. Raises Overtaken after five times.
    """
    repository = site.repository(journal.chain.path)
    for attempt in range(1, ATTEMPTS + 1):
        with endpoint_lock(site.folder, site.session.clock):
            journal.refresh()
            theirs = _pushed_by_others(site, repository, journal)
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
                site.session.say(f"another runner pushed first; appending again ({attempt} of {ATTEMPTS})")
                continue
            except CommandError as error:
                if not journal.way_back:
                    raise
                site.session.say(f"not pushed, the way back goes on: {error}")
            return deed.told
    raise AssertionError("the last attempt returns or raises")


def found_in_azure(site: Site) -> tuple[Split | None, dict[str, dict[str, str | None]]]:
    """What Azure has: the split, and each colour's release, with its content where that release is declared."""
    endpoint = site.azure.endpoint()
    if endpoint is None:
        return None, {}
    declared = site.colours()
    colours = {
        name: {
            "release": live.release,
            "content": declared[name].content if name in declared and declared[name].release == live.release else None,
        }
        for name, live in endpoint.deployments.items()
    }
    return Split(traffic=endpoint.traffic, mirror=endpoint.mirror), colours


def _pushed_by_others(site: Site, repository: Repository, journal: Journal) -> str | None:
    """The record on the remote; on the way back, a remote that does not answer is told and left aside."""
    try:
        return repository.sync()
    except CommandError as error:
        if not journal.way_back:
            raise
        site.session.say(f"the remote was not read, the way back goes on: {error}")
        return None


def _message(site: Site, state: RolloutState, deed: Deed) -> Message:
    said = str(deed.kind).replace("_", " ")
    trailers = {"Rollout": state.id, "Actor": str(deed.data.get("by") or ""), "Run": str(deed.data.get("run") or "")}
    return Message(subject=f"rollout({site.key}): {said} in {site.stack}", trailers=trailers)

"""`deliver.Rollouts` on the real endpoints of a stack: starts, ticks, approvals and promotions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from command_errors import expected_code
from delivery.promotion.promotion_memory import is_promoted, promoted
from delivery.run.approval_runs import waiting_step
from delivery.run.approvals import Approvals
from delivery.run.auto_start import Candidate, candidate
from delivery.run.deliver import Ticked
from exit_codes import ExitCode
from rollout.decision.acts import Wait
from rollout.decision.order import Outcome
from rollout.declaration.stack_text import WeightLines
from rollout.people.start_facts import PastRollout
from rollout.record.state import RolloutState
from rollout.session.beginning import begin
from rollout.session.deeds import record_deed
from rollout.session.finding import sites_of
from rollout.session.rounds import Rounds, has_work
from rollout.session.session import Session
from rollout.session.site import Site
from rollout.session.ticks import Screen
from rollout.tick.runner import MOST_PAUSE_SECONDS


class DeliveredRollouts:
    """The rollouts of a stack's endpoints, as its files declare them now."""

    def __init__(
        self,
        session: Session,
        stack: str,
        screen: Screen,
        *,
        approvals: Approvals | None,
        promote: Callable[[str, str], object],
        until: int | None,
    ) -> None:
        """Without `approvals`, people approve by a command.

        `promote` carries what an endpoint serves to another stack, or raises. No change but a way back begins after
        `until`.
        """
        self._stack = stack
        self._approvals = approvals
        self._promote = promote
        self._session = session
        self._rounds = Rounds(session, screen, until=until)
        self._parts: dict[str, tuple[ExitCode, str]] = {}
        """What starts, approvals and promotions came to, where they did not simply succeed."""
        self._known: list[Site] | None = None

    @property
    def _sites(self) -> list[Site]:
        if self._known is None:
            self._known = sites_of(self._session, self._stack)
        return self._known

    def reload(self) -> None:
        """Read the stack file again: the checkout has moved."""
        self._known = None
        self._rounds.close()

    def has_open_change(self) -> bool:
        """Whether a change of weights was begun and neither finished nor withdrawn."""
        states = [self._state(site) for site in self._sites]
        return any(state and (state.open_intent is not None or state.broken_glass) for state in states)

    def start_new(self) -> None:
        """Start what `plan.start: auto` asks for."""
        for site in self._sites:
            self._attempt(f"{site.key}: start", partial(self._start, site))

    def _start(self, site: Site) -> None:
        plan = site.declared.read().plan
        if plan is None or plan.start != "auto" or site.is_under_way():
            return
        declared = site.declared.read()
        found = candidate(
            declared=declared.split,
            colours=site.colours(),
            past=[past for chain in site.chains() if (past := PastRollout.of(chain.events)) is not None],
            live=site.azure.endpoint(),
        )
        if isinstance(found, Candidate):
            journal = begin(site, to=found.colour, again=False)
            self._session.say(f"{site.key}: started {journal.state.id}")
        elif found is not None:
            self._parts[f"{site.key}: start"] = (ExitCode.WAITING, f"{site.key}: no rollout was started: {found}")
            self._session.say(f"{site.key}: no rollout was started: {found}")

    def tick(self) -> Ticked:
        """What people answered before, one tick of each rollout, what follows an end."""
        sites = [site for site in self._sites if has_work(site)]
        for site in sites:
            self._attempt(f"{site.key}: review", partial(self._rejection, site))
        pause = self._rounds.tick(sites)
        for site in sites:
            self._attempt(f"{site.key}: approval", partial(self._question, site))
        for site in self._sites:
            self._attempt(f"{site.key}: promotion", partial(self._promotion, site))
        if pause is None and self.serves_canary():
            pause = MOST_PAUSE_SECONDS  # it waits for a person; its gates still act
        ticks = [tick for site in sites if (tick := self._rounds.ends[site.key][1]) is not None]
        return Ticked(pause=pause, changed=any(not isinstance(tick.act, Wait) for tick in ticks))

    def results(self) -> tuple[tuple[ExitCode, str], ...]:
        """How the last tick, start, approval and promotion of each endpoint ended."""
        ticks = [
            (code, f"{key}: {tick.text}" if tick is not None else f"{key}: the tick failed; the log says why")
            for key, (code, tick) in self._rounds.ends.items()
        ]
        return (*ticks, *self._parts.values())

    def serves_canary(self) -> bool:
        """Whether a rollout that is under way has given its new colour weight."""
        states = [self._state(site) for site in self._sites]
        return any(state is not None and not state.is_over and state.weights.carries(state.colour) for state in states)

    def close(self) -> None:
        """Push what the last ticks wrote."""
        self._rounds.close()

    def _rejection(self, site: Site) -> None:
        """Take a reviewer's no into the record."""
        journal = site.last_journal()
        if self._approvals is not None:
            deed = self._approvals.rejected(journal.chain.events, journal.state)
            if deed is not None:
                self._record(site, lambda _: deed)

    def _question(self, site: Site) -> None:
        """Ask a reviewer about the step that waits, once."""
        journal = site.last_journal()
        if self._approvals is None:
            if waiting_step(journal.state) is not None:
                self._session.say(f"{site.key}: waits for `sluice rollout approve {site.place}`")
            return
        deed = self._approvals.asked(journal.chain.events, journal.state)
        if deed is not None:
            self._record(site, lambda _: deed)

    def _promotion(self, site: Site) -> None:
        """Open the pull request for the next stack after a rollout that ended well, once."""
        journal = site.last_journal() if site.chains() else None
        if journal is None or not journal.state.is_over:
            return
        state = journal.state
        target = state.plan.promote_to
        done = state.ended is not None and state.ended.outcome is Outcome.DONE
        if target is None or not done or is_promoted(journal.chain.events, target):
            return
        self._promote(site.key, target)
        self._record(site, lambda _: promoted(state, target))

    def _record(self, site: Site, speak: Callable[[RolloutState], Any]) -> None:
        told = record_deed(site, speak, site.last_journal())
        if told is not None:
            self._session.say(f"{site.key}: {told}")

    def _state(self, site: Site) -> RolloutState | None:
        return site.last_journal().state if site.chains() else None

    def _attempt(self, part: str, work: Callable[[], None]) -> None:
        """Run one part; an error that the product expects is told, counts, and stops no other endpoint."""
        self._parts.pop(part, None)
        try:
            work()
        except Exception as error:
            if (code := expected_code(error)) is None:
                raise
            self._parts[part] = (code, f"{part}: {error}")
            self._session.say(f"{part}: {error}")


def last_weights(session: Session, stack: str, *, ended: bool = False) -> dict[str, WeightLines]:
    """The lines that the last rollout of each endpoint left in the stack file, or keeps there; `ended`: only left."""
    found = {}
    for site in sites_of(session, stack):
        if site.chains() and ((state := site.last_journal().state).is_over or not ended):
            found[site.key] = WeightLines(split=state.weights, stable=state.declared_stable)
    return found

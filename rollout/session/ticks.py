"""The ticks of a rollout in one command: the controller with its real adapters, its load, and who is told meanwhile."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any, Protocol

from command_errors import CommandError
from rollout.record.chain import Chain
from rollout.record.event import Event, Kind
from rollout.record.journal import Journal
from rollout.session.adapters import controller_of
from rollout.session.load import SyntheticLoad
from rollout.session.site import Site
from rollout.split import Split
from rollout.tick.controller import Tick
from rollout.tick.runner import pause_after, run
from rollout.views.event_lines import line_of
from rollout.views.notify import Notifier
from rollout.views.view import Seen


class Screen(Protocol):
    """Where a rollout is shown while it runs."""

    def line(self, text: str) -> None:
        """Show what happened, in one line."""

    def show(self, seen: Seen, doing: str = "") -> None:
        """Show where it stands; `doing` is what the last tick did."""


class SpokenJournal(Journal):
    """A record whose events are told as they are written, by this command or by another one."""

    def __init__(self, site: Site, chain: Chain, screen: Screen) -> None:
        super().__init__(chain, site.session.clock)
        self._screen = screen
        self._told = len(chain.events)
        self._notifier = Notifier(self.state.plan.notify, os.environ, site.session.say)

    def append(self, kind: Kind, data: Mapping[str, Any]) -> Event:
        """Write one event, and tell it."""
        event = super().append(kind, data)
        self.tell_new()
        self._notifier.notify(event, self.state)
        return event

    def close(self) -> None:
        """Wait until the webhook is told."""
        self._notifier.close()

    def tell_new(self) -> None:
        """Tell what was not told yet."""
        for event in self.chain.events[self._told :]:
            if (line := line_of(event)) is not None:
                self._screen.line(line)
        self._told = len(self.chain.events)


class Ticker:
    """The ticks of one rollout."""

    def __init__(
        self, site: Site, screen: Screen, journal: SpokenJournal | None = None, *, until: int | None = None
    ) -> None:
        """`until`: no change but a way back begins after that time (seconds since 1970)."""
        self.journal = journal or SpokenJournal(site, site.last_journal().chain, screen)
        self._site = site
        self._screen = screen
        self._controller = controller_of(site, self.journal, until=until)
        self._load = SyntheticLoad(site)

    def tick(self) -> Tick:
        """One tick, shown."""
        tick = self._controller.tick()
        self._show(tick)
        return tick

    def drive(self, *, seconds: int | None = None) -> Tick:
        """Tick until the rollout has ended or needs a person, at most for so long."""
        return run(self._controller, self._site.session.clock, seconds=seconds, watch=self._show)

    def leave(self) -> None:
        """After single ticks: push what they wrote, as the end of `drive` does."""
        self._controller.leave()

    def close(self) -> None:
        """End the load, and wait until the webhook is told."""
        self._load.stop()
        self.journal.close()

    def _show(self, tick: Tick) -> None:
        self.journal.tell_new()
        self._load.follow(tick.state)
        self._screen.show(seen_of(tick, self._site, next_tick=tick.at + pause_after(tick)), tick.text)


def seen_of(tick: Tick, site: Site, *, next_tick: int | None = None) -> Seen:
    """The picture of a tick. What Azure has is not known after a tick that changed it."""
    changed = tick.state.weights_since >= tick.at
    declared: Split | None = None
    with contextlib.suppress(CommandError):  # the tick has told it as drift
        declared = site.declared.read().split
    return Seen(
        state=tick.state,
        now=tick.at,
        results=tick.evidence.results,
        declared=declared,
        live=None if changed else tick.evidence.live,
        next_tick=None if tick.state.is_over else next_tick,
        notes=tick.evidence.notes,
    )

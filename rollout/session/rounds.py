"""Ticks of several endpoints in turn: `sluice rollout step --all`, and `sluice ci deliver`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing

from command_errors import CommandError
from exit_codes import ExitCode
from rollout.decision.order import Outcome
from rollout.session.session import Session
from rollout.session.site import Site
from rollout.session.ticks import Screen, Ticker
from rollout.tick.controller import Tick
from rollout.tick.runner import interrupts, is_last, pause_after, slept

End = tuple[ExitCode, Tick | None]
"""Exit code and tick of an endpoint; no tick: it was an error, which was told."""


class Rounds:
    """Keeps one ticker for each endpoint, and how its last tick ended.

    `until`: no change but a way back begins after that time (seconds since 1970).
    """

    def __init__(self, session: Session, screen: Screen, *, until: int | None = None) -> None:
        self._session = session
        self._screen = screen
        self._until = until
        self._tickers: dict[str, Ticker] = {}
        self._open = ExitStack()
        self.ends: dict[str, End] = {}

    def tick(self, sites: Sequence[Site]) -> int | None:
        """Tick each endpoint once; return the seconds until the next round, None if none has anything to do.

        An error at one endpoint does not stop the others.
        """
        pauses = []
        for site in sites:
            try:
                tick = self._ticker(site).tick()
                self.ends[site.key] = tick.exit_code, tick
                if not is_last(tick):
                    pauses.append(pause_after(tick))
            except CommandError as error:
                self._session.say(f"{site.key}: {error}")
                self.ends[site.key] = error.exit_code, None
        return min(pauses, default=None)

    def close(self) -> None:
        """Push what the ticks wrote, and end loads and webhooks; a later tick opens them again."""
        self._open.close()
        self._tickers.clear()

    def _ticker(self, site: Site) -> Ticker:
        if site.key not in self._tickers:
            ticker = Ticker(site, self._screen, until=self._until)
            self._tickers[site.key] = ticker
            self._open.callback(ticker.close)
            self._open.callback(ticker.leave)
        return self._tickers[site.key]


def tick_in_turn(session: Session, sites: Sequence[Site], screen: Screen, seconds: int) -> list[End]:
    """Tick each endpoint in turn, until none has anything to do or the time is over; `seconds=0` is one tick each.

    Ctrl-C ends it after the tick that runs.
    """
    clock, rounds = session.clock, Rounds(session, screen, until=session.end_after(seconds))
    until = clock.now() + seconds
    with closing(rounds), interrupts() as asked:
        while sites:
            pause = rounds.tick(sites)
            if pause is None or asked.set or clock.now() + pause >= until or not slept(clock, pause, asked):
                break
    return [rounds.ends[site.key] for site in sites]


def has_work(site: Site) -> bool:
    """Whether a tick may do something: the last rollout is under way, its floor is raised, or its old colour waits."""
    if not site.chains():
        return False
    state = site.last_journal().state
    done = state.ended is not None and state.ended.outcome is Outcome.DONE
    return not state.is_over or state.reserved is not None or (done and not state.retired)

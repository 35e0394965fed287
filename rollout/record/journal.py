"""A record as the controller uses it: its file, and the state that it adds up to, kept in step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rollout.errors import BrokenRecord, RecordUnwritable
from rollout.ports import Clock
from rollout.record.chain import Chain, read_lines, taken_over
from rollout.record.event import Event, Kind
from rollout.record.fold import fold
from rollout.record.state import RolloutState


class Journal:
    """The record of one rollout.

    With `way_back` set, an event that cannot be written (a broken chain, a full disk) is kept in memory, and
    `unwritten` says so: the way back does not depend on the record.
    """

    def __init__(self, chain: Chain, clock: Clock) -> None:
        """Raises `BrokenRecord` if not even the first line can be read."""
        self.chain = chain
        self.way_back = False
        self.unwritten: str | None = None
        self._clock = clock
        self._nonsense: str | None = None
        self._kept: list[Event] = []
        self._state = self._fold_all()

    @property
    def state(self) -> RolloutState:
        """The fold of all events."""
        return self._state

    @property
    def broken(self) -> str | None:
        """Where and why the record is broken; None: it is whole."""
        return self.chain.broken or self._nonsense

    def require_whole(self) -> None:
        """Raise `BrokenRecord` if the record is broken."""
        if self.broken is not None:
            raise BrokenRecord(self.broken)

    def refresh(self) -> None:
        """Take in what other processes have appended since."""
        new = self.chain.read()
        if new is None or (new and self._kept):
            self._kept = []
            self._state = self._fold_all()
        elif new:
            self._state = self._folded(new, self._state)

    def take_over(self, remote: str) -> bool:
        """Take in what other runners have pushed; True if that was anything."""
        if self.chain.begins_with(remote.encode()):
            return False
        theirs = read_lines(remote.encode(), f"{self.chain.path.name} on the remote")
        if theirs.broken is not None:
            raise BrokenRecord(theirs.broken)
        ours = read_lines("".join(f"{event.line()}\n" for event in self.chain.events).encode(), self.chain.path.name)
        taken = taken_over(ours, theirs)
        if taken is None:
            return False
        events, said_again = taken
        self.chain.replace("".join(f"{event.line()}\n" for event in events).encode())
        self.chain.read()
        self._kept = []
        self._state = self._fold_all()
        for kind, data in said_again:
            self.append(kind, data)
        return True

    def append(self, kind: Kind, data: Mapping[str, Any]) -> Event:
        """Write one event, synced to disk.

        Raises `RecordUnwritable` or `BrokenRecord`; not on the way back, where the event is kept in memory.
        """
        at = max(self._clock.now(), self._state.last_at)
        try:
            self.require_whole()
            self._write_kept()
            event = self.chain.append(kind, data, at)
        except (RecordUnwritable, BrokenRecord) as error:
            if not self.way_back:
                raise
            self.unwritten = error.why if isinstance(error, RecordUnwritable) else str(error)
            event = Event(seq=self._state.events, at=at, kind=kind, data=dict(data))
            self._kept.append(event)
        self._state = fold([event], start=self._state)
        return event

    def note(self, kind: Kind, data: Mapping[str, Any]) -> None:
        """Write an event that no change of weights waits for; where it cannot be written, it is kept in memory.

        `require_written` then refuses the next step forward.
        """
        way_back, self.way_back = self.way_back, True
        try:
            self.append(kind, data)
        finally:
            self.way_back = way_back

    def require_written(self) -> None:
        """Raise `BrokenRecord` or `RecordUnwritable` unless every event is on disk: a step forward needs them."""
        self.require_whole()
        self._write_kept()

    def _write_kept(self) -> None:
        while self._kept:
            self.chain.append(self._kept[0].kind, self._kept[0].data, self._kept[0].at)
            del self._kept[0]
        self.unwritten = None

    def _fold_all(self) -> RolloutState:
        if not self.chain.events:
            raise BrokenRecord(self.chain.broken or f"{self.chain.path} has no events. Restore it (git checkout).")
        self._nonsense = None
        return self._folded(self.chain.events, None)

    def _folded(self, events: Iterable[Event], start: RolloutState | None) -> RolloutState:
        """The fold as far as the events make sense; one that does not breaks the chain there."""
        state = start
        for event in events:
            try:
                state = fold([event], start=state)
            except (ValueError, KeyError, TypeError) as error:
                reason = f"{self.chain.path.name} is broken at line {event.seq + 1}: {error}."
                if state is None:
                    raise BrokenRecord(reason) from error
                self._nonsense = f"{reason} Restore the file from the repository (git checkout), or roll back."
                break
        assert state is not None  # there is at least one event
        return state

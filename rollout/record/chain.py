"""The file of a record: one event a line, each line naming the SHA-256 of the one before.

`rollouts/<stack>/<endpoint key>/<UTC with seconds>-<colour>.jsonl`, beside the stack file in use. An event is one
write, synced to disk. A last line without its end was cut off by a crash: it is dropped and reported. Any other break
leaves the events before it readable, and `broken` says where and why.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from command_errors import explain_system_error
from record_folders import FOLDER
from rollout.decision.order import Direction
from rollout.errors import BrokenRecord, ForeignRecord, RecordUnwritable
from rollout.record.event import FIRST_PREV, Event, Kind, parse_event

SAID_BY_PEOPLE = frozenset(
    {Kind.APPROVED, Kind.REJECTED, Kind.PAUSED, Kind.RESUMED, Kind.PROMOTED, Kind.ROLLBACK_REQUESTED}
)
_NAME = re.compile(r"^\d{8}T\d{6}Z-.+\.jsonl$")


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Whose record it must be: what `started` says about its place in the world."""

    project: str
    stack: str
    endpoint: str
    subscription: str
    workspace: str


@dataclass(frozen=True, kw_only=True)
class Lines:
    """The text of a record, read."""

    events: tuple[Event, ...]
    size: int
    """Bytes of the valid lines."""
    torn: str | None = None
    """The last line, if it has no end."""
    broken: str | None = None
    """Where the chain breaks, why, and what to do; None: it is whole."""


def record_folder(beside: Path, stack: str, endpoint: str) -> Path:
    """The folder of an endpoint's records; `beside` is the folder of the stack file in use."""
    return beside / FOLDER / stack / endpoint


def record_id(at: int, colour: str) -> str:
    """The id of a rollout that starts now, such as 20261127T140731Z-green: the file's name without its ending."""
    return f"{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}-{colour}"


def record_files(folder: Path) -> list[Path]:
    """The records of an endpoint, oldest first."""
    return sorted(path for path in folder.glob("*.jsonl") if _NAME.match(path.name)) if folder.is_dir() else []


def read_lines(content: bytes, name: str, *, after: Event | None = None) -> Lines:
    """The events of a record's content, or of what follows the event `after`; `name` is how messages call it."""
    whole, _, torn = content.rpartition(b"\n")
    events: list[Event] = []
    prev, size, broken = after.digest if after else FIRST_PREV, 0, None
    first = after.seq + 1 if after else 0
    for number, raw in enumerate(whole.split(b"\n") if whole else [], start=first + 1):
        reason, event = _next(raw, first + len(events), prev)
        if event is None:
            broken = (
                f"{name} is broken at line {number}: {reason}. No forward step may rest on it. Restore the file from "
                "the repository (git checkout), or roll back."
            )
            break
        events.append(event)
        prev, size = event.digest, size + len(raw) + 1
    return Lines(events=tuple(events), size=size, torn=torn.decode(errors="replace") or None, broken=broken)


def taken_over(local: Lines, remote: Lines) -> tuple[tuple[Event, ...], list[tuple[Kind, Mapping[str, Any]]]] | None:
    """What a record becomes when another runner has pushed: the remote's events, and what must follow them here.

    None: nothing is new there. Where both have gone on, the remote's events win, because weights were changed in
    their order; what people said here and a decision to go back are said again. Evidence is read again from Azure.
    """
    common = 0
    while common < min(len(local.events), len(remote.events)) and local.events[common] == remote.events[common]:
        common += 1
    if common == len(remote.events):
        return None
    return remote.events, [said for event in local.events[common:] if (said := _said_again(event)) is not None]


def _said_again(event: Event) -> tuple[Kind, Mapping[str, Any]] | None:
    if event.kind in SAID_BY_PEOPLE or event.kind is Kind.VERDICT:
        return event.kind, event.data
    if event.kind is Kind.INTENT and event.data["direction"] == Direction.BACK.value:
        return Kind.VERDICT, {"gate": "way_back", "reason": event.data["why"], "value": None}
    return None


def _next(raw: bytes, seq: int, prev: str) -> tuple[str, Event | None]:
    try:
        event = parse_event(raw.decode())
    except ValueError as error:
        return str(error), None
    if event.prev != prev:
        return "it does not follow the line before, which was edited, added or removed", None
    if event.seq != seq:
        return f"its number must be {seq}, got {event.seq}", None
    if (seq == 0) != (event.kind is Kind.STARTED):
        return "a record has one `started`, its first line", None
    return "", event


class Chain:
    """One record on disk. `events` are what is readable; `append` adds to a whole chain only."""

    def __init__(self, path: Path) -> None:
        """Read the file; a missing file is an empty chain, for a rollout that starts."""
        self.path = path
        self.events: list[Event] = []
        self.torn: str | None = None
        self.broken: str | None = None
        self._valid = b""
        self.read()

    def read(self) -> Sequence[Event] | None:
        """Read the file again: the events that are new, or None if those known before are not in it any more."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            if self.events:
                self.broken = f"{self.path} is gone. Restore it from the repository (git checkout), or roll back."
            return ()
        except OSError as error:
            self.broken = f"the record cannot be read: {explain_system_error(error)}"
            return ()
        if content.startswith(self._valid):
            lines = read_lines(
                content[len(self._valid) :], self.path.name, after=self.events[-1] if self.events else None
            )
            self.events += lines.events
            self._valid = content[: len(self._valid) + lines.size]
            new: Sequence[Event] | None = lines.events
        else:
            lines = read_lines(content, self.path.name)
            self.events, self._valid, new = list(lines.events), content[: lines.size], None
        self.torn, self.broken = lines.torn, lines.broken
        return new

    def begins_with(self, content: bytes) -> bool:
        """Whether the valid lines begin with this content, which then says nothing new."""
        return self._valid.startswith(content)

    @property
    def head(self) -> str:
        """The digest of the last line, which the next one names."""
        return self.events[-1].digest if self.events else FIRST_PREV

    def require_owner(self, owner: Owner) -> None:
        """Raise `ForeignRecord` unless `started` names this project, stack, endpoint, subscription and workspace."""
        if not self.events:
            return
        said = self.events[0].data
        wrong = [
            f"{name} {said.get(name)!r} (expected {expected!r})"
            for name, expected in vars(owner).items()
            if said.get(name) != expected
        ]
        if wrong:
            raise ForeignRecord(
                f"{self.path} is the record of another rollout: {', '.join(wrong)}. Remove it, and restore the record "
                "of this endpoint from the repository (git checkout)."
            )

    def require_whole(self) -> None:
        """Raise `BrokenRecord` if a line before the last one was changed."""
        if self.broken is not None:
            raise BrokenRecord(self.broken)

    def append(self, kind: Kind, data: Mapping[str, Any], at: int) -> Event:
        """Write one event and sync it; the first one also syncs its folder.

        Raises `BrokenRecord` on a broken chain and `RecordUnwritable` if the file does not take the line; then the
        file is as it was.
        """
        self.require_whole()
        event = Event(seq=len(self.events), at=at, kind=kind, data=dict(data), prev=self.head)
        line = event.line().encode() + b"\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._write(line, new=not self.events)
        except OSError as error:
            raise RecordUnwritable(
                f"the record {self.path} cannot be written: {explain_system_error(error)}"
            ) from error
        self.events.append(parse_event(line[:-1].decode()))
        self.torn = None
        self._valid += line
        return self.events[-1]

    def replace(self, content: bytes) -> None:
        """Take over the content that another runner pushed, by an atomic rename."""
        temporary = self.path.with_suffix(".tmp")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(self.path)
            _sync_folder(self.path.parent)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise RecordUnwritable(
                f"the record {self.path} cannot be written: {explain_system_error(error)}"
            ) from error

    def _write(self, line: bytes, *, new: bool) -> None:
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.ftruncate(file, len(self._valid))  # drops a torn line
            os.lseek(file, len(self._valid), os.SEEK_SET)
            try:
                if os.write(file, line) != len(line):
                    raise OSError(28, os.strerror(28), str(self.path))  # ENOSPC: a short write is a full disk
                os.fsync(file)
            except BaseException:
                os.ftruncate(file, len(self._valid))
                raise
        finally:
            os.close(file)
        if new:
            _sync_folder(self.path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

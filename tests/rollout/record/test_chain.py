"""The file of a record: appended line by line, each line holding the digest of the one before."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from rollout.errors import BrokenRecord, ForeignRecord, RecordUnwritable
from rollout.record.chain import (
    Chain,
    Lines,
    Owner,
    read_lines,
    record_files,
    record_folder,
    record_id,
    taken_over,
)
from rollout.record.event import Event, Kind
from tests.rollout.record.rollouts import T0, Story, started, write

OWNER = Owner(
    project="sluice",
    stack="prod",
    endpoint="fraud-detection",
    subscription="00000000-0000-0000-0000-000000000001",
    workspace="mlw-payments-prod",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return record_folder(tmp_path, "prod", "fraud-detection") / f"{record_id(T0, 'green')}.jsonl"


def three() -> list[Event]:
    story = Story()
    story.at(10, Kind.PAUSED, by="ada", reason="lunch")
    story.at(20, Kind.RESUMED, by="ada", reason="back", drift=None)
    return story.events


def test_a_record_has_its_place_and_name(path: Path, tmp_path: Path) -> None:
    assert path == tmp_path / "rollouts" / "prod" / "fraud-detection" / "20261127T140000Z-green.jsonl"
    write(path, three())
    (path.parent / "notes.jsonl").write_text("")
    assert record_files(path.parent) == [path]
    assert record_files(tmp_path / "nothing") == []


def test_what_is_appended_is_read_again(path: Path) -> None:
    chain = Chain(path)
    chain.append(Kind.STARTED, started(), T0)
    chain.append(Kind.PAUSED, {"by": "ada", "reason": "lunch"}, T0 + 10)
    again = Chain(path)
    assert again.events == chain.events
    assert (again.torn, again.broken) == (None, None)
    assert again.head == chain.head


def test_every_append_reaches_the_disk_and_the_first_one_its_folder(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    chain = Chain(path)
    chain.append(Kind.STARTED, started(), T0)
    assert len(synced) == 2
    chain.append(Kind.PAUSED, {"by": "ada", "reason": "lunch"}, T0 + 10)
    assert len(synced) == 3


@pytest.mark.parametrize("cut", [1, 40, 150])
def test_a_torn_last_line_is_dropped_and_reported(path: Path, cut: int) -> None:
    write(path, three())
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    chain = Chain(path)
    assert len(chain.events) == 2
    assert chain.broken is None
    assert chain.torn is not None
    chain.append(Kind.RESUMED, three()[2].data, T0 + 20)
    assert path.read_bytes() == whole


def test_a_first_line_that_was_torn_never_happened(path: Path) -> None:
    write(path, three())
    path.write_bytes(path.read_bytes()[:50])
    assert Chain(path).events == []


@pytest.mark.parametrize(
    ("edit", "line"),
    [
        (lambda lines: [lines[0].replace("ada", "bob"), *lines[1:]], 2),
        (lambda lines: [lines[0], lines[2]], 2),
        (lambda lines: [lines[0], lines[2], lines[1]], 2),
        (lambda lines: [lines[0], lines[1], lines[1], lines[2]], 3),
        (lambda lines: [*lines[:2], "", lines[2]], 3),
        (lambda lines: lines[1:], 1),
        (lambda lines: [lines[0], lines[1].replace(",", ", ", 1), lines[2]], 2),
    ],
)
def test_another_break_refuses_what_follows_and_keeps_what_is_before(path: Path, edit: Any, line: int) -> None:
    write(path, three())
    path.write_text("".join(f"{text}\n" for text in edit(path.read_text().splitlines())))
    chain = Chain(path)
    assert chain.broken is not None
    assert f"broken at line {line}: " in chain.broken
    assert len(chain.events) == line - 1
    before = path.read_bytes()
    with pytest.raises(BrokenRecord, match=f"line {line}"):
        chain.append(Kind.PAUSED, {"by": "ada", "reason": "lunch"}, T0 + 30)
    assert path.read_bytes() == before


def test_what_another_process_appended_is_read_and_nothing_twice(path: Path) -> None:
    events = three()
    chain = write(path, events[:1])
    write(path, events)
    assert chain.read() == tuple(events[1:])
    assert chain.read() == ()
    assert chain.events == events


def test_a_record_that_was_replaced_is_read_from_its_beginning(path: Path) -> None:
    chain = write(path, three())
    other = Story(actor="bob").events
    write(path, other)
    assert chain.read() is None
    assert chain.events == other


def test_a_record_that_disappears_refuses_forward_steps(path: Path) -> None:
    chain = write(path, three())
    path.unlink()
    assert chain.read() == ()
    with pytest.raises(BrokenRecord, match="is gone"):
        chain.require_whole()
    assert len(chain.events) == 3


def test_a_record_that_cannot_be_read_refuses_forward_steps_and_is_read_later(path: Path) -> None:
    chain = write(path, three())
    kept = path.rename(path.with_suffix(".kept"))
    path.mkdir()
    assert chain.read() == ()
    with pytest.raises(BrokenRecord, match=r"the record cannot be read: .*Is a directory"):
        chain.require_whole()
    path.rmdir()
    kept.rename(path)
    chain.read()
    chain.require_whole()
    assert chain.events == three()


@pytest.mark.parametrize("field", ["project", "stack", "endpoint", "subscription", "workspace"])
def test_the_record_of_another_rollout_is_refused(path: Path, field: str) -> None:
    chain = write(path, Story(**{field: "other"}).events)
    with pytest.raises(ForeignRecord, match=f"{field} 'other'"):
        chain.require_owner(OWNER)


def test_the_own_record_is_accepted(path: Path) -> None:
    chain = write(path, three())
    chain.require_owner(OWNER)
    assert chain.events == three()


@pytest.mark.parametrize("short", [False, True])
def test_a_full_disk_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch, short: bool) -> None:
    chain = write(path, three())
    before = path.read_bytes()
    real = os.write

    def full(file: int, data: bytes) -> int:
        if short:
            return real(file, data[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(RecordUnwritable, match="No space left on device"):
        chain.append(Kind.PAUSED, {"by": "ada", "reason": "lunch"}, T0 + 30)
    monkeypatch.undo()
    assert path.read_bytes() == before
    chain.append(Kind.PAUSED, {"by": "ada", "reason": "lunch"}, T0 + 30)
    assert Chain(path).broken is None


def lines(events: list[Event]) -> Lines:
    return read_lines("".join(f"{event.line()}\n" for event in events).encode(), "record")


def test_a_remote_that_is_behind_changes_nothing() -> None:
    assert taken_over(lines(three()), lines(three()[:2])) is None


def test_a_remote_that_is_ahead_is_taken() -> None:
    assert taken_over(lines(three()[:2]), lines(three())) == (tuple(three()), [])


def test_where_both_went_on_the_remote_wins_and_people_are_heard() -> None:
    ours, theirs = Story(), Story()
    ours.at(5, Kind.EVIDENCE, intervals=[], results={})
    ours.at(9, Kind.PAUSED, by="ada", reason="lunch")
    ours.move(10, -1)
    theirs.move(7, 0, applied=2)
    taken = taken_over(lines(ours.events), lines(theirs.events))
    assert taken is not None
    events, said_again = taken
    assert list(events) == theirs.events
    assert [kind for kind, _ in said_again] == [Kind.PAUSED, Kind.VERDICT]

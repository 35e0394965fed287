"""A record as the controller uses it: file and state in step, and a way back that does not depend on the file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from rollout.errors import BrokenRecord, RecordUnwritable
from rollout.record.chain import Chain
from rollout.record.event import Kind
from rollout.record.fold import fold
from rollout.record.journal import Journal
from tests.rollout.record.rollouts import T0, Story, write


class FixedClock:
    def __init__(self, now: int = T0 + 1000) -> None:
        self.time = now

    def now(self) -> int:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += max(1, round(seconds))


def journal_of(path: Path, story: Story | None = None) -> Journal:
    return Journal(write(path, (story or Story()).events), FixedClock())


def test_the_state_follows_what_is_appended(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "r.jsonl")
    journal.append(Kind.PAUSED, {"by": "ada", "reason": "lunch"})
    assert journal.state.paused == "ada: lunch"
    assert journal.state == fold(journal.chain.events)


def test_the_state_follows_what_another_process_appends(tmp_path: Path) -> None:
    journal, other = (journal_of(tmp_path / "r.jsonl") for _ in range(2))
    other.append(Kind.PAUSED, {"by": "ada", "reason": "lunch"})
    journal.refresh()
    assert journal.state == other.state


def test_time_never_goes_backwards_in_a_record(tmp_path: Path) -> None:
    story = Story()
    story.at(5000, Kind.NOTED, what="clock", text="")
    assert journal_of(tmp_path / "r.jsonl", story).append(Kind.NOTED, {"what": "x", "text": ""}).at == T0 + 5000


def test_a_full_disk_stops_a_step_and_not_the_way_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = journal_of(tmp_path / "r.jsonl")

    def full(file: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(RecordUnwritable):
        journal.append(Kind.NOTED, {"what": "x", "text": ""})
    journal.way_back = True
    journal.append(Kind.VERDICT, {"gate": "error_rate", "reason": "bad", "value": 64})
    assert journal.state.back is not None
    assert journal.unwritten is not None
    monkeypatch.undo()
    journal.append(Kind.NOTED, {"what": "space", "text": "there is space again"})
    assert [event.kind for event in journal.chain.events] == [Kind.STARTED, Kind.VERDICT, Kind.NOTED]
    assert fold(journal.chain.events) == journal.state


def test_an_event_that_makes_no_sense_breaks_the_record_there(tmp_path: Path) -> None:
    story = Story()
    story.at(5, Kind.APPLIED, intent=3, found=True, update=None, seconds={})
    journal = journal_of(tmp_path / "r.jsonl", story)
    with pytest.raises(BrokenRecord, match=r"broken at line 2: .* which is not open"):
        journal.require_whole()
    journal.refresh()
    with pytest.raises(BrokenRecord):
        journal.append(Kind.NOTED, {"what": "x", "text": ""})
    journal.way_back = True
    journal.append(Kind.VERDICT, {"gate": "error_rate", "reason": "bad", "value": 64})
    assert journal.state.back is not None


def test_a_record_without_a_first_line_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text("nonsense\n")
    with pytest.raises(BrokenRecord, match="broken at line 1"):
        Journal(Chain(tmp_path / "r.jsonl"), FixedClock())


def test_what_other_runners_pushed_is_taken_over(tmp_path: Path) -> None:
    ours, theirs = Story(), Story()
    ours.at(9, Kind.PAUSED, by="ada", reason="lunch")
    theirs.move(7, 0, applied=2)
    remote = "".join(f"{event.line()}\n" for event in theirs.events)
    journal = journal_of(tmp_path / "r.jsonl", ours)
    assert journal.take_over(remote)
    assert journal.state.step == 0
    assert journal.state.paused == "ada: lunch"
    assert not journal.take_over(remote)


def test_a_broken_record_on_the_remote_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenRecord, match="on the remote is broken"):
        journal_of(tmp_path / "r.jsonl").take_over("nonsense\n")

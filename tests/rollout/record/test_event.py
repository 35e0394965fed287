"""One event of a record is one line of canonical JSON."""

from __future__ import annotations

import pytest

from rollout.record.event import FIRST_PREV, Event, Kind, parse_event

EVENT = Event(seq=3, at=1795788451, kind=Kind.PAUSED, data={"reason": "tea – 4 p.m.", "by": "ada"}, prev="a" * 64)


def test_an_event_is_one_canonical_line() -> None:
    assert EVENT.line() == (
        '{"at":"2026-11-27T14:07:31Z","data":{"by":"ada","reason":"tea \\u2013 4 p.m."},"kind":"paused","prev":"'
        + "a" * 64
        + '","seq":3}'
    )


def test_a_line_is_read_as_it_was_written() -> None:
    assert parse_event(EVENT.line()) == EVENT


def test_the_digest_is_of_the_line() -> None:
    assert EVENT.digest != Event(seq=3, at=1795788451, kind=Kind.PAUSED, data=EVENT.data, prev=FIRST_PREV).digest


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (EVENT.line()[:-3], "not JSON"),
        ("[]", "exactly at, data, kind, prev, seq"),
        (EVENT.line().replace('"paused"', '"teleported"'), "teleported"),
        (EVENT.line().replace("T14", " 14"), "like 2026-11-27T14:07:31Z"),
        (EVENT.line().replace('"seq":3', '"seq": 3'), "was edited"),
    ],
)
def test_another_line_is_refused_with_the_reason(line: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_event(line)

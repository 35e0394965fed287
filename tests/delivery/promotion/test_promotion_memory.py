"""A promotion that was opened is not opened again, also if a person closed it."""

from __future__ import annotations

from delivery.promotion.promotion_memory import is_promoted, promoted
from rollout.record.event import Event, Kind
from tests.rollout.states import NOON, state_of


def test_the_record_remembers_the_stack_that_was_promoted_to() -> None:
    deed = promoted(state_of(), "prod")
    events = [Event(seq=1, at=NOON, kind=deed.kind, data=deed.data)]
    assert is_promoted(events, "prod")
    assert not is_promoted(events, "eu-prod")
    assert not is_promoted([Event(seq=1, at=NOON, kind=Kind.NOTED, data={"what": "unwatched", "text": "1 h"})], "prod")

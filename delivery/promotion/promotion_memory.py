"""Whether a delivery has promoted a content: the record says so, so that a closed pull request stays closed. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from rollout.people.requests import Deed
from rollout.record.event import Event, Kind
from rollout.record.state import RolloutState

PROMOTION = "promotion"


def is_promoted(events: Iterable[Event], target: str) -> bool:
    """Whether the record notes a promotion to this stack."""
    notes = (event.data for event in events if event.kind is Kind.NOTED)
    return any(data.get("what") == PROMOTION and data.get("to") == target for data in notes)


def promoted(state: RolloutState, target: str) -> Deed:
    """The note that the content of this rollout was promoted."""
    text = f"{state.colour} of {state.endpoint} was promoted to {target}"
    return Deed(kind=Kind.NOTED, data={"what": PROMOTION, "to": target, "text": text}, told=text)

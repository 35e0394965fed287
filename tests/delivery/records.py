"""Records of rollouts in dev, whole and ended, for the tests of proofs and promotions."""

from __future__ import annotations

from typing import Any

from rollout.record.event import Event, Kind
from rollout_config import PlanSettings
from tests.rollout.record.rollouts import PLAN, Story

CONTENT = "cd" * 32
BLUE = "b1" * 32
ID = "20261127T140000Z-green"
HOST = "management.azure.com"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"


def done(plan: PlanSettings = PLAN, *, approver: str = "grace", unreviewed: bool = False, **started: Any) -> Story:
    """A rollout of green in dev that ended well: 10 %, 50 % approved, 100 %."""
    colours = {
        "blue": {"release": "b" * 16, "content": BLUE},
        "green": {"release": "a" * 16, "content": CONTENT},
    }
    story = Story(plan, **{"stack": "dev", "workspace": "mlw-payments-dev", "colours": colours, **started})
    story.move(10, 0, applied=5)
    story.at(330, Kind.APPROVED, by=approver, reason="looked at it", run=None, step=1, unreviewed=unreviewed)
    story.move(340, 1, applied=5)
    story.move(700, 2, applied=5)
    end(story, 1400)
    return story


def end(story: Story, second: int, outcome: str = "done", requests: Any = 1200, errors: Any = 3) -> Event:
    """The `ended` event."""
    return story.at(
        second,
        Kind.ENDED,
        outcome=outcome,
        reason="the last step baked",
        requests=requests,
        errors=errors,
        evidence={"error_rate": {"verdict": "pass"}},
        synthetic=False,
        evidence_skipped=False,
        approved_by=["grace"],
    )


def content_of(story: Story) -> bytes:
    """The bytes of the record."""
    return "".join(f"{event.line()}\n" for event in story.events).encode()

"""The events of a record as lines of a log."""

from typing import Any

import pytest

from rollout.record.event import Event, Kind
from rollout.views.event_lines import line_of
from tests.rollout.states import NOON

BLUE, MIXED = {"traffic": {"blue": 100}, "mirror": {}}, {"traffic": {"blue": 90, "green": 10}, "mirror": {}}


@pytest.mark.parametrize(
    ("kind", "data", "line"),
    [
        (
            Kind.STARTED,
            {"id": "20261128T120000Z-green", "colour": "green", "baseline": BLUE},
            "started 20261128T120000Z-green: green is to replace blue 100 %",
        ),
        (
            Kind.STARTED,
            {
                **{"id": "20261128T120000Z-green", "colour": "green", "baseline": BLUE},
                "allow_unproven": "fixes INC-4711",
            },
            "started 20261128T120000Z-green: green is to replace blue 100 %, without the proof that this stack "
            "requires (fixes INC-4711)",
        ),
        (
            Kind.PROBED,
            {"sent": 20, "start": NOON, "disagreement": 0.05, "problem": None},
            "verify: 20 counted requests sent, 5.0% of the sample outputs differ",
        ),
        (Kind.PROBED, {"sent": 1, "start": NOON, "problem": "500"}, "verify: 1 counted requests sent: 500"),
        (Kind.VERIFIED, {"counted": 20, "settle": 120}, "verify: all 20 requests counted, metrics settle within 120 s"),
        (Kind.VERIFIED, {"counted": 0, "settle": 120, "skipped": True}, "verify: skipped by the plan"),
        (Kind.RESERVED, {"deployment": "blue", "minimum": None, "was": None}, "reserve: not needed"),
        (
            Kind.RESERVED,
            {"deployment": "blue", "minimum": 5, "was": {"autoscale.min": 3}, "now": {"autoscale.min": 5}},
            "reserve: blue keeps at least 5 instances (autoscale.min 3 → 5)",
        ),
        (
            Kind.RESERVING,
            {"deployment": "blue", "minimum": 5, "was": {"autoscale.min": 3}, "now": {"autoscale.min": 5}},
            "reserve: raising the floor of blue (autoscale.min 3 → 5)",
        ),
        (Kind.RESERVE_FAILED, {"reason": "429"}, "reserve failed: 429"),
        (
            Kind.RETURNED,
            {"deployment": "blue", "values": {"autoscale.min": 3}, "left": []},
            "floor of blue given back: autoscale.min 3",
        ),
        (
            Kind.RETURNED,
            {"deployment": "blue", "values": {}, "left": ["autoscale.min of blue stays 4 (before the rollout: 3)"]},
            "floor of blue given back: nothing; left as somebody else wrote it: autoscale.min of blue stays 4 (before "
            "the rollout: 3)",
        ),
        (Kind.RETIRING, {"how": "scale_down", "deployment": "blue"}, "retiring blue: scale down"),
        (
            Kind.INTENT,
            {"from": BLUE, "to": MIXED, "direction": "forward", "why": "step 1"},
            "changing: blue 100 % → blue 90 %, green 10 % (step 1)",
        ),
        (
            Kind.INTENT,
            {"from": MIXED, "to": BLUE, "direction": "back", "why": "error_rate 64:1"},
            "going back: blue 90 %, green 10 % → blue 100 % (error_rate 64:1)",
        ),
        (
            Kind.INTENT,
            {"from": BLUE, "to": BLUE, "direction": "forward", "why": "every step has passed", "stable": "blue"},
            "blue becomes the stable colour (every step has passed)",
        ),
        (Kind.APPLIED, {"found": False, "seconds": {"up": 4.0, "verify": 0.2}}, "applied in 4.2 s"),
        (Kind.APPLIED, {"found": True, "seconds": {}}, "applied, found in Azure"),
        (
            Kind.OBSERVED,
            {"shares": {"green": 0.097, "blue": 0.903}, "requests": 300},
            "observed: blue 90.3 %, green 9.7 % of 300 requests",
        ),
        (Kind.VERDICT, {"gate": "error_rate", "reason": "64:1"}, "failed: error_rate: 64:1"),
        (Kind.HELD, {"hold": "metrics", "reason": "no answer"}, "held (metrics): no answer"),
        (Kind.RELEASED, {"hold": "metrics", "reason": "they answer"}, "released: they answer"),
        (Kind.APPROVAL_REQUESTED, {"step": 1, "run": None}, "step 2 needs an approval"),
        (
            Kind.APPROVED,
            {"by": "ana", "reason": "seen", "step": 1, "unreviewed": True},
            "step 2 approved by ana (unreviewed): seen",
        ),
        (Kind.PAUSED, {"by": "ana", "reason": None}, "paused by ana"),
        (Kind.ROLLBACK_REQUESTED, {"by": "ana", "reason": "bad"}, "rollback requested by ana: bad"),
        (Kind.NOTED, {"what": "plan", "text": "the plan was edited"}, "note: the plan was edited"),
        (
            Kind.BREAK_GLASS,
            {"by": "ana", "why": "locked", "weights": BLUE},
            "break-glass: blue 100 % set without the engine: locked",
        ),
        (Kind.RECONCILED, {}, "reconciled: stack file and state follow Azure again"),
        (
            Kind.ENDED,
            {"outcome": "rolled_back", "reason": "error_rate 64:1", "requests": 31, "errors": 9},
            "rolled back: error_rate 64:1 (evidence: 31 requests, 9 errors)",
        ),
        (Kind.RETIRED, {"what": "scaled_down", "deployment": "blue"}, "retired: blue scaled down"),
    ],
)
def test_an_event_is_one_line_with_its_time(kind: Kind, data: dict[str, Any], line: str) -> None:
    assert line_of(Event(seq=1, at=NOON + 5, kind=kind, data=data)) == f"12:00:05  {line}"


@pytest.mark.parametrize("kind", [Kind.EVIDENCE, Kind.ATTEMPT, Kind.METRICS_ERROR, Kind.DRIFT])
def test_events_that_change_nothing_are_no_line(kind: Kind) -> None:
    assert line_of(Event(seq=1, at=NOON, kind=kind, data={})) is None

"""Plans and events of rollouts for the tests of the record, the decision and the controller."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rollout.decision.order import Direction, Order, Outcome
from rollout.record.chain import Chain
from rollout.record.event import Event, Kind
from rollout.split import Split, split_at
from rollout_config import PlanSettings, plan_digest

T0 = 1795788000
"""2026-11-27T14:00:00Z"""
BLUE = Split(traffic={"blue": 100})
GREEN = Split(traffic={"green": 100})
PLAN = PlanSettings.from_values(
    {
        "steps": [
            {"weight": 10, "bake": "5m"},
            {"weight": 50, "bake": "5m", "approve": True},
            {"weight": 100, "bake": "10m"},
        ],
        "gates": {"error_rate": {"max": 0.01, "vs_stable": 1.5}},
        "verify": False,
        "settle": "2m",
        "hold_stable": False,
    }
)


def started(plan: PlanSettings = PLAN, *, grain: int = 60, baseline: Split = BLUE, **other: Any) -> dict[str, Any]:
    """The data of `started`: green on top of blue, in the stack prod."""
    return {
        "id": "20261127T140000Z-green",
        "project": "sluice",
        "stack": "prod",
        "endpoint": "fraud-detection",
        "workspace": "mlw-payments-prod",
        "subscription": "00000000-0000-0000-0000-000000000001",
        "arm_host": "management.azure.com",
        "commit": "0" * 40,
        "actor": "ada",
        "colour": "green",
        "stable": "blue",
        "colours": {"blue": {"release": "b1", "content": "cb"}, "green": {"release": "g1", "content": "cg"}},
        "baseline": baseline.as_values(),
        "plan": plan.as_values(),
        "plan_digest": plan_digest(plan),
        "grain": grain,
        "settle": plan.settle_seconds or 120,
        "synthetic": False,
        **other,
    }


class Story:
    """Writes events one after another, at times given in seconds after T0."""

    def __init__(self, plan: PlanSettings = PLAN, **other: Any) -> None:
        self.events: list[Event] = []
        self.plan = plan
        self.at(0, Kind.STARTED, **started(plan, **other))

    def at(self, second: int, kind: Kind, **data: Any) -> Event:
        prev = {"prev": self.events[-1].digest} if self.events else {}
        event = Event(seq=len(self.events), at=T0 + second, kind=kind, data=data, **prev)
        self.events.append(event)
        return event

    def move(self, seconds: int, step: int, *, applied: int | None = None, **order: Any) -> Event:
        """An intent to a step of the plan (-1: back to the baseline), and `applied` after some seconds, if given."""
        back = step < 0
        to = BLUE if back else split_at(BLUE, "green", self.plan.steps[step])
        values = Order(
            start=BLUE,
            to=to,
            direction=Direction.BACK if back else Direction.FORWARD,
            step=step,
            why="green failed" if back else "pass",
            outcome=Outcome.ROLLED_BACK if back else None,
            **order,
        )
        intent = self.at(seconds, Kind.INTENT, **values.as_values())
        if applied is not None:
            self.at(seconds + applied, Kind.APPLIED, intent=intent.seq, found=False, update=7, seconds={})
        return intent


def write(path: Path, events: list[Event]) -> Chain:
    """A record on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{event.line()}\n" for event in events))
    return Chain(path)


def interval(start: int, blue: int = 54, green: int = 6, *, errors: Mapping[str, int] | None = None) -> dict[str, Any]:
    """The values of one minute, `start` in seconds after T0."""
    errors = errors or {}
    counts = {"blue": [blue, errors.get("blue", 0), 0, 0], "green": [green, errors.get("green", 0), 0, 0]}
    return {"start": T0 + start, "seconds": 60, "counts": counts, "quantiles": {}}

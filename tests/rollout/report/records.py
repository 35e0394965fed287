"""Builds the records that the report is tested with: a canary that fails at 10 %, and one that reaches 100 %.

`python -m tests.rollout.report.records` writes them again; a test says when that is necessary.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from rollout.decision.order import Direction, Order, Outcome
from rollout.evidence.intervals import GateResult, Interval, Verdict
from rollout.evidence.ledger import Ledger
from rollout.record.chain import Lines, read_lines
from rollout.record.event import Event, Kind
from rollout.record.fold import fold
from rollout.split import Split, split_at
from rollout_config import PlanSettings
from tests.rollout.record.rollouts import BLUE, T0, Story

FOLDER = Path(__file__).parent
PLAN = PlanSettings.from_values(
    {
        "steps": [
            {"weight": 10, "bake": "10m"},
            {"weight": 50, "bake": "10m", "approve": True},
            {"weight": 100, "bake": "10m"},
        ],
        "gates": {
            "error_rate": {"max": 0.01, "vs_stable": 1.5},
            "latency_p95": {"max_ms": 300, "vs_stable": 1.3},
        },
        "verify": False,
        "settle": "2m",
        "hold_stable": False,
    }
)
HOSTILE = 'the dashboard looks odd <script>document.title="owned"</script> & "worse"'


class Builder:
    """Plays callers, metrics and controller, minute by minute, with fixed chance."""

    def __init__(self, seed: int, *, rpm: int, errors: float, p95: float) -> None:
        self.story = Story(PLAN)
        self._random = Random(seed)
        self._rpm, self._errors, self._p95 = rpm, errors, p95
        self._ledger = Ledger(PLAN, colour="green", stable_colours=["blue"], grain_seconds=60)
        self._second = 0
        self._split, self._step = BLUE, -1

    def minute(self) -> tuple[GateResult, ...]:
        """One minute of requests, read two minutes later; returns what the gates conclude."""
        counts: dict[str, list[int]] = {}
        quantiles: dict[str, list[float]] = {}
        for name, rate, p95 in (("blue", 0.002, 212.0), ("green", self._errors, self._p95)):
            requests = round(self._rpm * self._split.percent_of(name) / 100)
            if requests:
                failed = sum(self._random.random() < rate for _ in range(requests))
                counts[name] = [requests, failed, 0, 0]
                middle = p95 * self._random.uniform(0.9, 1.1)
                quantiles[name] = [round(middle * part, 1) for part in (0.4, 0.8, 1.0, 1.4)]
        values = {"start": T0 + self._second, "seconds": 60, "counts": counts, "quantiles": quantiles}
        self._second += 60
        alone = self._split.percent_of("green") == 100
        self._ledger.feed(Interval.from_values(values), phase="live", step=self._step, alone=alone, warm=False)
        results = self._ledger.results(self._step)
        said = {one.gate: _values(one) for one in results}
        self.story.at(self._second + 120, Kind.EVIDENCE, intervals=[values], results=said)
        return results

    def to(self, step: int, *, seconds: int = 9, why: str = "pass", outcome: Outcome | None = None) -> None:
        """Change the weights, and begin to count again in the next whole minute."""
        back = step < 0
        to = Split(traffic={"blue": 100}) if back else split_at(BLUE, "green", PLAN.steps[step])
        direction = Direction.BACK if back else Direction.FORWARD
        order = Order(start=self._split, to=to, direction=direction, step=step, why=why, outcome=outcome)
        at = self._last + 1
        intent = self.story.at(at, Kind.INTENT, **order.as_values())
        update = len(self.story.events)
        self.story.at(
            at + seconds, Kind.APPLIED, intent=intent.seq, found=False, update=update, seconds={"up": seconds}
        )
        self._split, self._step = to, step
        self._second = -(-(at + seconds) // 60) * 60

    def now(self, kind: Kind, **data: Any) -> None:
        """An event one second after the last."""
        self.story.at(self._last + 1, kind, **data)

    def end(self, outcome: Outcome, reason: str) -> None:
        """The end, in the second of the last event."""
        totals = self._ledger.totals()
        self.story.at(
            self._last,
            Kind.ENDED,
            outcome=outcome.value,
            reason=reason,
            requests=totals.requests,
            errors=totals.errors,
            evidence={},
            synthetic=False,
            evidence_skipped=False,
            approved_by=[],
        )

    @property
    def _last(self) -> int:
        return self.story.events[-1].at - T0


def rolled_back() -> list[Event]:
    """Green fails every tenth request at 10 %, and a gate takes it back in 9 s; before, a person looked at it."""
    builder = Builder(7, rpm=200, errors=0.1, p95=225.0)
    builder.to(0, seconds=12)
    for minute in range(10):
        failed = [one for one in builder.minute() if one.verdict is Verdict.FAIL]
        if minute == 1:
            builder.now(Kind.PAUSED, by="ada", reason=HOSTILE)
            builder.now(Kind.RESUMED, by="ada", reason="it is only the dashboard", drift=None)
        if failed:
            reason = f"{failed[0].gate}: {failed[0].reason}"
            builder.now(Kind.VERDICT, gate=failed[0].gate, reason=reason)
            builder.to(-1, seconds=8, why=reason, outcome=Outcome.ROLLED_BACK)
            builder.end(Outcome.ROLLED_BACK, reason)
            return builder.story.events
    raise AssertionError("the gate never failed")


def done() -> list[Event]:
    """Green is as good as blue: 10 %, an approval, 50 %, 100 %, done."""
    builder = Builder(3, rpm=1800, errors=0.002, p95=209.0)
    for step in range(3):
        if step == 1:
            builder.now(Kind.HELD, hold="approval", reason="step 2 (50 %) needs an approval")
            builder.now(Kind.APPROVAL_REQUESTED, step=1, run="https://ci.example/runs/7")
            builder.now(Kind.APPROVED, by="bob", step=1, reason="numbers look right", run=None, unreviewed=False)
        builder.to(step)
        for _ in range(10):
            builder.minute()
    builder.end(Outcome.DONE, "all steps passed")
    return builder.story.events


RECORDS = {"rolled-back": rolled_back, "done": done}


def text_of(events: list[Event]) -> str:
    """The record as its file has it."""
    return "".join(f"{event.line()}\n" for event in events)


def read(name: str) -> tuple[Event, ...]:
    """The events of a record in this folder."""
    lines: Lines = read_lines((FOLDER / f"{name}.jsonl").read_bytes(), name)
    assert lines.broken is None, lines.broken
    fold(lines.events)
    return lines.events


def _values(result: GateResult) -> dict[str, Any]:
    values = {"ceiling": result.ceiling, "guard": result.guard, "versus": result.versus}
    rounded = {name: None if value is None else float(f"{value:.6g}") for name, value in values.items()}
    return {"verdict": result.verdict.value, **rounded}


if __name__ == "__main__":
    for name, build in RECORDS.items():
        (FOLDER / f"{name}.jsonl").write_text(text_of(build()))

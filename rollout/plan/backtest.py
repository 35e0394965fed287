"""A plan on recorded minutes: what it would have done, when, and why.

The minutes go through the same ledger and the same `decide` as a live rollout's, and its acts become events of a record
in memory. Counts are taken as they were recorded: the tests hold for any split of the requests, but at the plan's own
weights the new colour might have had more or fewer of them. A person approves at once and does nothing else. Gates on
saturation and checks of your own take no part, because nothing recorded them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from command_errors import UsageError
from rollout.decision.acts import Act, AskApproval, End, HoldFor, Move, Release, Reserve, Verify
from rollout.decision.decide import decide
from rollout.decision.order import Order, Outcome
from rollout.decision.situation import Evidence
from rollout.evidence.intervals import Counts, Interval
from rollout.plan.recorded import Recorded
from rollout.plan.schedule import minutes, splits_of
from rollout.record.event import Event, Kind
from rollout.record.fold import fold
from rollout.record.state import RolloutState
from rollout.split import Split
from rollout.tick.weighing import Weighing, tripped
from rollout_config import PlanSettings, plan_digest

ACTS_AT_ONCE = 20
"""More acts than this at one moment would never end; a rollout starts with four."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Something that the plan would have done."""

    at: int
    """UTC epoch seconds."""
    what: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Backtest:
    """What the plan would have done with the recorded minutes."""

    colour: str
    moments: tuple[Moment, ...]
    started_at: int
    until: int
    """When it ended, or where the recorded minutes end."""
    outcome: Outcome | None
    """None: the minutes end before the rollout."""
    reason: str
    step: int
    """Index of the step in which it ended; -1 before the first."""
    counts: Counts
    """Requests and errors of the new colour from the first weight until the end."""
    recorded_share: float | None
    """The part of the requests that the new colour had in these minutes, 0 to 1; None without requests."""

    def as_values(self) -> dict[str, Any]:
        """The backtest as JSON values."""
        return {
            "colour": self.colour,
            "outcome": None if self.outcome is None else self.outcome.value,
            "reason": self.reason,
            "step": self.step,
            "seconds": self.until - self.started_at,
            "requests": self.counts.requests,
            "errors": self.counts.errors,
            "recorded_share": None if self.recorded_share is None else round(self.recorded_share, 4),
            "moments": [{"at": each.at, "what": each.what, "why": each.why} for each in self.moments],
        }


def backtest(
    plan: PlanSettings, recorded: Recorded, *, colour: str, baseline: Split, settle_seconds: int | None = None
) -> Backtest:
    """Take a plan through recorded minutes, as if the rollout had started with the first of them.

    `settle_seconds` is how long a minute takes until it can be read; by default the record's or the plan's, else two
    intervals. Raises UsageError if the minutes have no such colour, or as `splits_of` does.
    """
    splits_of(plan, baseline, colour)
    names = sorted({name for interval in recorded.intervals for name in interval.counts})
    if colour not in names:
        raise UsageError(
            f"the recorded minutes have no {colour}, only {', '.join(names)}. Name another colour with --to."
        )
    known = (settle_seconds, recorded.settle_seconds, plan.settle_seconds, 2 * recorded.grain_seconds)
    settle = next(seconds for seconds in known if seconds is not None)
    return _Backtest(plan, recorded, colour, baseline, settle).run()


class _Backtest:
    def __init__(
        self, plan: PlanSettings, recorded: Recorded, colour: str, baseline: Split, settle_seconds: int
    ) -> None:
        self.plan, self.colour, self.settle = plan, colour, settle_seconds
        self.minutes, self.grain = recorded.intervals, recorded.grain_seconds
        self.others = tuple(name for name in baseline.traffic if name != colour)
        self.moments: list[Moment] = []
        self.now = self.minutes[0].start
        self.read = 0
        started = {
            "id": "backtest",
            "project": "",
            "stack": "",
            "endpoint": "",
            "workspace": "",
            "subscription": "",
            "actor": "backtest",
            "colour": colour,
            "stable": max(self.others, key=baseline.percent_of, default=colour),
            "colours": {},
            "baseline": baseline.as_values(),
            "plan": plan.as_values(),
            "plan_digest": plan_digest(plan),
            "grain": self.grain,
            "settle": settle_seconds,
        }
        self.state: RolloutState = fold([Event(seq=0, at=self.now, kind=Kind.STARTED, data=started)])
        self.weighing = Weighing(self.state)

    def run(self) -> Backtest:
        end = self.minutes[-1].end + self.settle
        while self.now <= end and self.state.ended is None:
            self.read_settled()
            for _ in range(ACTS_AT_ONCE):
                if not self.act(decide(self.plan, self.state, self.evidence(), self.now)) or self.state.ended:
                    break
            self.now += self.grain
        ended, until = self.state.ended, min(self.now - self.grain, self.minutes[-1].end)
        seen = [each for each in self.minutes if self.first_weight() <= each.start and each.end <= until]
        mine = _sum(seen, (self.colour,))
        everything = mine + _sum(seen, self.others)
        return Backtest(
            colour=self.colour,
            moments=tuple(self.moments),
            started_at=self.state.started_at,
            until=until,
            outcome=None if ended is None else ended.outcome,
            reason=self.unfinished() if ended is None else ended.reason,
            step=max(span.step for span in self.state.spans),
            counts=mine,
            recorded_share=mine.requests / everything.requests if everything.requests else None,
        )

    def first_weight(self) -> int:
        return next((span.since for span in self.state.spans if span.step >= 0), self.now)

    def unfinished(self) -> str:
        where = f"the recorded minutes end in step {self.state.step + 1} of {len(self.plan.steps)}"
        held = self.state.held
        return where if held is None else f"{where}, which is held ({held.kind.value}): {held.reason}"

    def read_settled(self) -> None:
        """Write the minutes that can be read by now to the record, and weigh them."""
        settled = []
        while self.read < len(self.minutes) and self.minutes[self.read].end <= self.now - self.settle:
            settled.append(self.minutes[self.read])
            self.read += 1
        if not settled:
            return
        self.append(Kind.EVIDENCE, {"intervals": [each.as_values() for each in settled], "results": {}})
        self.weighing.follow(self.state)

    def evidence(self) -> Evidence:
        young = [each for each in self.minutes[self.read :] if each.end <= self.now]
        return Evidence(
            results=self.weighing.results(self.state),
            tripwire=tripped(self.state, young),
            live=self.state.weights,
            settled_until=self.now - self.settle,
            requests_in_step=self.weighing.requests_in_step(self.state),
        )

    def append(self, kind: Kind, data: Mapping[str, Any]) -> None:
        self.state = fold([Event(seq=self.state.events, at=self.now, kind=kind, data=data)], start=self.state)

    def tell(self, what: str, why: str) -> None:
        self.moments.append(Moment(at=self.now, what=what, why=why))

    def act(self, act: Act) -> bool:
        """Carry out an act; False if nothing happens before the next interval."""
        match act:
            case Move():
                self.move(act.order, act.verdict)
            case End():
                self.end(act.outcome, act.reason)
            case Verify():
                self.append(Kind.VERIFIED, {"counted": 0, "settle": self.settle, "skipped": True})
            case Reserve():
                self.append(Kind.RESERVED, {"deployment": self.state.stable, "minimum": None, "was": None})
            case HoldFor():
                self.append(Kind.HELD, {"hold": act.kind.value, "reason": act.reason})
                self.tell(f"held ({act.kind.value})", act.reason)
            case Release():
                self.append(Kind.RELEASED, {"hold": self.state.held, "reason": act.reason})
                self.tell("released", act.reason)
            case AskApproval():
                self.append(Kind.APPROVAL_REQUESTED, {"step": act.step, "run": None})
                self.append(Kind.APPROVED, {"by": "backtest", "reason": "", "run": None, "step": act.step})
                self.tell(f"approved step {act.step + 1}", "a backtest approves at once")
            case _:
                return False
        return True

    def move(self, order: Order, verdict: str | None) -> None:
        before = self.state.weights
        if verdict is not None:
            self.append(Kind.VERDICT, {"gate": None, "reason": verdict, "value": None})
        intent = self.state.events
        self.append(Kind.INTENT, order.as_values())
        self.append(Kind.APPLIED, {"intent": intent, "found": False, "update": None, "seconds": 0})
        if order.to != before:
            old, new = before.percent_of(self.colour), order.to.percent_of(self.colour)
            copies = order.to.mirror.get(self.colour)
            self.tell(f"{self.colour} {f'mirrored {copies} %' if copies else f'{old} → {new} %'}", order.why)
        if order.outcome is not None:
            self.end(order.outcome, order.why)

    def end(self, outcome: Outcome, reason: str) -> None:
        self.append(Kind.ENDED, {"outcome": outcome.value, "reason": reason})
        self.tell(outcome.value.replace("_", " "), reason)


def render_backtest(result: Backtest) -> list[str]:
    """The moments line by line, then how it ended and what the new colour served until then."""
    lines = [
        f"{_time(each.at)}  +{minutes(each.at - result.started_at)}  {each.what}: {each.why}" for each in result.moments
    ]
    if result.outcome is None:
        lines.append(f"not ended: {result.reason}")
    took, counts = minutes(result.until - result.started_at), result.counts
    lines.append(
        f"in {took}, {result.colour} answered {counts.requests:,} requests, {counts.errors:,} of them with an error"
    )
    if result.recorded_share is not None:
        lines.append(
            f"counts are as recorded: {result.colour} had {result.recorded_share * 100:.0f} % of the requests, "
            "whatever the plan would have given it"
        )
    return lines


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _sum(intervals: list[Interval], colours: tuple[str, ...]) -> Counts:
    return sum((interval.counts_of(name) for interval in intervals for name in colours), Counts())

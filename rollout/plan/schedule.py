"""The steps of a plan at one endpoint: what each changes, when it can begin, and how many requests it gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from command_errors import UsageError
from rollout.plan.endpoint_facts import EndpointFacts
from rollout.plan.lint import span
from rollout.split import Split, split_at
from rollout_config import PlanSettings, StepSettings


@dataclass(frozen=True, kw_only=True)
class PlannedStep:
    """One step, if nothing goes wrong. Times are seconds from the first change of weights."""

    step: StepSettings
    before: Split
    after: Split
    begins: float | None
    """When its weights are set at the earliest; None: never, because the step before gets no requests."""
    ends: float | None
    """When it can pass at the earliest: after its bake, with its requests, and with settled metrics."""
    requests: float | None
    """Requests of the new colour until it can pass; None: the traffic is unknown."""
    needs: int
    """Requests of the new colour without which it does not pass."""

    def describe_change(self) -> str:
        """The difference to the weights before: `blue 100 → 90 %, green 0 → 10 %`."""
        changes = [
            f"{prefix}{name} {old.get(name, 0)} → {new.get(name, 0)} %"
            for prefix, old, new in (
                ("", self.before.traffic, self.after.traffic),
                ("mirror ", self.before.mirror, self.after.mirror),
            )
            for name in sorted({*old, *new})
            if old.get(name, 0) != new.get(name, 0)
        ]
        return ", ".join(changes) or "no change"

    def as_values(self) -> dict[str, object]:
        """The step as JSON values."""
        return {
            "before": self.before.as_values(),
            "after": self.after.as_values(),
            "approve": self.step.approve,
            "bake_seconds": self.step.bake_seconds,
            "begins_seconds": self.begins,
            "ends_seconds": self.ends,
            "requests": None if self.requests is None else round(self.requests),
            "needs_requests": self.needs,
        }


def splits_of(plan: PlanSettings, baseline: Split, colour: str) -> tuple[Split, ...]:
    """The weights of each step. Raises UsageError if no other colour has weight to share the rest of a step."""
    try:
        return tuple(split_at(baseline, colour, step) for step in plan.steps)
    except ValueError as error:
        raise UsageError(f"{error}. Name the colour that is to be rolled out with --to.") from error


def schedule(plan: PlanSettings, facts: EndpointFacts) -> tuple[PlannedStep, ...]:
    """The steps with their earliest times. Approvals take no time here. Raises UsageError as `splits_of` does."""
    settle = plan.settle_seconds if plan.settle_seconds is not None else 2 * facts.grain_seconds
    planned: list[PlannedStep] = []
    before, now = facts.baseline, 0.0
    reachable = True
    for step, after in zip(plan.steps, splits_of(plan, facts.baseline, facts.colour), strict=True):
        rpm, needs = facts.canary_rpm(plan, step), plan.min_requests_of_a_step
        begins = now if reachable else None
        requests: float | None = None
        if rpm is not None:
            watched = max(step.bake_seconds, needs * 60 / rpm) if rpm else step.bake_seconds
            requests = rpm * watched / 60
            reachable = reachable and rpm > 0
        else:
            watched = step.bake_seconds
        now += watched + settle
        ends = now if reachable else None
        planned.append(
            PlannedStep(step=step, before=before, after=after, begins=begins, ends=ends, requests=requests, needs=needs)
        )
        before = after
    return tuple(planned)


def render_schedule(planned: tuple[PlannedStep, ...]) -> list[str]:
    """The steps as a table: number, change, earliest time, bake, requests."""
    rows = [("step", "change of weights", "earliest", "bake", "requests (needs)")]
    for number, each in enumerate(planned, start=1):
        if each.begins is None:
            earliest = "never"
        else:
            earliest = f"+{minutes(each.begins)}{' after a yes' if each.step.approve else ''}"
        requests = "unknown" if each.requests is None else f"{each.requests:.0f}"
        rows.append((str(number), each.describe_change(), earliest, each.step.bake, f"{requests} ({each.needs})"))
    lines = aligned(rows)
    if planned and planned[-1].ends is not None:
        lines.append(f"done at the earliest after {minutes(planned[-1].ends)}")
    elif planned:
        lines.append("never done: without requests there is no evidence")
    return lines


def minutes(seconds: float) -> str:
    """A length of time in whole minutes, such as 65m; below two minutes in seconds."""
    return f"{round(seconds / 60)}m" if seconds >= 120 or not seconds % 60 else span(seconds)


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows as lines with columns below each other, two spaces apart."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]

"""What is wrong with a plan at one endpoint: what refuses it, and what a person should know before it starts.

Pure. The schema has checked each value by itself (`rollout_config.py`); here the plan meets the limits of the stack,
the endpoint's traffic and its instances.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from gate_config import Gate
from problem import Problem
from rollout.plan.endpoint_facts import EndpointFacts
from rollout_config import PlanSettings, StepSettings

LEAST_INTERVALS = 3
"""A bake below so many intervals is decided by one or two of them."""

HIGHEST_CEILING = 0.95
"""The ceiling test compares with error rates of at most this, so it needs a lower `max` (evidence/error_rate.py)."""

SMALL_STEP_PERCENT = 10
"""The weight that is suggested in place of a smaller one on a quiet endpoint."""

SMALL_STEP_REQUESTS = 30
"""With fewer requests, an error rate of 10 % often shows no error at all (rule of three)."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a plan must not be, and what it had better not be; each in the order of the plan."""

    refusals: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def check_plan(plan: PlanSettings, facts: EndpointFacts) -> Findings:
    """Everything that is wrong with a plan at an endpoint. Without `rpm` there is no warning about traffic."""
    lint = _Lint(plan, facts)
    refusals = (*lint.steps_above_limits(), *lint.never_done(), *lint.never_decided())
    warnings = (
        *lint.short_bakes(),
        *lint.mirrors(),
        *lint.few_instances(),
        *lint.little_traffic(),
        *lint.rough_latency(),
    )
    return Findings(refusals=refusals, warnings=warnings)


def render_findings(findings: Findings) -> list[str]:
    """One line for each finding, refusals first."""
    return [
        *(f"refused: {problem}" for problem in findings.refusals),
        *(f"warning: {problem}" for problem in findings.warnings),
    ]


class _Lint:
    def __init__(self, plan: PlanSettings, facts: EndpointFacts) -> None:
        self.plan, self.facts = plan, facts

    def problem(self, key: str, what: str, fix: str) -> Problem:
        return Problem(f"{self.facts.plan_key}{key}", what, fix)

    def key_of(self, step: StepSettings, field: str) -> str:
        """Where a step stands; the steps of a preset stand nowhere but in it."""
        if self.plan.preset is not None:
            return ".preset"
        return f".steps[{self.plan.steps.index(step)}].{field}"

    # -- what refuses a plan

    def steps_above_limits(self) -> Iterator[Problem]:
        limit = self.facts.max_mirror
        for step in self.plan.steps:
            if step.is_mirror and step.percent > limit:
                yield self.problem(
                    self.key_of(step, "mirror"),
                    f"must be at most {limit} (sluice:limits.max_mirror), got {step.percent}",
                    f"Set it to {limit} or less in {self.facts.fix_file}, or raise sluice:limits.max_mirror.",
                )
        start = self.facts.baseline.percent_of(self.facts.colour)
        weights = [start, *(step.percent for step in self.plan.live_steps)]
        for (before, after), step in zip(pairwise(weights), self.plan.live_steps, strict=True):
            if after - before > self.facts.max_step:
                between = before + self.facts.max_step
                fix = (
                    f"Write the steps out with one at {between} between them"
                    if self.plan.preset is not None
                    else f"Add a step with weight {between} before it"
                )
                yield self.problem(
                    self.key_of(step, "weight"),
                    f"must not raise the weight by more than {self.facts.max_step} percent in one update "
                    f"(sluice:limits.max_step), got {before} to {after}",
                    f"{fix} in {self.facts.fix_file}, or raise sluice:limits.max_step.",
                )

    def never_done(self) -> Iterator[Problem]:
        plan, facts = self.plan, self.facts
        if not plan.live_steps:
            yield self.problem(
                ".steps",
                f"must end at weight 100, got mirror steps only, after which {facts.colour} would still get no request",
                f"Add steps with a weight, up to 100, in {facts.fix_file}.",
            )
        settle = plan.settle_seconds if plan.settle_seconds is not None else 2 * facts.grain_seconds
        for step in plan.steps:
            deadline = plan.step_deadline_seconds(step)
            if step.bake_seconds + settle > deadline:
                yield self.problem(
                    ".step_deadline",
                    f"must leave time for a bake of {step.bake} and for {span(settle)} until the metrics are complete "
                    f"({describe_step(step)}), got {plan.step_deadline or span(deadline)}",
                    f"Raise step_deadline to at least {span(step.bake_seconds + settle)} in {facts.fix_file}, or "
                    "remove it for six times the bake.",
                )
        bakes = sum(step.bake_seconds for step in plan.steps)
        if bakes > plan.max_execution_seconds:
            yield self.problem(
                ".max_execution_time",
                f"must be at least the bakes of all steps together ({span(bakes)}), got {plan.max_execution_time}",
                f"Raise max_execution_time in {facts.fix_file}, or shorten the bakes.",
            )

    def never_decided(self) -> Iterator[Problem]:
        plan, facts = self.plan, self.facts
        gates = plan.gates
        if gates.error_rate is not None and (gates.error_rate.max or 0) >= HIGHEST_CEILING:
            yield self.problem(
                ".gates.error_rate.max",
                f"must be below {HIGHEST_CEILING:g}, got {gates.error_rate.max:g}: no error rate is high enough to be "
                "evidence against it",
                f"Set the highest error rate that callers can bear, such as 0.01, in {facts.fix_file}.",
            )
        named = list(gates.named())
        if all(gate.dry_run for _, gate in named):
            got = "none" if not named else f"{', '.join(name for name, _ in named)}, with dry_run: true each"
            yield self.problem(
                ".gates",
                f"must have a gate that acts, because only evidence advances a rollout, got {got}",
                f"Add one, such as error_rate: {{max: 0.01, vs_stable: 1.5}}, in {facts.fix_file}.",
            )
        elif self.compares_only() and all(step.percent == 100 for step in plan.live_steps) and plan.live_steps:
            compared = [name for name, gate in named if not gate.dry_run]
            yield self.problem(
                ".gates",
                "must have a bound that needs no other colour, because the plan has no step below 100 percent in which "
                f"the colours could be compared, got {', '.join(compared)} with vs_stable only",
                f"Add a bound such as error_rate.max in {facts.fix_file}, or a step below 100.",
            )

    def compares_only(self) -> bool:
        """Whether each gate that acts needs requests of another colour in the same interval."""
        gates = self.plan.gates
        alone: list[Gate] = [gate for gate in (gates.saturation, *gates.checks.values()) if gate is not None]
        if gates.error_rate is not None and gates.error_rate.max is not None:
            alone.append(gates.error_rate)
        alone += [gate for gate in gates.latency.values() if gate.max_ms is not None]
        return all(gate.dry_run for gate in alone)

    # -- what a person should know

    def short_bakes(self) -> Iterator[Problem]:
        least = LEAST_INTERVALS * self.facts.grain_seconds
        for step in self.plan.steps:
            if step.bake_seconds < least:
                yield self.problem(
                    self.key_of(step, "bake"),
                    f"should be at least {LEAST_INTERVALS} intervals of the metrics ({span(least)}), got {step.bake}: "
                    f"{describe_step(step)} would be decided by one or two of them",
                    f"Set it to {span(least)} or more in {self.facts.fix_file}.",
                )

    def mirrors(self) -> Iterator[Problem]:
        for step in self.plan.steps:
            if step.is_mirror:
                yield self.problem(
                    self.key_of(step, "mirror"),
                    f"copies {step.percent} % of the requests, and whether Azure counts copies in its metrics is "
                    "unverified: without counts this step never passes",
                    "Watch its first intervals; remove the step if the new colour shows no requests.",
                )

    def few_instances(self) -> Iterator[Problem]:
        """The old colours serve 100 % with what they have; the same load for each instance is the measure."""
        facts = self.facts
        own = facts.instances.get(facts.colour)
        others = sum(facts.instances.get(name, 0) for name in facts.baseline.traffic if name != facts.colour)
        if own is None or not others:
            return
        short = [step for step in self.plan.steps if math.ceil(others * step.percent / 100) > own]
        if short:
            step = short[0]
            needed = math.ceil(others * step.percent / 100)
            yield self.problem(
                self.key_of(step, "mirror" if step.is_mirror else "weight"),
                f"gives {facts.colour} {step.percent} % of what {others} instances of the other colours serve, which "
                f"needs {needed} by the same measure, and {facts.colour} may have {own}",
                f"Raise sluice:endpoints.{facts.key}.deployments.{facts.colour}.instances, or the maximum of its "
                f"autoscale, in {facts.fix_file}.",
            )

    def little_traffic(self) -> Iterator[Problem]:
        """Steps that cannot get their requests in time, and steps too small to show more than that a colour answers."""
        plan, needed = self.plan, self.plan.min_requests_of_a_step
        for step in plan.steps:
            rpm = self.facts.canary_rpm(plan, step)
            if rpm is None:
                continue
            deadline = plan.step_deadline_seconds(step)
            expected = rpm * deadline / 60
            if expected < needed:
                wanted = _least_percent(self.facts.rpm_of(plan) or 0, needed, deadline)
                fix = f"Give it {wanted} % or more" if wanted else "Set load, for requests of the controller's own"
                yield self.problem(
                    self.key_of(step, "mirror" if step.is_mirror else "weight"),
                    f"gets about {expected:.0f} requests until its deadline of {span(deadline)} "
                    f"({rpm:.3g} a minute), and needs {needed} (min_requests)",
                    f"{fix}, raise step_deadline, or lower min_requests in {self.facts.fix_file}.",
                )
            elif (
                not step.is_mirror
                and step.percent < SMALL_STEP_PERCENT
                and rpm * step.bake_seconds / 60 < SMALL_STEP_REQUESTS
            ):
                yield self.problem(
                    self.key_of(step, "weight"),
                    f"gets about {rpm * step.bake_seconds / 60:.0f} requests in its bake ({rpm:.3g} a minute), which "
                    "show only whether the colour answers at all",
                    f"Begin at {SMALL_STEP_PERCENT} % in {self.facts.fix_file}, or lengthen the bake.",
                )

    def rough_latency(self) -> Iterator[Problem]:
        for quantile, gate in self.plan.gates.latency.items():
            needed = round(1 / (1 - quantile))
            rates = [self.facts.canary_rpm(self.plan, step) for step in self.plan.live_steps]
            per_interval = [rate * self.facts.grain_seconds / 60 for rate in rates if rate is not None]
            silent = [
                f"{step.percent} %"
                for step, requests in zip(self.plan.live_steps, per_interval, strict=False)
                if requests < needed
            ]
            if not silent or gate.dry_run:
                continue
            name = f"latency_p{round(quantile * 100)}"
            if len(silent) == len(self.plan.live_steps):
                fix = f"Use a lower percentile in {self.facts.fix_file}, or set load."
            else:
                fix = "The gate speaks from the next step on; lengthen that step's bake if latency matters."
            yield self.problem(
                f".gates.{name}",
                f"needs about {needed} requests of the new colour in an interval of {span(self.facts.grain_seconds)}, "
                f"because with fewer the percentile is their maximum; at {', '.join(silent)} there are fewer",
                fix,
            )


def describe_step(step: StepSettings) -> str:
    """`the step at 10 %`, or `the mirror step at 20 %`."""
    return f"the {'mirror ' if step.is_mirror else ''}step at {step.percent} %"


def span(seconds: float) -> str:
    """A length of time as a stack file has it, in the largest unit without a fraction: 90s, 5m, 2h."""
    whole = math.ceil(seconds)
    for unit, size in (("h", 3600), ("m", 60)):
        if whole and whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def _least_percent(rpm: float, needed: int, deadline_seconds: int) -> int | None:
    """The smallest share that gets `needed` requests in time; None if not even 100 % does."""
    possible = rpm * deadline_seconds / 60
    return math.ceil(100 * needed / possible) if possible >= needed else None

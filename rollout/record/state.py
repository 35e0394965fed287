"""The state of a rollout: what its record adds up to. `fold.fold` computes it; nothing else makes one up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from rollout.decision.order import Intent, Outcome
from rollout.evidence.intervals import Interval
from rollout.instances import Floor
from rollout.split import Split
from rollout_config import PlanSettings, StepSettings

DriftAnswer = Literal["restore", "adopt", "replan"]


class Phase(StrEnum):
    """How far a rollout has come. What holds it is beside the phase: `HoldKind`."""

    PREPARE = "prepare"
    """The new colour has no weight; it must be healthy."""
    VERIFY = "verify"
    """Counted requests were sent straight to the new colour; the metric must show their exact number."""
    RESERVE = "reserve"
    """The stable colour is to keep its instances."""
    MIRROR = "mirror"
    LIVE = "live"
    BAKE = "bake"
    """The last step: at 100 %."""
    DONE = "done"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"
    SUPERSEDED = "superseded"


class HoldKind(StrEnum):
    """What holds a rollout."""

    APPROVAL = "approval"
    PAUSED = "paused"
    DRIFT = "drift"
    INCIDENT = "incident"
    INCONCLUSIVE = "inconclusive"
    """Also: saturation, checks, capacity, observed split, a deadline."""
    METRICS = "metrics"
    ENGINE = "engine"
    NO_WAY_BACK = "no_way_back"


WAITS_FOR_A_PERSON = frozenset({HoldKind.APPROVAL, HoldKind.PAUSED, HoldKind.DRIFT})
"""The time of these holds counts neither for `step_deadline` nor for `max_execution_time`."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """A time in which the record says that weights did not change: `[since, until)`, until None while it lasts."""

    since: int
    split: Split
    step: int
    until: int | None = None


@dataclass(frozen=True, kw_only=True)
class Placement:
    """What an interval is evidence about."""

    step: int
    phase: Literal["mirror", "live"]
    alone: bool
    """The new colour has 100 %."""
    warm: bool
    """It lies inside the step's `warm_up`."""


@dataclass(frozen=True, kw_only=True)
class Probes:
    """The counted requests of `verify`."""

    at: int
    start: int
    sent: int


@dataclass(frozen=True, kw_only=True)
class Back:
    """The decision to go back, by a gate or a person. From here on there is no forward."""

    outcome: Outcome
    why: str
    keep_weights: bool = False


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How and when a rollout ended."""

    at: int
    outcome: Outcome
    reason: str


@dataclass(frozen=True, kw_only=True)
class Hold:
    """What holds a rollout, and since when."""

    kind: HoldKind
    reason: str
    since: int

    @property
    def stops_the_bake(self) -> bool:
        """An approval does not: it is asked for when the bake is over."""
        return self.kind is not HoldKind.APPROVAL


@dataclass(frozen=True, kw_only=True)
class RolloutState:
    """Everything that decides about a rollout. Times are seconds since 1970, durations are seconds."""

    id: str
    project: str
    stack: str
    endpoint: str
    """Its key in the stack file."""
    workspace: str
    subscription: str
    colour: str
    stable: str
    """The colour that was stable at the start."""
    declared_stable: str
    """What `stable` in the stack file is to be now."""
    releases: Mapping[str, str | None]
    """`sluice:release` of the new colour and of every colour of the baseline."""
    contents: Mapping[str, str | None]
    """Content digest of the same colours."""
    baseline: Split
    plan: PlanSettings
    plan_digest: str
    started_at: int
    started_by: str
    grain_seconds: int
    settle_seconds: int
    synthetic: bool = False
    endpoint_name: str | None = None
    """In Azure; None where the record does not say."""
    auth_mode: str | None = None
    """The endpoint's at the start; None where the record does not say."""
    identity_ids: frozenset[str] | None = None
    """ARM ids of the endpoint's user-assigned identities at the start; None where the record does not say."""

    phase: Phase = Phase.PREPARE
    step: int = -1
    """Index of the step whose weights are applied; -1 before the first."""
    weights: Split
    """Applied last."""
    weights_since: int
    held: Hold | None = None
    paused: str | None = None
    """Who paused it and why; stays while something else holds the rollout as well."""
    held_in_step: int = 0
    """Seconds of holds that have ended, since the weights were applied: the bake does not count them."""
    waited_in_step: int = 0
    """Those of them that were waiting for a person."""
    clock_since: int
    """Where `max_execution_time` starts: the start, or the last `resumed`."""
    waited: int = 0
    """Seconds since `clock_since` that were waiting for a person."""
    step_clock_since: int
    """Where `step_deadline` starts: where the weights were applied, or the last `resumed`."""

    probes: Probes | None = None
    probe_problem: str | None = None
    floor_settled: bool = False
    """The stable colour's autoscale minimum was looked at, and raised where necessary."""
    reserved: Floor | None = None
    """What is raised, or about to be: from before the edit of the stack file until it was given back."""
    reserve_failures: int = 0
    """How often in a row it could not be raised, or given back."""
    approved: Mapping[int, str] = field(default_factory=dict)
    """Who approved, by step."""
    approval_requested: frozenset[int] = frozenset()
    promoted_by: str | None = None
    back: Back | None = None
    back_decided_at: int | None = None
    """When the way back was decided; stays after the end."""
    without_engine: bool = False
    """The way back was taken by break-glass; stays after the end."""
    drift_answer: DriftAnswer | None = None
    pending: tuple[str, ...] = ()
    """Other changes of the stack that a preview showed; a person looks at them and resumes."""
    drift_told: str | None = None
    """Digest of the drift that the record told last."""
    metrics_errors: int = 0
    """Readings in a row that failed."""
    open_intent: Intent | None = None
    broken_glass: bool = False
    """Weights were set without the engine, and file and state have not followed yet."""
    spans: tuple[Span, ...] = ()
    intervals: tuple[Interval, ...] = ()
    evidence_since: int = 0
    """Intervals before are no evidence: the plan or the stable colour was replaced since."""
    observed_steps: frozenset[int] = frozenset()
    evidence_skipped: bool = False
    """A step was taken by `promote`."""
    ended: Ended | None = None
    retiring: str | None = None
    """How the old colour is being retired: from before the edit of the stack file until `retired`."""
    retired: bool = False
    last_at: int
    """Time of the last event."""
    events: int
    """Number of events so far: `seq` of the next."""

    @property
    def is_over(self) -> bool:
        """It has ended, and no way back was asked for since."""
        return self.ended is not None and self.back is None

    @property
    def current_step(self) -> StepSettings | None:
        """The step whose weights are applied; None before the first."""
        return self.plan.steps[self.step] if self.step >= 0 else None

    @property
    def read_until(self) -> int:
        """The end of the last interval in the record; before there is one, the start."""
        return self.intervals[-1].end if self.intervals else self.started_at

    @property
    def stable_colours(self) -> tuple[str, ...]:
        """The colours of the baseline, without the new one."""
        return tuple(name for name in self.baseline.traffic if name != self.colour)

    def held_seconds(self, now: int) -> int:
        """Seconds since the weights were applied in which the bake did not run."""
        running = now - max(self.held.since, self.weights_since) if self.held and self.held.stops_the_bake else 0
        return self.held_in_step + max(0, running)

    def step_seconds(self, now: int) -> int:
        """How long the step has taken, without waiting for a person: what `step_deadline` limits."""
        return now - self.step_clock_since - self.waited_in_step - self._waiting(now, self.step_clock_since)

    def execution_seconds(self, now: int) -> int:
        """How long the rollout has taken, without waiting for a person: what `max_execution_time` limits."""
        return now - self.clock_since - self.waited - self._waiting(now, self.clock_since)

    def placement(self, interval: Interval) -> Placement | None:
        """What an interval is evidence about; None if weights changed in it or the new colour got no requests."""
        if interval.start < self.evidence_since:
            return None
        for span in self.spans:
            if span.since <= interval.start and (span.until is None or interval.end <= span.until):
                if span.step < 0:
                    return None
                step = self.plan.steps[span.step]
                return Placement(
                    step=span.step,
                    phase="mirror" if step.is_mirror else "live",
                    alone=span.split.percent_of(self.colour) == 100,
                    warm=interval.start < span.since + step.warm_up_seconds,
                )
        return None

    def _waiting(self, now: int, since: int) -> int:
        if self.held is None or self.held.kind not in WAITS_FOR_A_PERSON:
            return 0
        return max(0, now - max(self.held.since, since))

"""What a decision may ask the controller to do: one act per tick."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.decision.order import Intent, Order, Outcome
from rollout.decision.situation import Drift
from rollout.instances import Floor
from rollout.record.state import HoldKind


@dataclass(frozen=True, kw_only=True)
class Move:
    """Change the weights. `verdict` is why a gate or the canary's health forces it; it becomes an event first."""

    order: Order
    verdict: str | None = None


@dataclass(frozen=True, kw_only=True)
class Resume:
    """Carry out the open change, which Azure does not have yet."""

    intent: Intent


@dataclass(frozen=True, kw_only=True)
class Confirm:
    """Azure has what the open change asks for: write it down."""

    intent: Intent


@dataclass(frozen=True, kw_only=True)
class Withdraw:
    """Give the open change up; Azure does not have it."""

    intent: Intent
    reason: str


@dataclass(frozen=True, kw_only=True)
class BreakGlass:
    """Set the weights of the way back without the engine."""

    intent: Intent
    reason: str


@dataclass(frozen=True, kw_only=True)
class Reconcile:
    """After break-glass, let file and state follow."""

    intent: Intent


@dataclass(frozen=True, kw_only=True)
class HoldFor:
    """Hold the rollout; said once in the record."""

    kind: HoldKind
    reason: str
    drift: tuple[Drift, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Release:
    """The cause of the hold is gone."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Nothing to do before `until`."""

    until: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class AskApproval:
    """Hold until a person approves the step."""

    step: int


@dataclass(frozen=True)
class Verify:
    """Send the counted requests, or skip them where the plan says so."""


@dataclass(frozen=True, kw_only=True)
class Verified:
    """The metric shows the probes exactly, `settle` seconds after the first."""

    settle: int


@dataclass(frozen=True, kw_only=True)
class Reserve:
    """Raise the stable colour's autoscale minimum, or go on with it; None: there is nothing to raise."""

    floor: Floor | None


@dataclass(frozen=True, kw_only=True)
class RestoreFloor:
    """Raise the floor again over what somebody else has written: a person asked for it."""

    floor: Floor


@dataclass(frozen=True, kw_only=True)
class AdoptFloor:
    """Leave what somebody else has written, now and at the end; `floor` is what remains, None for nothing."""

    floor: Floor | None


@dataclass(frozen=True, kw_only=True)
class GiveBack:
    """The rollout has ended: the floor returns to what it was."""

    floor: Floor


@dataclass(frozen=True, kw_only=True)
class End:
    """End without a change of weights."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True, kw_only=True)
class Retire:
    """After the rollback window, retire the colour that had the weight before."""

    deployment: str
    how: str


Act = (
    Move
    | Resume
    | Confirm
    | Withdraw
    | BreakGlass
    | Reconcile
    | HoldFor
    | Release
    | Wait
    | AskApproval
    | Verify
    | Verified
    | Reserve
    | RestoreFloor
    | AdoptFloor
    | GiveBack
    | End
    | Retire
)

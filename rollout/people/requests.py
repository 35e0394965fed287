"""What a person may do to a rollout: pause, resume, approve, reject, promote, roll back, abort.

Pure: each function returns the event that the record gets (`Deed`), or raises UsageError with the reason and the way
out. None changes a weight; the next tick does. A repeated command is no error: it returns None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from command_errors import UsageError
from rollout.decision.order import Outcome
from rollout.people.actor import Actor
from rollout.record.event import Kind
from rollout.record.state import DriftAnswer, HoldKind, RolloutState
from rollout.split import Split, split_at
from rollout_config import PlanSettings, plan_digest


@dataclass(frozen=True, kw_only=True)
class Deed:
    """An event for the record, and what to tell the person."""

    kind: Kind
    data: Mapping[str, Any]
    told: str


def pause(state: RolloutState, actor: Actor, reason: str | None) -> Deed | None:
    """Hold the rollout until `resume`. Gates go on, and a failed one still takes the colour back."""
    _require_under_way(state, "pause")
    if state.paused:
        return None
    return Deed(
        kind=Kind.PAUSED,
        data=_signed(actor, reason),
        told=f"{state.id} is paused at {state.weights.describe()}. Gates still act. "
        f"Go on with `sluice rollout resume {state.endpoint} --stack {state.stack}`.",
    )


def resume(
    state: RolloutState,
    actor: Actor,
    reason: str | None,
    *,
    drift: DriftAnswer | None = None,
    live: Split | None = None,
    colours: Mapping[str, Mapping[str, str | None]] | None = None,
    plan: PlanSettings | None = None,
) -> Deed | None:
    """End a pause or a hold; `drift` answers drift.

    For "adopt", `live` is what Azure has, which must be the split of a step, and `colours` are the release and the
    content of each colour there; for "replan", `plan` is the stack file's.
    """
    _require_under_way(state, "resume")
    held = state.held.kind if state.held else None
    if held is HoldKind.APPROVAL and drift is None and not state.paused:
        raise UsageError(
            f"{state.id} waits for an approval, which `resume` does not give. Run `sluice rollout approve "
            f"{state.endpoint} --stack {state.stack}`, or `reject`."
        )
    if held is HoldKind.DRIFT and drift is None:
        raise UsageError(
            f"{state.id} is held by drift ({state.held.reason if state.held else ''}). Say which side is right: "
            "--restore puts the declared weights back, --adopt takes those that Azure has, --replan takes the plan of "
            f"the stack file. `sluice rollout rollback {state.endpoint} --stack {state.stack}` goes back."
        )
    if held is None and not state.paused and drift is None:
        return None
    data: dict[str, Any] = {**_signed(actor, reason), "drift": drift, "plan": None}
    told = "goes on"
    if drift == "adopt":
        told = f"adopts {_adopted(state, live).describe()}"
        if changed := _other_releases(state, colours or {}):
            data["colours"] = changed
            told += f" and the present release of {', '.join(changed)}, with evidence from now on"
    elif drift == "restore":
        told = f"restores {state.weights.describe()}"
    elif drift == "replan":
        new = _new_plan(state, plan)
        data["plan"] = new.as_values()
        told = f"takes the plan {plan_digest(new)[:12]} in place of {state.plan_digest[:12]}, with evidence from now on"
    return Deed(kind=Kind.RESUMED, data=data, told=f"{state.id} {told}; the next tick acts on it.")


def approve(state: RolloutState, person: Actor, reason: str | None) -> Deed | None:
    """Say yes to the step that waits for a person."""
    step = _step_that_asks(state, "approve")
    if step in state.approved:
        return None
    return Deed(
        kind=Kind.APPROVED,
        data={**_signed(person, reason), "step": step, "run": person.run, "unreviewed": person.unreviewed},
        told=f"{person} approved {_named(state, step)} of {state.id}; the next tick takes it if every gate passes.",
    )


def reject(state: RolloutState, person: Actor, reason: str | None) -> Deed | None:
    """Say no to the step that waits for a person: the rollout goes back."""
    step = _step_that_asks(state, "reject")
    if state.back is not None:
        return None
    return Deed(
        kind=Kind.REJECTED,
        data={**_signed(person, reason), "step": step, "run": person.run, "unreviewed": person.unreviewed},
        told=f"{person} rejected {_named(state, step)} of {state.id}; the next tick goes back to "
        f"{state.baseline.describe()}.",
    )


def promote(state: RolloutState, actor: Actor, reason: str | None) -> Deed | None:
    """Take the remaining steps without evidence. The record says so for ever."""
    _require_under_way(state, "promote")
    if not reason or not reason.strip():
        raise UsageError(
            "promote skips the evidence, so the record needs to say why. Give --reason, for example "
            "--reason 'fixes the outage INC-4711, checked by hand'."
        )
    if state.promoted_by is not None:
        return None
    return Deed(
        kind=Kind.PROMOTED,
        data=_signed(actor, reason),
        told=f"{state.id} takes its remaining steps without evidence; drift, capacity and preview still stop it.",
    )


def roll_back(
    state: RolloutState,
    actor: Actor,
    reason: str | None,
    *,
    now: int,
    outcome: Outcome = Outcome.ROLLED_BACK,
    keep_weights: bool = False,
) -> Deed | None:
    """Go back to the weights from before the rollout, from every state; also after `done`, inside the window.

    `outcome` ABORTED also bars the release; with `keep_weights` the weights stay as they are.
    """
    if state.back is not None:
        return None
    if state.ended is not None:
        if state.ended.outcome is not Outcome.DONE:
            return None
        _require_window(state, now)
    data = {**_signed(actor, reason), "outcome": outcome.value, "keep_weights": keep_weights}
    told = f"keeps {state.weights.describe()} and ends" if keep_weights else f"goes back to {state.baseline.describe()}"
    barred = "; its release can be started again only with --again" if outcome is Outcome.ABORTED else ""
    return Deed(kind=Kind.ROLLBACK_REQUESTED, data=data, told=f"{state.id} {told}{barred}.")


def _signed(actor: Actor, reason: str | None) -> dict[str, Any]:
    return {"by": actor.name, "reason": reason or None}


def _named(state: RolloutState, step: int) -> str:
    settings = state.plan.steps[step]
    return f"step {step + 1} of {len(state.plan.steps)} ({'mirror ' if settings.is_mirror else ''}{settings.percent} %)"


def _require_under_way(state: RolloutState, verb: str) -> None:
    if state.back is not None:
        raise UsageError(
            f"`{verb}` comes too late: {state.id} is on its way back ({state.back.why}). Let it finish with `sluice "
            f"rollout run {state.endpoint} --stack {state.stack}`."
        )
    if state.ended is not None:
        raise UsageError(
            f"`{verb}` needs a rollout that is under way, and {state.id} has ended ({state.ended.outcome}). Start "
            f"another one with `sluice rollout start {state.endpoint} --stack {state.stack}`."
        )


def _require_window(state: RolloutState, now: int) -> None:
    ended_at = state.ended.at if state.ended else now
    window = state.plan.rollback_window
    if state.retired or now > ended_at + state.plan.rollback_window_seconds:
        others = ", ".join(state.stable_colours)
        raise UsageError(
            f"{state.id} was done more than {window} ago (rollback_window), so {others} may no longer be as it was. "
            f"Roll {others} out as a new version: `sluice rollout start {state.endpoint} --stack {state.stack} --to "
            f"{state.stable}`."
        )


def _step_that_asks(state: RolloutState, verb: str) -> int:
    """The index of the step that waits for a person."""
    _require_under_way(state, verb)
    step = state.step + 1
    if step in state.approval_requested or (state.held and state.held.kind is HoldKind.APPROVAL):
        return step
    later = [_named(state, index) for index in range(step, len(state.plan.steps)) if state.plan.steps[index].approve]
    when = f"{later[0]} will ask when the steps before it have passed" if later else "no further step of its plan asks"
    raise UsageError(f"`{verb}`: {state.id} waits for no approval; {when}. `sluice rollout status` shows what it does.")


def _other_releases(
    state: RolloutState, colours: Mapping[str, Mapping[str, str | None]]
) -> dict[str, dict[str, str | None]]:
    """The colours of the baseline whose release is not the one of the record."""
    known = {name: colours[name] for name in state.stable_colours if name in colours}
    return {name: dict(now) for name, now in known.items() if now["release"] != state.releases.get(name)}


def _adopted(state: RolloutState, live: Split | None) -> Split:
    """The live split, if it is that of a step of the plan, or the one from before the rollout before its first step."""
    steps = [split_at(state.baseline, state.colour, step) for step in state.plan.steps]
    if live is None or live not in (steps if state.step >= 0 else [*steps, state.baseline]):
        known = "; ".join(split.describe() for split in steps)
        has = live.describe() if live else "no such endpoint"
        raise UsageError(
            f"--adopt takes only a split that a step of the plan has ({known}), and Azure has {has}. Use --restore, or "
            "roll back."
        )
    return live


def _new_plan(state: RolloutState, plan: PlanSettings | None) -> PlanSettings:
    """The plan of the stack file, if the rollout can go on with it at its present weights."""
    key = f"sluice:rollout.{state.endpoint}.plan"
    if plan is None:
        raise UsageError(f"--replan takes the plan of the stack file, and {key} is missing. Add it first.")
    if state.step >= 0:
        splits = [split_at(state.baseline, state.colour, step) for step in plan.steps]
        if state.weights not in splits:
            known = "; ".join(split.describe() for split in splits)
            raise UsageError(
                f"--replan: no step of {key} has the present weights {state.weights.describe()} (its steps: {known}). "
                "Add such a step, or roll back and start again."
            )
    return plan

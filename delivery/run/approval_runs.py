"""Approvals in pipelines: which run asks a person about a step, and what that person said. Pure.

The record says `approval_requested` without a run when a step begins to wait; once a run was dispatched, it says so
again with that run. If a runner dies in between, another run asks: a question asked twice does no harm, a lost one
would stop the rollout for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from command_errors import UsageError
from git_server.port import Approval
from rollout.people.actor import Actor
from rollout.people.requests import Deed
from rollout.record.event import Event, Kind
from rollout.record.state import HoldKind, RolloutState

_NOTHING = "Nothing was approved."


def waiting_step(state: RolloutState) -> int | None:
    """The index of the step that waits for a person; None if none does."""
    step = state.step + 1
    waits = state.held is not None and state.held.kind is HoldKind.APPROVAL
    asked = waits and step in state.approval_requested and step not in state.approved
    return step if asked and not state.is_over and state.back is None else None


def require_asked(state: RolloutState, rollout: str | None, step: int | None) -> None:
    """Raise UsageError if a review was about another rollout or another step (from 1) than the one that waits.

    None: whichever it is. Where no step waits, the approval itself says so.
    """
    if rollout is not None and rollout != state.id:
        raise UsageError(f"this run asks about the rollout {rollout}, and the last one is {state.id}. {_NOTHING}")
    waits = waiting_step(state)
    if step is not None and waits is not None and step != waits + 1:
        raise UsageError(f"this run asks about step {step} of {state.id}, and step {waits + 1} waits. {_NOTHING}")


def run_of(events: Iterable[Event], step: int) -> str | None:
    """The last run that was dispatched to ask about a step; None if there is none."""
    runs = [
        event.data.get("run")
        for event in events
        if event.kind is Kind.APPROVAL_REQUESTED and event.data.get("step") == step
    ]
    return next((str(run) for run in reversed(runs) if run), None)


def dispatched(state: RolloutState, step: int, run: str, url: str) -> Deed:
    """The event that says which run asks."""
    return Deed(
        kind=Kind.APPROVAL_REQUESTED,
        data={"step": step, "run": run},
        told=f"step {step + 1} of {state.id} waits for a reviewer: {url or f'run {run}'}",
    )


def rejection(approvals: Sequence[Approval], run_url: str) -> tuple[Actor, str] | None:
    """Who rejected a run and why; None if no person did, or a later review approved it."""
    people = [one for one in approvals if not one.is_bot and not Actor(name=one.user).is_bot]
    if not people or people[-1].state != "rejected":
        return None
    last = people[-1]
    return Actor(name=last.user, run=run_url or None), last.comment

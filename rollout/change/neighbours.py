"""Open changes of the stack's other endpoints, which its preview shows beside a step of this one.

A change that was begun and not finished leaves its weights or instance counts in the stack file. They are no reason to
stop the rollouts of other endpoints: an update here is limited to its own resources, so they do not ride along, and
their own rollout finishes or withdraws them. What no record explains stays a reason to stop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rollout.change.expected_changes import autoscale_update, removal, scale_down
from rollout.errors import BrokenRecord
from rollout.events import Change, Preview
from rollout.ports import Clock
from rollout.record.chain import Chain, record_files
from rollout.record.journal import Journal
from rollout.record.state import RolloutState


def unexplained(changes: Iterable[Change], endpoint_records: Path, clock: Clock) -> tuple[Change, ...]:
    """The changes that are not the open change of another endpoint; `endpoint_records` is the folder of this one."""
    changes = tuple(changes)
    opened = tuple(open_neighbours(endpoint_records, clock)) if changes else ()
    return tuple(change for change in changes if not any(_explains(state, change) for state in opened))


def open_neighbours(endpoint_records: Path, clock: Clock) -> Iterator[RolloutState]:
    """The rollouts of the stack's other endpoints that have an open change."""
    for folder in sorted(endpoint_records.parent.glob("*/")):
        files = record_files(folder) if folder != endpoint_records else []
        if not files:
            continue
        try:
            state = Journal(Chain(files[-1]), clock).state
        except BrokenRecord:
            continue
        if state.open_intent is not None or state.reserved is not None or state.retiring is not None:
            yield state


def _explains(state: RolloutState, change: Change) -> bool:
    return _is_of_weights(state, change) or _is_of_instances(state, change)


def _is_of_weights(state: RolloutState, change: Change) -> bool:
    name = state.endpoint_name
    if name is None or state.open_intent is None:
        return False
    return Preview(changes=(change,)).is_weights_update(name, state.open_intent.order.to)


def _is_of_instances(state: RolloutState, change: Change) -> bool:
    """A floor that is being raised or given back, or a colour that is being retired."""
    key, floor = state.endpoint, state.reserved
    if floor is not None and any(autoscale_update(key, floor.deployment, to)(change) for to in (floor.now, floor.was)):
        return True
    if state.retiring == "remove":
        return removal(key, state.stable)(change)
    return state.retiring is not None and scale_down(key, state.stable)(change)

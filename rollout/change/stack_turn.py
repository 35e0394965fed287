"""One change of a stack at a time: each would see the other's in its preview."""

from __future__ import annotations

from collections.abc import Callable

from record_folders import FOLDER
from rollout.change.tools import Tools
from rollout.decision.order import Changed, Ending
from rollout.errors import EndpointBusy
from rollout.ports import Record
from rollout.record.lock import endpoint_lock

STACK_WAIT_SECONDS = 20
"""Less than a `rollback` waits for the tick of its endpoint to end."""


def alone(tools: Tools, record: Record, change: Callable[[], Changed]) -> Changed:
    """Make a change while no other endpoint of the stack makes one; ways back do not wait here.

    If the other one takes long, nothing is written, and the next tick tries again.
    """
    stack = record.state.stack
    folder = tools.stack_file.path.parent / FOLDER / stack
    try:
        with endpoint_lock(folder, tools.clock, wait_seconds=STACK_WAIT_SECONDS):
            return change()
    except EndpointBusy:
        reason = f"waits for the rollout of another endpoint, which is changing stack {stack}"
        return Changed(ending=Ending.WITHDRAWN, reason=reason)

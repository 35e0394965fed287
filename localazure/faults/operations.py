"""Faults on long-running operations: operations that fail, and operations that never end."""

from __future__ import annotations

import asyncio

from localazure.arm.operations import Commit, Operation
from localazure.errors import OperationFailed
from localazure.faults.fault import Kind
from localazure.faults.holding import stand_still
from localazure.faults.registry import Faults
from localazure.faults.subjects import operation_subject
from localazure.store import Store

_HOLDS = frozenset({Kind.OPERATION_NEVER_ENDS})
_FAILURES = frozenset({Kind.OPERATION_FAILS})


class OperationFaults:
    """Runs before the work of an operation."""

    def __init__(self, faults: Faults, store: Store) -> None:
        self._faults = faults
        self._store = store

    async def __call__(self, operation: Operation) -> None:
        """Wait while a fault holds the operation; raise OperationFailed when one makes it fail."""
        if not self._faults:
            return
        subject = operation_subject(operation.kind, operation.target)
        hold = self._faults.take(_HOLDS, subject)
        if hold is not None and not await stand_still(self._faults, hold):
            raise asyncio.CancelledError  # the server stops: the operation continues at the next start
        active = self._faults.take(_FAILURES, subject)
        if active is not None:
            text = f"Fault {active.number} on command: the operation on {operation.target} fails."
            failure = OperationFailed("InternalServerError", text)
            failure.commit = self._mark_failed(operation)
            raise failure

    def _mark_failed(self, operation: Operation) -> Commit | None:
        """A failed PUT, PATCH or DELETE marks the resource as failed; a failed action does not change its resource."""
        if operation.kind.rpartition(".")[2] not in ("put", "delete"):
            return None

        def commit() -> None:
            resource = self._store.get(operation.target)
            if resource is not None:
                resource.properties["provisioningState"] = "Failed"
                self._store.save(resource)

        return commit

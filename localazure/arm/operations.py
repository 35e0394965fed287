"""Long-running operations: durable and resumable. How clients are told of them: `localazure.arm.long_running`.

An operation is a row in the store and, while it runs, one asyncio task. Its handler must be idempotent: after a crash
it is run again from the start with the same document. What the handler returns is applied in the transaction that ends
the operation, so that a resource never says Succeeded while its operation says otherwise.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from localazure.arm.timing import Clock, Timing
from localazure.disk import is_full
from localazure.errors import OperationFailed
from localazure.store import Store

log = logging.getLogger(__name__)

DISK_FULL_SECONDS = 1.0


@dataclass
class Operation:
    """One operation. `payload` is what its handler needs besides the target."""

    id: str
    family: str
    kind: str
    target: str
    namespace: str
    subscription: str
    location: str
    api_version: str
    started: float
    payload: dict[str, Any] = field(default_factory=dict)
    status: str = "Running"
    ended: float | None = None
    error: dict[str, Any] | None = None
    result: Any = None
    """What `Location` answers at the end of a workspace or generic operation."""
    update: bool = False
    """Whether a PUT changes what exists."""
    signed: bool = False
    """Whether its URLs carry a signature (recorded since 2024; clients must treat it as opaque)."""


Commit = Callable[[], None]
Handler = Callable[[Operation], Awaitable["Commit | None"]]
Interference = Callable[[Operation], Awaitable[None]]
"""Faults on command: called before an operation works; may wait, or raise OperationFailed."""


class Operations:
    """Starts, runs and resumes operations."""

    def __init__(self, store: Store, clock: Clock, timing: Timing) -> None:
        self._store = store
        self._clock = clock
        self._timing = timing
        self._handlers: dict[str, Handler] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.interfere: Interference | None = None

    def handle(self, kind: str, handler: Handler) -> None:
        self._handlers[kind] = handler

    def start(
        self,
        kind: str,
        *,
        family: str,
        target: str,
        namespace: str,
        subscription: str,
        location: str,
        api_version: str,
        prefix: str = "",
        payload: dict[str, Any] | None = None,
        update: bool = False,
        signed: bool = False,
    ) -> Operation:
        """Record an operation and run it soon. Belongs in the transaction that changes its target."""
        operation = Operation(
            id=f"{prefix}{uuid.uuid4()}",
            family=family,
            kind=kind,
            target=target,
            namespace=namespace,
            subscription=subscription,
            location=location or "global",
            api_version=api_version,
            started=self._clock(),
            payload=payload or {},
            update=update,
            signed=signed,
        )
        self._save(operation)
        # Deferred until the caller's transaction has ended, so that a rolled-back operation is not launched.
        asyncio.get_running_loop().call_soon(self._launch, operation.id)
        return operation

    def resume(self) -> int:
        """Run again what an earlier process left running; returns how many."""
        documents = self._store.running_operations()
        for document in documents:
            self._launch(document["id"])
        return len(documents)

    def conclude_deletions(self, target: str) -> None:
        """What has gone with its parent is deleted: the operations that were to do it have succeeded, and whatever has
        the same name afterwards is not theirs. Belongs in the transaction that removes it."""
        for document in self._store.running_operations(target):
            if document["kind"].endswith(".delete"):
                self._end(Operation(**document), "Succeeded")

    def _is_over(self, operation: Operation) -> bool:
        document = self._store.operation(operation.id)
        return document is None or document["status"] != "Running"

    async def close(self) -> None:
        """Stop the tasks; the operations stay running in the store and go on at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Running

    def _launch(self, operation_id: str) -> None:
        document = self._store.operation(operation_id)
        if document is None or document["status"] != "Running":
            return
        task = asyncio.get_running_loop().create_task(self._run(Operation(**document)), name=operation_id)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, operation: Operation) -> None:
        wait = operation.started + self._timing.seconds(operation.kind, update=operation.update) - self._clock()
        if wait > 0:
            await asyncio.sleep(wait)
        try:
            while not await self._work(operation):
                # Its end cannot be written: it stays what it is, running, as it would after a restart.
                await asyncio.sleep(DISK_FULL_SECONDS)
        except Exception:
            # An answer is better than a client that polls for ever; the log says what happened.
            log.exception("operation %s (%s on %s) crashed", operation.id, operation.kind, operation.target)
            operation.error = OperationFailed("InternalServerError", "The local Azure failed; see its log.").error
            self._end(operation, "Failed")

    async def _work(self, operation: Operation) -> bool:
        """Run the handler and store how it ended; False when the disk is full, and all is as before."""
        commit: Commit | None
        try:
            try:
                if self.interfere is not None:
                    await self.interfere(operation)
                if self._is_over(operation):
                    return True  # its target went with its parent
                commit, status = await self._handlers[operation.kind](operation), "Succeeded"
            except OperationFailed as failure:
                commit, status, operation.error = failure.commit, "Failed", failure.error
            if self._is_over(operation):
                return True
            with self._store.transaction():
                if commit:
                    commit()
                self._end(operation, status)
        except Exception as exc:
            if not is_full(exc):
                raise
            operation.status, operation.ended, operation.error = "Running", None, None
            log.error("operation %s waits for space on the disk", operation.id)
            return False
        return True

    def _end(self, operation: Operation, status: str) -> None:
        operation.status = status
        operation.ended = self._clock()
        self._save(operation)

    def _save(self, operation: Operation) -> None:
        running = operation.status == "Running"
        self._store.save_operation(operation.id, operation.target, running, asdict(operation))

"""Long-running operations: durable, resumable, in the three URL families that Azure's services use.

An operation is a row in the store and, while it runs, one asyncio task. Its handler must be idempotent: after a crash
it is run again from the start with the same document. What the handler returns is applied in the transaction that ends
the operation, so that a resource never says Succeeded while its operation says otherwise.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from localazure.arm.reply import Reply
from localazure.arm.timing import Clock, Timing, time_text
from localazure.disk import is_full
from localazure.errors import ArmError, NotFound, OperationFailed
from localazure.store import Resource, Store

log = logging.getLogger(__name__)

# Families, in the catalog's words.
MFE = "mfe"
WORKSPACE = "workspace"
COMPUTE = "compute"
GENERIC = "generic"
LOCATION = "location"

_STATUS_SEGMENT = {
    MFE: "mfeOperationsStatus",
    WORKSPACE: "workspaceOperationsStatus",
    COMPUTE: "computeOperationsStatus",
    GENERIC: "operationStatuses",
    LOCATION: "operationStatuses",
}
_RESULT_SEGMENT = _STATUS_SEGMENT | {
    MFE: "mfeOperationResults",
    COMPUTE: "computeOperationResults",
    GENERIC: "operationResults",
    LOCATION: "operationResults",
}
OPERATION_SEGMENTS = frozenset(name.lower() for name in (*_STATUS_SEGMENT.values(), *_RESULT_SEGMENT.values()))

_TICKS_AT_EPOCH = 621_355_968_000_000_000
DISK_FULL_SECONDS = 1.0
NO_TIME = "0001-01-01T00:00:00+00:00"  # recorded as endTime of a running operation since 2024


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
View = Callable[[Resource, str], Any]
"""A resource as an api-version shows it."""
Interference = Callable[[Operation], Awaitable[None]]
"""Faults on command: called before an operation works; may wait, or raise OperationFailed."""


class Operations:
    """Starts, runs, resumes and shows operations."""

    def __init__(self, store: Store, clock: Clock, timing: Timing, base_url: str) -> None:
        self._store = store
        self._clock = clock
        self._timing = timing
        self._base_url = base_url
        self._handlers: dict[str, Handler] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.interfere: Interference | None = None
        self.view: View = lambda resource, api_version: resource.body

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

    # What clients see

    def status_url(self, operation: Operation) -> str:
        """The value of `Azure-AsyncOperation`."""
        suffix = "&type=async" if operation.family == WORKSPACE else ""
        return self._url(operation, _STATUS_SEGMENT[operation.family]) + suffix

    def result_url(self, operation: Operation) -> str:
        """The value of `Location` of a DELETE, PATCH or POST."""
        suffix = "&type=location" if operation.family == WORKSPACE else ""
        return self._url(operation, _RESULT_SEGMENT[operation.family]) + suffix

    def unsigned_status_url(self, operation: Operation) -> str:
        """The status URL as resources show it (`AzureAsyncOperationUri`)."""
        url = f"{self._base_url}{self._path(operation, _STATUS_SEGMENT[operation.family])}"
        return f"{url}?api-version={operation.api_version}"

    def _url(self, operation: Operation, segment: str) -> str:
        signature = _signature(operation) if operation.signed else ""
        if operation.family == COMPUTE:
            signature += "&service=new"  # recorded
        return f"{self._base_url}{self._path(operation, segment)}?api-version={operation.api_version}{signature}"

    def _path(self, operation: Operation, segment: str) -> str:
        scope = f"/subscriptions/{operation.subscription}/providers/{operation.namespace}"
        return f"{scope}/locations/{operation.location}/{segment}/{operation.id}"

    def show(self, segment: str, operation_id: str, query_type: str) -> Reply:
        """Answer a GET of a status or result URL."""
        document = self._store.operation(operation_id)
        if document is None:
            guid = operation_id.rsplit(":", 1)[-1]
            raise NotFound.service("OperationNotFound", f"There is no operation with id {guid}")
        operation = Operation(**document)
        wants_result = segment.lower().endswith("results") or query_type == "location"
        if operation.family == MFE:
            reply = Reply(200, self._mfe_body(operation, segment))
            if wants_result and operation.status == "Running":
                reply.status = 202
        elif wants_result:
            reply = self._result_reply(operation)
        else:
            reply = Reply(200, self._plain_body(operation, segment))
        if operation.status == "Running":
            reply.headers |= self._timing.retry_after()
        return reply

    def _mfe_body(self, operation: Operation, segment: str) -> dict[str, Any]:
        """The recorded forms: each kind of operation id has its own."""
        body: dict[str, Any] = {"error": operation.error} if operation.error else {}
        body |= {"id": self._path(operation, segment), "name": operation.id}
        status = {"status": {"Running": "Updating"}.get(operation.status, operation.status)}
        kind = operation.id.partition(":")[0]
        if kind.endswith("bes"):
            return body | status
        started, ended = {"startTime": time_text(operation.started)}, time_text(operation.ended or 0)
        if kind.endswith("idp"):
            # percentComplete stays 0.0, at Succeeded too.
            ending = {"endTime": ended if operation.ended else NO_TIME, "percentComplete": 0.0}
            return body | status | started | ending
        if operation.ended is None:
            return body | started | {"percentComplete": 0.0} | status
        return body | started | {"endTime": ended, "percentComplete": 100.0} | status

    def _plain_body(self, operation: Operation, segment: str) -> dict[str, Any]:
        # Template deployments have a word of their own (recorded).
        words = {"Running": "Running" if operation.namespace == "Microsoft.Resources" else "InProgress"}
        body: dict[str, Any] = {"status": words.get(operation.status, operation.status)}
        if operation.status == "Succeeded":
            body["percentComplete"] = 100.0
        if operation.error:
            body["error"] = operation.error
        if operation.family not in (WORKSPACE, COMPUTE):
            body = {"id": self._path(operation, segment), "name": operation.id} | body
        return body

    def _result_reply(self, operation: Operation) -> Reply:
        if operation.status == "Running":
            headers = {"Location": self.result_url(operation), "Azure-AsyncOperation": self.status_url(operation)}
            return Reply(202, headers=headers)
        if operation.error:
            error = ArmError(operation.error["code"], operation.error["message"])
            return Reply(error.status, error.body())
        if operation.result is not None:
            return Reply(200, operation.result)
        target = self._store.get(operation.target)
        if target is not None:
            return Reply(200, self.view(target, operation.api_version))
        return Reply(200 if operation.family == WORKSPACE or operation.kind.endswith(".purge") else 204)


def _signature(operation: Operation) -> str:
    """What stands for the service's signature: ticks, certificate, signature, hash. Nobody checks it."""
    ticks = _TICKS_AT_EPOCH + int(operation.started * 10_000_000)
    digest = hashlib.sha256(operation.id.encode()).hexdigest()
    return f"&t={ticks}&c=local&s={digest}&h={digest[:43]}"

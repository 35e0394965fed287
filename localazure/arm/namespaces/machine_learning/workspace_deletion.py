"""Deleting a workspace: it is soft-deleted for 14 days, or purged at once with `?forceToPurge=true`.

Documented (concept-soft-delete): the name stays taken until the workspace is purged or the time is over; only purging
and recovering are possible until then. Reported (Azure/ResourceModules#3596): code and message of the refusal, and that
a DELETE with `forceToPurge` purges what is soft-deleted already (its modules/purge script; status codes not recorded).
There is no documented API to list or recover soft-deleted workspaces, only the portal: neither is here.
"""

from __future__ import annotations

from typing import Any

from localazure.arm.behaviour import Behaviour
from localazure.arm.errors import BadRequest
from localazure.arm.operations import WORKSPACE, Commit, Operation
from localazure.arm.reply import Reply, Request
from localazure.arm.resource_id import ResourceId
from localazure.arm.store import Resource
from localazure.arm.timing import time_text

RETENTION_SECONDS = 14 * 24 * 3600
_SOFT_DELETED = "Soft-deleted workspace exists. Please purge or recover it. https://aka.ms/wsoftdelete"  # verbatim


class WorkspaceDeletion(Behaviour):
    """The end of a workspace, and what remains of it."""

    def handle_purges(self) -> None:
        """Tell the operations who ends the purge of a soft-deleted workspace."""
        self.plane.operations.handle(f"{self.shape.arm}.purge", self._finish_purge)

    def refuse_soft_deleted(self, workspace_id: ResourceId) -> None:
        """Raises BadRequest while a soft-deleted workspace has this name in this group."""
        if self._soft_deleted(workspace_id) is not None:
            raise BadRequest("BadRequest", _SOFT_DELETED)

    def _soft_deleted(self, workspace_id: ResourceId) -> dict[str, Any] | None:
        return self.store.soft_deleted(workspace_id.text, self.shape.arm, self.plane.clock())

    def delete(self, request: Request) -> Reply:
        left = None if self.store.get(request.id.text) else self._soft_deleted(request.id)
        if left is None or not _purges(request):
            return super().delete(request)
        workspace = Resource(id=left["id"], body={"location": left["location"]})
        if self.store.is_busy(workspace.id):
            raise self.busy(workspace)
        return self.accepted_delete(self.start(request, workspace, "purge", WORKSPACE))

    def deletion_payload(self, request: Request) -> dict[str, Any]:
        return {"purge": _purges(request)}

    async def finish_delete(self, operation: Operation) -> Commit | None:
        remove = await super().finish_delete(operation)

        def commit() -> None:
            if remove:
                remove()
            if operation.payload.get("purge"):
                self.store.forget_soft_deleted(operation.target, self.shape.arm)

        return commit

    async def _finish_purge(self, operation: Operation) -> Commit:
        return lambda: self.store.forget_soft_deleted(operation.target, self.shape.arm)

    def removed(self, resource: Resource) -> None:
        now = self.plane.clock()
        document = {"id": resource.id, "location": resource.body["location"], "deletedAt": time_text(now)}
        self.store.soft_delete(resource.id, self.shape.arm, now + RETENTION_SECONDS, document)


def _purges(request: Request) -> bool:
    """Whether a DELETE has `forceToPurge=true`, however it is spelled."""
    given = {name.lower(): value.lower() for name, value in request.query.items()}
    return given.get("forcetopurge") == "true"

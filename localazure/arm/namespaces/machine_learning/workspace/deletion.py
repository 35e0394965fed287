"""Deleting a workspace: it is soft-deleted for 14 days, or purged at once with `?forceToPurge=true`.

Documented (concept-soft-delete): the name stays taken until the workspace is purged or the 14 days are over; until then
the workspace can only be purged or recovered. Reported (Azure/ResourceModules#3596): code and message of the refusal,
and that a DELETE with `forceToPurge` also purges what is already soft-deleted (its modules/purge script; status codes
not recorded). No documented API lists or recovers soft-deleted workspaces, only the portal does; neither is emulated.
"""

from __future__ import annotations

from localazure.arm.control_plane import ControlPlane
from localazure.arm.long_running import WORKSPACE
from localazure.arm.purging import Purgeable, end_purges
from localazure.arm.reply import Reply, Request
from localazure.arm.resource_body import Shape
from localazure.errors import BadRequest
from localazure.resource import Resource
from localazure.resource_id import ResourceId

RETENTION_DAYS = 14
_SOFT_DELETED = "Soft-deleted workspace exists. Please purge or recover it. https://aka.ms/wsoftdelete"  # verbatim


class WorkspaceDeletion(Purgeable):
    """Deletes a workspace and keeps what remains of it."""

    purge_parameter = "forceToPurge"

    def __init__(self, plane: ControlPlane, shape: Shape) -> None:
        super().__init__(plane, shape)
        end_purges(plane, f"{shape.arm}.purge", shape.arm)

    def refuse_soft_deleted(self, workspace_id: ResourceId) -> None:
        """Raises BadRequest while a soft-deleted workspace has this name in this group."""
        if self.plane.deleted.find(workspace_id.text, self.shape.arm) is not None:
            raise BadRequest("BadRequest", _SOFT_DELETED)

    def delete(self, request: Request) -> Reply:
        present = self.store.get(request.id.text)
        left = self.plane.deleted.find(request.id.text, self.shape.arm) if present is None else None
        if left is None or not self.purges(request):
            return super().delete(request)
        if self.store.is_busy(left.resource.id):
            raise self.busy(left.resource)
        return self.accepted(self.start(request, left.resource, "purge", WORKSPACE), "DELETE")

    def removed(self, resource: Resource) -> None:
        self.plane.deleted.keep(resource, RETENTION_DAYS)

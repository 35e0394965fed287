"""Purges, which free the name of a soft-deleted resource before its retention ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from localazure.arm.behaviour import Behaviour
from localazure.arm.operations import Commit, Operation
from localazure.arm.reply import Request

if TYPE_CHECKING:
    from localazure.arm.control_plane import ControlPlane


class Purgeable(Behaviour):
    """A soft-deleted type whose DELETE has a query parameter that purges the resource at once."""

    purge_parameter: ClassVar[str]
    """Name of the parameter; its value must be `true`. Neither is case-sensitive."""

    def purges(self, request: Request) -> bool:
        """Whether a DELETE requests a purge."""
        given = {name.lower(): value.lower() for name, value in request.query.items()}
        return given.get(self.purge_parameter.lower()) == "true"

    def deletion_payload(self, request: Request) -> dict[str, Any]:
        return {"purge": self.purges(request)}

    async def finish_delete(self, operation: Operation) -> Commit | None:
        remove = await super().finish_delete(operation)

        def commit() -> None:
            if remove:
                remove()
            if operation.payload.get("purge"):
                self.plane.deleted.forget(operation.target, self.shape.arm)

        return commit


def end_purges(plane: ControlPlane, kind: str, deleted_type: str) -> None:
    """Let operations of a kind end with the purge of their target, a soft-deleted resource of `deleted_type`."""

    async def finish(operation: Operation) -> Commit:
        return lambda: plane.deleted.forget(operation.target, deleted_type)

    plane.operations.handle(kind, finish)

"""Microsoft.Authorization: role assignments. They decide what identities may pull (see `localazure.arm.roles`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from localazure.arm.behaviour import Behaviour
from localazure.arm.errors import BadRequest, Conflict
from localazure.arm.reply import Request
from localazure.arm.store import Resource
from localazure.arm.timing import time_text

_IDENTITY = ("roleDefinitionId", "principalId")


class RoleAssignments(Behaviour):
    """A role of a principal on a scope."""

    honoured: ClassVar[Mapping[str, str]] = {
        "properties.principalId": "whose right it is: an endpoint's identity, or the caller's",
        "properties.roleDefinitionId": "blob data roles and AcrPull (and what contains it) decide who may read what; "
        "other roles are stored only",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "properties.principalId": "missing, changed, or the same right given twice (409)",
        "properties.roleDefinitionId": "missing, changed, or the same right given twice (409)",
    }

    tracked = False

    def check(self, request: Request, existing: Resource | None) -> None:
        sent = request.sent_properties
        for field in _IDENTITY:
            if not isinstance(sent.get(field), str) or not sent[field]:
                raise BadRequest("InvalidRequestContent", f"properties.{field} is required and must be text.")
        if existing is not None:
            if any(str(sent[field]).lower() != str(existing.properties[field]).lower() for field in _IDENTITY):
                # Known code; the wording is from memory of ARM.
                raise BadRequest(
                    "RoleAssignmentUpdateNotPermitted",
                    "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
                )
            return
        for other in self.store.children(request.id.parent, self.shape.arm):
            if all(str(sent[field]).lower() == str(other.properties[field]).lower() for field in _IDENTITY):
                # Known code and wording, from memory of ARM.
                raise Conflict("RoleAssignmentExists", "The role assignment already exists.")

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        now = time_text(self.plane.clock())
        properties = {"principalType": "ServicePrincipal", "condition": None, "conditionVersion": None}
        properties |= super().properties(request, existing)
        created = existing.properties["createdOn"] if existing else now
        return properties | {"scope": request.id.scope, "createdOn": created, "updatedOn": now}

    def mark_provisioned(self, resource: Resource) -> None:
        """Role assignments have no provisioning state."""


BEHAVIOURS = {"Microsoft.Authorization/roleAssignments": RoleAssignments}

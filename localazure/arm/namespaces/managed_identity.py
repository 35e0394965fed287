"""Microsoft.ManagedIdentity: user-assigned identities, each with its own principal."""

from __future__ import annotations

from typing import Any

from localazure import identity
from localazure.arm.control_plane import new_guid
from localazure.arm.patching import Patched
from localazure.arm.reply import Request
from localazure.resource import Resource


class UserAssignedIdentities(Patched):
    """An identity that several resources can share."""

    dated = True

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        before = existing.properties if existing else {}
        return super().properties(request, existing) | {
            "tenantId": identity.TENANT_ID,
            "principalId": before.get("principalId") or new_guid(),
            "clientId": before.get("clientId") or new_guid(),
        }

    def mark_provisioned(self, resource: Resource) -> None:
        """Identities have no provisioning state."""


BEHAVIOURS = {"Microsoft.ManagedIdentity/userAssignedIdentities": UserAssignedIdentities}

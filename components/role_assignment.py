"""Azure roles that the platform hands out, and the one way to assign one of them.

An assignment's name is computed from who, what and where, so that the same grant has the same id in every run. Roles
for people and pipelines are not assigned here.
"""

from __future__ import annotations

from enum import StrEnum
from uuid import NAMESPACE_URL, uuid5

import pulumi
from pulumi_azure_native import authorization

from naming import Names

__all__ = ["Role", "assign_role"]


class Role(StrEnum):
    """Built-in Azure roles by their GUID, which is the same in every tenant."""

    READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
    CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
    ACR_PUSH = "8311e382-0749-4cb8-b61a-304f252e45ec"
    ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
    STORAGE_BLOB_DATA_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
    STORAGE_BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
    STORAGE_FILE_DATA_PRIVILEGED_CONTRIBUTOR = "69566ab7-960f-475b-8e7c-b3118f30c6bd"
    KEY_VAULT_ADMINISTRATOR = "00482a5a-887f-4fb3-b363-3b7fe8e74483"
    AZUREML_REGISTRY_USER = "1823dd4f-9b8c-4ab6-ab4e-7397a3684615"
    AZUREML_METRICS_WRITER = "635dd51f-9968-44d3-b7fb-6d9a6bd613ae"
    NETWORK_CONNECTION_APPROVER = "b556d68e-0be0-4f35-a333-ad7ee1ce17ea"
    """Azure AI Enterprise Network Connection Approver."""


def assign_role(
    name: str,
    *,
    role: Role,
    principal_id: pulumi.Input[str],
    identity_id: str,
    scope: pulumi.Input[str],
    scope_name: str,
    names: Names,
    parent: pulumi.Resource,
) -> authorization.RoleAssignment:
    """Give a managed identity a role on a scope.

    `identity_id` (the ARM id of the identity) and `scope_name` (what the scope is called in this stack) are plain
    values, because the assignment's own name is made of them; `principal_id` and `scope` may still be unknown.
    """
    who_what_where = f"{names.resource_group_id}/{scope_name}|{identity_id}|{role}".lower()
    return authorization.RoleAssignment(
        name,
        role_assignment_name=str(uuid5(NAMESPACE_URL, who_what_where)),
        principal_id=principal_id,
        # Without the type Azure looks the principal up in Entra, where a new identity may not have arrived yet.
        principal_type=authorization.PrincipalType.SERVICE_PRINCIPAL,
        role_definition_id=(
            f"/subscriptions/{names.subscription_id}/providers/Microsoft.Authorization/roleDefinitions/{role}"
        ),
        scope=scope,
        opts=pulumi.ResourceOptions(
            parent=parent,
            delete_before_replace=True,
            # Azure refuses another principal under the same name (a recreated identity has another principal id).
            replace_on_changes=["principalId"],
        ),
    )

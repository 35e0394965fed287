"""Azure roles that the platform hands out, and the name under which one of them is assigned to an identity.

An assignment's name is computed from who, what and where, so that the same grant has the same id in every run. The one
way to assign a role is `Identity.grant`. Roles for people and pipelines are not assigned here.
"""

from __future__ import annotations

from enum import StrEnum
from uuid import NAMESPACE_URL, uuid5

from naming import Names

__all__ = ["Role", "assignment_name"]


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


def assignment_name(names: Names, *, role: Role, identity_name: str, scope_name: str) -> str:
    """The name of the assignment of a role on a scope to an identity, a UUID as Azure wants it.

    The text that it is made of is not an ARM id: it has the group and the names only, which are known before anything
    exists. It must stay as it is, because another name is another assignment.
    """
    group = names.resource_group_id
    return str(uuid5(NAMESPACE_URL, f"{group}/{scope_name}|{group}/{identity_name}|{role}".lower()))

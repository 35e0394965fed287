"""Who may do what where: every role that stack and bootstrap assign, in one table, and the names of assignments.

Pure. The components look their grants up here, `docs/roles.md` shows the table, and `bootstrap/` restricts the pipeline
to it: the deploying identity may assign the roles of the rows that `GRANTED_BY_STACK` holds, and no others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import NAMESPACE_URL, uuid5

__all__ = [
    "GRANTED_BY_STACK",
    "RIGHTS",
    "Holder",
    "Place",
    "Right",
    "Role",
    "When",
    "assignment_name",
    "definition_id",
    "rights_of",
]


class Role(StrEnum):
    """Built-in Azure roles by their GUID, which is the same in every tenant."""

    READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
    CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
    ACR_PUSH = "8311e382-0749-4cb8-b61a-304f252e45ec"
    ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
    STORAGE_BLOB_DATA_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
    STORAGE_BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
    STORAGE_FILE_DATA_PRIVILEGED_CONTRIBUTOR = "69566ab7-960f-475b-8e7c-b3118f30c6bd"
    STORAGE_QUEUE_DATA_CONTRIBUTOR = "974c5e8b-45b9-4653-ba55-5f855dd0fb88"
    STORAGE_TABLE_DATA_CONTRIBUTOR = "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3"
    KEY_VAULT_ADMINISTRATOR = "00482a5a-887f-4fb3-b363-3b7fe8e74483"
    KEY_VAULT_SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
    KEY_VAULT_CRYPTO_SERVICE_ENCRYPTION_USER = "e147488a-f6f5-4113-8e2d-b22465e65bf6"
    KEY_VAULT_CRYPTO_USER = "12338af0-0e69-4776-bea7-57ae8d297424"
    AZUREML_REGISTRY_USER = "1823dd4f-9b8c-4ab6-ab4e-7397a3684615"
    AZUREML_METRICS_WRITER = "635dd51f-9968-44d3-b7fb-6d9a6bd613ae"
    AZUREML_DATA_SCIENTIST = "f6c7c914-8db3-469d-8ca1-694a8f32e121"
    AZUREML_COMPUTE_OPERATOR = "e503ece1-11d0-4e8e-8e2c-7a6c3bf38815"
    CONNECTION_SECRETS_READER = "ea01e6af-a1c1-4350-9563-ad00f8c72ec5"
    """Azure Machine Learning Workspace Connection Secrets Reader."""
    NETWORK_CONNECTION_APPROVER = "b556d68e-0be0-4f35-a333-ad7ee1ce17ea"
    """Azure AI Enterprise Network Connection Approver."""
    ROLE_BASED_ACCESS_CONTROL_ADMINISTRATOR = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"
    NETWORK_CONTRIBUTOR = "4d97b98b-1d4f-4787-a291-c67834d212e7"
    PRIVATE_DNS_ZONE_CONTRIBUTOR = "b12aa53e-6015-4669-85d0-8515ebb3ae7f"
    MANAGED_IDENTITY_OPERATOR = "f1a07417-d97a-45cb-824c-7a7467783830"
    LOG_ANALYTICS_CONTRIBUTOR = "92aaf0da-9dab-42b6-94a3-d43ce8d16293"
    MONITORING_CONTRIBUTOR = "749f88d5-cbae-40b8-bcfc-e573ddc772fa"


class Holder(StrEnum):
    """Whose rights they are; the value is the name in Azure, or the key of the stack file."""

    WORKSPACE = "id-<base>-workspace"
    ENDPOINT = "id-<base>-<key>"
    COMPUTE = "id-<base>-compute"
    ENCRYPTION = "customer_key.identity_id"
    SCIENTISTS = "access.scientists"
    OPERATORS = "access.operators"
    READERS = "access.readers"
    PREVIEW = "id-<team>-<environment>-preview"
    DEPLOY = "id-<team>-<environment>-deploy"


class Place(StrEnum):
    """On what. A plural stands for none or several, and the holder gets the right on each."""

    STORAGE = "storage account"
    VAULT = "key vault"
    REGISTRY = "container registry"
    INSIGHTS = "Application Insights"
    WORKSPACE = "workspace"
    GROUP = "resource group"
    BLOB_ENDPOINT = "private endpoint of blob"
    FILE_ENDPOINT = "private endpoint of file"
    RULE_TARGETS = "resources of outbound rules in other groups"
    ML_REGISTRIES = "Azure ML registries that its deployments use"
    SECRET_VAULTS = "vaults in secret_vaults"
    KEYS_VAULT = "customer_key.vault_id"
    STATE = "container of the state"
    SECRETS_KEY = "key of the state's secrets"
    OUTSIDE = "ids outside the group"
    NETWORKS_OUTSIDE = "networks and subnets outside the group"
    ZONES_OUTSIDE = "private DNS zones outside the group"
    LOGS_OUTSIDE = "Log Analytics workspaces outside the group"
    SCOPES_OUTSIDE = "private link scopes outside the group"
    IDENTITIES_OUTSIDE = "identities outside the group"
    GRANTS_OUTSIDE = "other resources outside the group, but no action groups"


class When(StrEnum):
    """Under which condition."""

    ALWAYS = ""
    PRIVATE = "private stacks"
    BATCH = "with compute.batch"
    CONNECTIONS = "with connection_secrets"
    RESTRICTED = "restricted to the roles and holders of this page"


@dataclass(frozen=True)
class Right:
    """One row: a role on a place. The suffix ends the logical name of its assignment and never changes."""

    suffix: str
    role: Role
    place: Place
    when: When = When.ALWAYS


RIGHTS: Mapping[Holder, tuple[Right, ...]] = {
    # What Microsoft lists for a user-assigned workspace identity, on each resource rather than on the group.
    Holder.WORKSPACE: (
        Right("storage-contributor", Role.CONTRIBUTOR, Place.STORAGE),
        Right("storage-blob-data", Role.STORAGE_BLOB_DATA_CONTRIBUTOR, Place.STORAGE),
        Right("storage-file-data", Role.STORAGE_FILE_DATA_PRIVILEGED_CONTRIBUTOR, Place.STORAGE),
        Right("vault-contributor", Role.CONTRIBUTOR, Place.VAULT),
        Right("vault-administrator", Role.KEY_VAULT_ADMINISTRATOR, Place.VAULT),
        Right("registry-contributor", Role.CONTRIBUTOR, Place.REGISTRY),
        Right("insights-contributor", Role.CONTRIBUTOR, Place.INSIGHTS),
        Right("contributor", Role.CONTRIBUTOR, Place.WORKSPACE),
        # On the group, because one of the connections to approve leads to the workspace, which does not exist yet.
        Right("connection-approver", Role.NETWORK_CONNECTION_APPROVER, Place.GROUP, When.PRIVATE),
        Right("connection-approver", Role.NETWORK_CONNECTION_APPROVER, Place.RULE_TARGETS, When.PRIVATE),
        # The workspace looks these private endpoints up when the account has no public address.
        Right("storage-blob-reader", Role.READER, Place.BLOB_ENDPOINT, When.PRIVATE),
        Right("storage-file-reader", Role.READER, Place.FILE_ENDPOINT, When.PRIVATE),
    ),
    Holder.ENDPOINT: (
        Right("pull-images", Role.ACR_PULL, Place.REGISTRY),
        Right("read-models", Role.STORAGE_BLOB_DATA_READER, Place.STORAGE),
        # Azure assigns it to system-assigned identities by itself, and to no others.
        Right("write-metrics", Role.AZUREML_METRICS_WRITER, Place.WORKSPACE),
        Right("use-registry", Role.AZUREML_REGISTRY_USER, Place.ML_REGISTRIES),
        Right("read-secrets", Role.KEY_VAULT_SECRETS_USER, Place.SECRET_VAULTS),
        Right("read-connections", Role.CONNECTION_SECRETS_READER, Place.WORKSPACE, When.CONNECTIONS),
    ),
    # No more than building images and reading data needs: anyone who submits a job can act as the cluster.
    Holder.COMPUTE: (
        Right("push-images", Role.ACR_PUSH, Place.REGISTRY),
        Right("write-blobs", Role.STORAGE_BLOB_DATA_CONTRIBUTOR, Place.STORAGE),
        Right("write-queues", Role.STORAGE_QUEUE_DATA_CONTRIBUTOR, Place.STORAGE, When.BATCH),
        Right("write-tables", Role.STORAGE_TABLE_DATA_CONTRIBUTOR, Place.STORAGE, When.BATCH),
    ),
    Holder.ENCRYPTION: (Right("use-key", Role.KEY_VAULT_CRYPTO_SERVICE_ENCRYPTION_USER, Place.KEYS_VAULT),),
    Holder.SCIENTISTS: (
        Right("workspace", Role.AZUREML_DATA_SCIENTIST, Place.WORKSPACE),
        Right("storage", Role.STORAGE_BLOB_DATA_CONTRIBUTOR, Place.STORAGE),
    ),
    Holder.OPERATORS: (Right("workspace", Role.AZUREML_COMPUTE_OPERATOR, Place.WORKSPACE),),
    Holder.READERS: (Right("group", Role.READER, Place.GROUP),),
    # The state is read without a lock in a preview, so a pull request cannot write it.
    Holder.PREVIEW: (
        Right("group-reader", Role.READER, Place.GROUP),
        Right("state-reader", Role.STORAGE_BLOB_DATA_READER, Place.STATE),
        Right("secrets-key", Role.KEY_VAULT_CRYPTO_USER, Place.SECRETS_KEY),
        Right("reader", Role.READER, Place.OUTSIDE),
    ),
    Holder.DEPLOY: (
        Right("group-contributor", Role.CONTRIBUTOR, Place.GROUP),
        Right("group-access", Role.ROLE_BASED_ACCESS_CONTROL_ADMINISTRATOR, Place.GROUP, When.RESTRICTED),
        # The stack's storage account is in the group, and does not exist yet.
        Right("group-blobs", Role.STORAGE_BLOB_DATA_CONTRIBUTOR, Place.GROUP),
        Right("state-writer", Role.STORAGE_BLOB_DATA_CONTRIBUTOR, Place.STATE),
        Right("secrets-key", Role.KEY_VAULT_CRYPTO_USER, Place.SECRETS_KEY),
        Right("reader", Role.READER, Place.OUTSIDE),
        Right("network", Role.NETWORK_CONTRIBUTOR, Place.NETWORKS_OUTSIDE),
        Right("zone", Role.PRIVATE_DNS_ZONE_CONTRIBUTOR, Place.ZONES_OUTSIDE),
        Right("logs", Role.LOG_ANALYTICS_CONTRIBUTOR, Place.LOGS_OUTSIDE),
        Right("scope", Role.MONITORING_CONTRIBUTOR, Place.SCOPES_OUTSIDE),
        Right("identity", Role.MANAGED_IDENTITY_OPERATOR, Place.IDENTITIES_OUTSIDE),
        Right("access", Role.ROLE_BASED_ACCESS_CONTROL_ADMINISTRATOR, Place.GRANTS_OUTSIDE, When.RESTRICTED),
    ),
}

PIPELINES = (Holder.PREVIEW, Holder.DEPLOY)
"""Whose rights the bootstrap assigns."""

GRANTED_BY_STACK = frozenset(
    right.role for holder, rights in RIGHTS.items() if holder not in PIPELINES for right in rights
)
"""Roles that an update of the stack assigns."""


def rights_of(holder: Holder, *when: When) -> Iterator[Right]:
    """The rows of a holder whose condition holds; `when` are the conditions that do, beside `ALWAYS`."""
    return (right for right in RIGHTS[holder] if right.when in (When.ALWAYS, *when))


def definition_id(subscription_id: str, role: str) -> str:
    """The ARM id of a role in a subscription, by its GUID."""
    return f"/subscriptions/{subscription_id}/providers/Microsoft.Authorization/roleDefinitions/{role}"


def assignment_name(group_id: str, *, role: Role | str, identity_name: str, scope_name: str) -> str:
    """The name of the assignment of a role on a scope to an identity or group, a UUID as Azure wants it.

    The text that it is made of is not an ARM id: it has the group and the names only, which are known before anything
    exists. It must stay as it is, because another name is another assignment.
    """
    return str(uuid5(NAMESPACE_URL, f"{group_id}/{scope_name}|{group_id}/{identity_name}|{role}".lower()))

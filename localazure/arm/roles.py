"""Identities and role assignments: the principals of a resource, and what they may read.

Roles are known by their GUIDs. Here are the checks that decide whether a deployment starts or a blob may be accessed;
what a role permits in Resource Manager is in `permissions`. Deny assignments and groups are not evaluated.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Set
from typing import Any

from localazure import identity
from localazure.arm.reply import Request
from localazure.arm.role_conditions import Attempt, attributes_of, parse_condition
from localazure.arm.timing import Clock
from localazure.errors import BadRequest
from localazure.resource import Resource
from localazure.resource_id import is_within
from localazure.store import Store

GRANTED = "granted"
"""Key of an assignment's creation time, in seconds since the epoch; assignments in older homes do not have it."""
ASSIGNMENTS = "microsoft.authorization/roleassignments"
DEFINITIONS = "microsoft.authorization/roledefinitions"
NOTHING = Attempt("")
USER_ASSIGNED_TYPE = "microsoft.managedidentity/userassignedidentities"

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
MONITORING_READER = "43d0d8ad-25c7-4714-9337-8ba259a9fe05"
USER_ACCESS_ADMINISTRATOR = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
RBAC_ADMINISTRATOR = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"
DATA_SCIENTIST = "f6c7c914-8db3-469d-8ca1-694a8f32e121"
BLOB_DATA_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"
BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
BLOB_DATA_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
ACR_PUSH = "8311e382-0749-4cb8-b61a-304f252e45ec"
NETWORK_CONTRIBUTOR = "4d97b98b-1d4f-4787-a291-c67834d212e7"
PRIVATE_ZONE_CONTRIBUTOR = "b12aa53e-6015-4669-85d0-8515ebb3ae7f"
IDENTITY_OPERATOR = "f1a07417-d97a-45cb-824c-7a7467783830"
LOG_ANALYTICS_CONTRIBUTOR = "92aaf0da-9dab-42b6-94a3-d43ce8d16293"
MONITORING_CONTRIBUTOR = "749f88d5-cbae-40b8-bcfc-e573ddc772fa"

BUILT_IN_ROLES = {
    OWNER: "Owner",
    CONTRIBUTOR: "Contributor",
    READER: "Reader",
    MONITORING_READER: "Monitoring Reader",
    USER_ACCESS_ADMINISTRATOR: "User Access Administrator",
    RBAC_ADMINISTRATOR: "Role Based Access Control Administrator",
    ACR_PULL: "AcrPull",
    ACR_PUSH: "AcrPush",
    BLOB_DATA_OWNER: "Storage Blob Data Owner",
    BLOB_DATA_CONTRIBUTOR: "Storage Blob Data Contributor",
    BLOB_DATA_READER: "Storage Blob Data Reader",
    "69566ab7-960f-475b-8e7c-b3118f30c6bd": "Storage File Data Privileged Contributor",
    "00482a5a-887f-4fb3-b363-3b7fe8e74483": "Key Vault Administrator",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "12338af0-0e69-4776-bea7-57ae8d297424": "Key Vault Crypto User",
    "e147488a-f6f5-4113-8e2d-b22465e65bf6": "Key Vault Crypto Service Encryption User",
    NETWORK_CONTRIBUTOR: "Network Contributor",
    PRIVATE_ZONE_CONTRIBUTOR: "Private DNS Zone Contributor",
    IDENTITY_OPERATOR: "Managed Identity Operator",
    LOG_ANALYTICS_CONTRIBUTOR: "Log Analytics Contributor",
    MONITORING_CONTRIBUTOR: "Monitoring Contributor",
    DATA_SCIENTIST: "AzureML Data Scientist",
    "e503ece1-11d0-4e8e-8e2c-7a6c3bf38815": "AzureML Compute Operator",
    "1823dd4f-9b8c-4ab6-ab4e-7397a3684615": "AzureML Registry User",
}
"""Names of the roles that programs for Azure Machine Learning look up."""

Permission = tuple[tuple[str, ...], tuple[str, ...]]

BLOB_WRITERS = frozenset({BLOB_DATA_OWNER, BLOB_DATA_CONTRIBUTOR})
BLOB_READERS = BLOB_WRITERS | {BLOB_DATA_READER}
# AcrPush includes pulling; Owner and Contributor of a registry may pull as well.
IMAGE_PULLERS = frozenset({ACR_PULL, ACR_PUSH, OWNER, CONTRIBUTOR})


class Identities:
    """Gives resources their principals."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def resolve(self, sent: Any, existing: Resource | None) -> dict[str, Any]:
        """The identity block as Azure returns it. Raises BadRequest for an unknown type or identity."""
        if not isinstance(sent, dict):
            raise BadRequest("InvalidRequestContent", f"identity must be an object, got {sent!r}.")
        kinds = {part.strip().lower() for part in str(sent.get("type", "")).split(",")}
        if kinds == {"none"}:
            return {"type": "None"}
        if not kinds or not kinds <= {"systemassigned", "userassigned"}:
            raise BadRequest(
                "InvalidIdentityType",
                f"identity.type must be SystemAssigned, UserAssigned, both separated by a comma, or None; "
                f"got {sent.get('type')!r}.",
            )
        before = (existing.body.get("identity") or {}) if existing else {}
        resolved: dict[str, Any] = {}
        if kinds == {"systemassigned", "userassigned"}:
            resolved["type"] = "SystemAssigned,UserAssigned"
        else:
            resolved["type"] = "SystemAssigned" if kinds == {"systemassigned"} else "UserAssigned"
        if "systemassigned" in kinds:
            resolved["principalId"] = before.get("principalId") or str(uuid.uuid4())
            resolved["tenantId"] = identity.TENANT_ID
        if "userassigned" in kinds:
            resolved["userAssignedIdentities"] = self._user_assigned(sent.get("userAssignedIdentities"))
        return resolved

    def _user_assigned(self, sent: Any) -> dict[str, Any]:
        ids = [key for key, value in sent.items() if value is not None] if isinstance(sent, dict) else sent
        if not isinstance(ids, list) or not ids:
            raise BadRequest(
                "InvalidRequestContent", "identity.userAssignedIdentities must name at least one identity."
            )
        answer = {}
        for resource_id in ids:
            resource = self._store.get(str(resource_id))
            if resource is None or resource.resource_id.type != USER_ASSIGNED_TYPE:
                raise BadRequest(
                    "FailedIdentityOperation",
                    f"The user-assigned identity '{resource_id}' does not exist. Create it first.",
                )
            shown = resource.properties
            answer[str(resource_id)] = {"principalId": shown["principalId"], "clientId": shown["clientId"]}
        return answer


def principals(resource: Resource) -> set[str]:
    """Object ids of a resource's identities."""
    block = resource.body.get("identity") or {}
    found = {block["principalId"]} if block.get("principalId") else set()
    return found | {entry["principalId"] for entry in (block.get("userAssignedIdentities") or {}).values()}


class Roles:
    """Answers questions about role assignments in the store."""

    def __init__(self, store: Store, clock: Clock, delay: float = 0.0) -> None:
        self._store = store
        self._clock = clock
        self._delay = delay

    def allows(self, principal_ids: set[str], scope_id: str, roles: frozenset[str]) -> bool:
        """Whether one of the principals holds one of the roles on the scope or above it, for long enough."""
        return any(role in roles for role in self.held(principal_ids, scope_id))

    def held(self, principal_ids: Set[str], scope_id: str, attempt: Attempt = NOTHING) -> Iterator[str]:
        """The roles, by GUID, that one of the principals holds on the scope or above it, for long enough.

        An assignment with a condition counts if the condition allows the attempt.
        """
        latest = self._clock() - self._delay
        for assignment in self._store.of_type(ASSIGNMENTS):
            shown = assignment.properties
            granted = float(assignment.private.get(GRANTED, 0))
            if shown.get("principalId") in principal_ids and granted <= latest:
                scope = str(shown.get("scope", "")).lower()
                condition = shown.get("condition")
                if is_within(scope_id.lower(), scope) and (not condition or parse_condition(condition)(attempt)):
                    yield str(shown.get("roleDefinitionId", "")).rsplit("/", 1)[-1].lower()

    def allows_blobs(self, principal_ids: set[str], scope_id: str, *, write: bool) -> bool:
        """Whether one of the principals may use the blobs of an account or of a container."""
        return self.allows(principal_ids, scope_id, BLOB_WRITERS if write else BLOB_READERS)

    def attempt(self, request: Request, action: str) -> Attempt:
        """What a request does, as conditions compare it."""
        if request.id.type != ASSIGNMENTS:
            return Attempt(action)
        existing = self._store.get(request.id.text)
        return Attempt(
            action,
            request=attributes_of(request.sent_properties) if request.method == "PUT" else {},
            resource=attributes_of(existing.properties) if existing else {},
        )

    def custom(self, role: str) -> list[Permission]:
        """What a custom role permits: what it grants and what of it is taken away again, in lower case."""
        found = self._store.named(DEFINITIONS, role)
        return [
            (
                tuple(str(one).lower() for one in permission.get("actions") or ()),
                tuple(str(one).lower() for one in permission.get("notActions") or ()),
            )
            for definition in found
            for permission in definition.properties.get("permissions") or ()
        ]

"""Microsoft.Storage: accounts, their containers and the settings of their blob services. The blob service behind
`primaryEndpoints.blob` is real (`localazure.storage`); queue, table, file and Data Lake services are not emulated."""

from __future__ import annotations

import base64
import copy
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar, NoReturn

from localazure.arm.behaviour import Action, Behaviour
from localazure.arm.patching import Patched
from localazure.arm.reply import Reply, Request
from localazure.arm.resource_body import envelope
from localazure.arm.timing import time_text
from localazure.errors import BadRequest, Conflict, NotEmulated, NotFound
from localazure.resource import Resource
from localazure.resource_id import ResourceId
from localazure.storage.errors import BlobError
from localazure.store import Store

BLOB_SERVICES = "Microsoft.Storage/storageAccounts/blobServices"
CONTAINERS = f"{BLOB_SERVICES}/containers"
MAX_CORS_RULES = 5
MAX_RETENTION_DAYS = 365
# The rule that Azure ML adds to a workspace's storage account, as declared in the Azure verified module for Terraform.
STUDIO_RULE: Mapping[str, Any] = {
    "allowedOrigins": [
        "https://mlworkspace.azure.ai",
        "https://ml.azure.com",
        "https://*.ml.azure.com",
        "https://ai.azure.com",
        "https://*.ai.azure.com",
    ],
    "allowedMethods": ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "POST", "PATCH"],
    "allowedHeaders": ["*"],
    "exposedHeaders": ["*"],
    "maxAgeInSeconds": 1800,
}
_NAME = re.compile(r"[a-z0-9]{3,24}")
# The account is the first segment of a blob's path; these segments have other routes.
RESERVED_NAMES = frozenset(
    {
        "discovery",
        "genericasset",
        "mferp",
        "registrymanagement",
        "subscriptions",
        "providers",
        "metadata",
        "msi",
        "endpoints",
        "tenants",
        "common",
        "adfs",
    }
)


class StorageAccounts(Patched):
    """A storage account; names are unique in all of Azure."""

    created_status = 200  # the clients know 200 and 202
    longest_tag_name = 128
    patchable: ClassVar[frozenset[str]] = frozenset({"tags", "sku", "kind", "identity", "properties"})

    honoured: ClassVar[Mapping[str, str]] = {
        "properties.networkAcls.defaultAction": "Deny closes the blobs to a caller outside of the network",
        "properties.publicNetworkAccess": "Disabled does the same (`--outside-network`)",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "name": "not 3 to 24 lower-case letters and digits, or taken anywhere (409)",
        "sku.name": "missing",
    }

    def check(self, request: Request, existing: Resource | None) -> None:
        if existing is None:
            self._check_name(request.id.name)
        sku = request.body.get("sku")
        if not isinstance(sku, dict) or not sku.get("name"):
            raise BadRequest("InvalidRequestContent", "sku.name of a storage account is required.")

    def _check_name(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            # Known code and rule; the wording is ours.
            raise BadRequest(
                "AccountNameInvalid",
                f"{name} is not a valid storage account name. It must have 3 to 24 lower-case letters and digits.",
            )
        if name in RESERVED_NAMES or self.store.has_named(self.shape.arm, name):
            raise Conflict("StorageAccountAlreadyTaken", f"The storage account named {name} is already taken.")

    def _check_name_availability(self, request: Request) -> Reply:
        """Its wording is that of the refused PUT."""
        try:
            self._check_name(str(request.body.get("name", "")))
        except BadRequest as refused:
            return Reply(200, {"nameAvailable": False, "reason": refused.code, "message": refused.message})
        except Conflict as refused:
            return Reply(200, {"nameAvailable": False, "reason": "AlreadyExists", "message": refused.message})
        return Reply(200, {"nameAvailable": True})

    routes: ClassVar[Mapping[str, Action]] = {
        "POST /subscriptions/{subscription}/providers/Microsoft.Storage/checkNameAvailability": (
            _check_name_availability
        ),
    }

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        defaults: dict[str, Any] = {
            "accessTier": "Hot",
            "publicNetworkAccess": "Enabled",
            "networkAcls": {
                "bypass": "AzureServices",
                "virtualNetworkRules": [],
                "ipRules": [],
                "defaultAction": "Allow",
            },
            "supportsHttpsTrafficOnly": True,
        }
        properties = defaults | super().properties(request, existing)
        location = request.body.get("location") or (existing.body.get("location") if existing else "")
        created = existing.properties["creationTime"] if existing else time_text(self.plane.clock())
        return properties | {
            "primaryEndpoints": {"blob": f"{self.plane.base_url}/{request.id.name}/"},
            "primaryLocation": location,
            "statusOfPrimary": "available",
            "creationTime": created,
            "keyCreationTime": existing.properties["keyCreationTime"]
            if existing
            else {"key1": created, "key2": created},
        }

    def complete_body(self, resource: Resource, request: Request) -> None:
        resource.body.setdefault("kind", "StorageV2")
        sku = resource.body.get("sku")
        if isinstance(sku, dict):
            sku["tier"] = str(sku.get("name", "")).partition("_")[0]
        if "keys" not in resource.private:
            resource.private["keys"] = [_new_key() for _ in range(2)]

    def created(self, resource: Resource) -> None:
        self._add_blob_service(resource)

    def restore(self) -> None:
        """Add the blob service's settings to accounts that an earlier version of this program created."""
        for account in self.store.of_type(self.shape.arm):
            if self.store.get(f"{account.id}/blobServices/default") is None:
                self._add_blob_service(account)

    def _add_blob_service(self, account: Resource) -> None:
        service_id = f"{account.id}/blobServices/default"
        body = envelope(service_id, BLOB_SERVICES, properties=blob_service_defaults())
        self.store.save(Resource(id=service_id, body=body))

    def removed(self, resource: Resource) -> None:
        self.plane.blobs.delete_account(resource.name)

    def _regenerate_key(self, request: Request, account: Resource) -> Reply:
        names = [f"key{number}" for number in range(1, len(account.private["keys"]) + 1)]
        wanted = request.body.get("keyName")
        if wanted not in names:
            # The wording is ours.
            raise BadRequest("InvalidRequestContent", f"keyName must be {' or '.join(names)}, got {wanted!r}.")
        account.private["keys"][names.index(wanted)] = _new_key()
        account.properties["keyCreationTime"] = _key_times(account.properties) | {wanted: time_text(self.plane.clock())}
        self.store.save(account)
        return self._list_keys(request, account)

    def _list_keys(self, request: Request, account: Resource) -> Reply:
        keys = account.private["keys"]
        created = _key_times(account.properties)
        shown = [
            {
                "keyName": f"key{number}",
                "value": value,
                "permissions": "FULL",
                "creationTime": created[f"key{number}"],
            }
            for number, value in enumerate(keys, 1)
        ]
        return Reply(200, {"keys": shown})

    actions: ClassVar[Mapping[str, Action]] = {"listKeys": _list_keys, "regenerateKey": _regenerate_key}


class BlobServices(Behaviour):
    """Settings of an account's blob service, stored only; a PUT replaces all of them and resets omitted ones."""

    tracked = False
    created_status = 200
    refused: ClassVar[Mapping[str, str]] = {
        "name": "anything but `default`",
        "properties.cors.corsRules": "more than five",
        "properties.deleteRetentionPolicy.days": "not a whole number from 1 to 365",
        "properties.containerDeleteRetentionPolicy.days": "not a whole number from 1 to 365",
    }

    def check(self, request: Request, existing: Resource | None) -> None:
        if request.id.name.lower() != "default":
            # Code and wording as reported by a user of azure-native who had left out the name.
            raise NotFound("HttpResourceNotFound", f"The request url {request.id.text} is not found.")
        sent = request.sent_properties
        rules = (sent.get("cors") or {}).get("corsRules") or []
        if len(rules) > MAX_CORS_RULES:
            # The rule is in the reference; the wording is ours, here and below.
            raise BadRequest(
                "InvalidRequestContent",
                f"properties.cors.corsRules must have at most {MAX_CORS_RULES} rules, got {len(rules)}.",
            )
        for policy in ("deleteRetentionPolicy", "containerDeleteRetentionPolicy"):
            days = (sent.get(policy) or {}).get("days")
            if days is not None and (type(days) is not int or not 1 <= days <= MAX_RETENTION_DAYS):
                raise BadRequest(
                    "InvalidRequestContent",
                    f"properties.{policy}.days must be a whole number from 1 to {MAX_RETENTION_DAYS}, got {days!r}.",
                )

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        sent = super().properties(request, existing)
        return blob_service_defaults() | {name: value for name, value in sent.items() if value is not None}

    def mark_provisioned(self, resource: Resource) -> None:
        """It has no provisioning state."""

    def complete_body(self, resource: Resource, request: Request) -> None:
        account = self.store.get(ResourceId(resource.id).parent)
        if account is not None:
            resource.body["sku"] = account.body.get("sku")

    def delete(self, request: Request) -> NoReturn:
        raise NotEmulated(f"DELETE of {self.shape.arm}, which is deleted with its account,")


class BlobContainers(Behaviour):
    """A container, the same one that the blob service has; containers made there are not listed here"""

    tracked = False
    refused: ClassVar[Mapping[str, str]] = {"name": "not one that the blob service accepts"}

    def check(self, request: Request, existing: Resource | None) -> None:
        account = ResourceId(ResourceId(request.id.parent).parent)
        try:
            self.plane.blobs.create_container(account.name, request.id.name, exist_ok=True)
        except BlobError as error:
            raise BadRequest(error.code, error.message) from None

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        shown = {"publicAccess": "None", "hasImmutabilityPolicy": False, "hasLegalHold": False, "deleted": False}
        return shown | super().properties(request, existing)

    def mark_provisioned(self, resource: Resource) -> None:
        """It has no provisioning state."""

    def removed(self, resource: Resource) -> None:
        account = ResourceId(ResourceId(resource.resource_id.parent).parent)
        with suppress(BlobError):  # the blob service has deleted it already
            self.plane.blobs.delete_container(account.name, resource.name)


def blob_service_defaults() -> dict[str, Any]:
    """Settings of a new account's blob service."""
    return {
        "cors": {"corsRules": []},
        "deleteRetentionPolicy": {"enabled": False, "allowPermanentDelete": False},
    }


def let_the_studio_in(store: Store, account: Resource) -> None:
    """Add Azure ML's own CORS rule to the account of a workspace unless it is there."""
    service = store.get(f"{account.id}/blobServices/default")
    assert service is not None  # created with the account
    rules = service.properties["cors"].get("corsRules") or []
    if not any(set(STUDIO_RULE["allowedOrigins"]) <= set(rule.get("allowedOrigins") or ()) for rule in rules):
        service.properties["cors"]["corsRules"] = [*rules, copy.deepcopy(STUDIO_RULE)]
        store.save(service)


def _key_times(properties: Mapping[str, Any]) -> dict[str, Any]:
    """When each key was created; unknown for accounts of earlier versions of this program."""
    created = properties["creationTime"]
    return {"key1": created, "key2": created} | (properties.get("keyCreationTime") or {})


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(64)).decode()


BEHAVIOURS = {
    "Microsoft.Storage/storageAccounts": StorageAccounts,
    BLOB_SERVICES: BlobServices,
    CONTAINERS: BlobContainers,
}

"""Microsoft.Storage: accounts. The blob service behind `primaryEndpoints.blob` is real (`localazure.storage`); queue,
table, file and Data Lake services are not emulated."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping
from typing import Any, ClassVar

from localazure.arm.behaviour import Action, Behaviour
from localazure.arm.errors import BadRequest, Conflict
from localazure.arm.reply import Reply, Request
from localazure.arm.store import Resource
from localazure.arm.timing import time_text

_NAME = re.compile(r"[a-z0-9]{3,24}")
# The account is the first segment of a blob's path; these segments lead elsewhere.
RESERVED_NAMES = frozenset(
    {
        "discovery",
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


class StorageAccounts(Behaviour):
    """A storage account; names are unique in all of Azure."""

    honoured: ClassVar[Mapping[str, str]] = {
        "properties.networkAcls.defaultAction": "Deny closes the blobs to a caller outside of the network",
        "properties.publicNetworkAccess": "Disabled does the same (`--outside-network`)",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "name": "not 3 to 24 lower-case letters and digits, or taken anywhere (409)",
        "sku.name": "missing",
    }

    def check(self, request: Request, existing: Resource | None) -> None:
        name = request.id.name
        if not _NAME.fullmatch(name):
            # Known code and rule; the wording is ours.
            raise BadRequest(
                "AccountNameInvalid",
                f"{name} is not a valid storage account name. It must have 3 to 24 lower-case letters and digits.",
            )
        if name in RESERVED_NAMES:
            raise Conflict("StorageAccountAlreadyTaken", f"The storage account named {name} is already taken.")
        taken = self.plane.storage_account(name)
        if existing is None and taken is not None:
            raise Conflict("StorageAccountAlreadyTaken", f"The storage account named {name} is already taken.")
        sku = request.body.get("sku") or (existing.body.get("sku") if existing else None)
        if not isinstance(sku, dict) or not sku.get("name"):
            raise BadRequest("InvalidRequestContent", "sku.name of a storage account is required.")

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
        }

    def complete_body(self, resource: Resource, request: Request) -> None:
        resource.body.setdefault("kind", "StorageV2")
        sku = resource.body.get("sku")
        if isinstance(sku, dict):
            sku["tier"] = str(sku.get("name", "")).partition("_")[0]
        if "keys" not in resource.private:
            resource.private["keys"] = [base64.b64encode(secrets.token_bytes(64)).decode() for _ in range(2)]

    def removed(self, resource: Resource) -> None:
        self.plane.blobs.delete_account(resource.name)

    def _list_keys(self, request: Request, account: Resource) -> Reply:
        keys = account.private["keys"]
        created = account.properties["creationTime"]
        shown = [
            {"keyName": f"key{number}", "value": value, "permissions": "FULL", "creationTime": created}
            for number, value in enumerate(keys, 1)
        ]
        return Reply(200, {"keys": shown})

    actions: ClassVar[Mapping[str, Action]] = {"listKeys": _list_keys}


def is_closed_to_public(account: Resource) -> bool:
    """Whether only private networks reach the account."""
    rules = account.properties.get("networkAcls") or {}
    disabled = str(account.properties.get("publicNetworkAccess", "Enabled")).lower() == "disabled"
    return disabled or str(rules.get("defaultAction", "Allow")).lower() == "deny"


BEHAVIOURS = {"Microsoft.Storage/storageAccounts": StorageAccounts}

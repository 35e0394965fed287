"""Microsoft.KeyVault: vaults. No secrets are served; soft delete and purge protection are stored without effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from localazure.arm.errors import BadRequest
from localazure.arm.patching import Patched
from localazure.arm.reply import Request
from localazure.arm.store import Resource


class Vaults(Patched):
    """A key vault."""

    dated = True
    patchable: ClassVar[frozenset[str]] = frozenset({"tags", "properties"})

    honoured: ClassVar[Mapping[str, str]] = {
        "properties.networkAcls.bypass": "without AzureServices, endpoints with keys cannot be created",
        "properties.networkAcls.defaultAction": "Deny makes the vault a restricted one",
        "properties.publicNetworkAccess": "Disabled makes the vault a restricted one",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "properties.tenantId": "missing",
        "properties.sku": "missing",
        "properties.enablePurgeProtection": "turned off again",
    }

    def check(self, request: Request, existing: Resource | None) -> None:
        for field in ("tenantId", "sku"):
            if not request.sent_properties.get(field):
                raise BadRequest("BadRequest", f"properties.{field} of a key vault is required.")
        before = existing.properties if existing else {}
        if before.get("enablePurgeProtection") and request.sent_properties.get("enablePurgeProtection") is False:
            # The rule is documented, the wording is ours.
            raise BadRequest("BadRequest", "properties.enablePurgeProtection cannot be turned off again.")

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        defaults: dict[str, Any] = {
            "accessPolicies": [],
            "enabledForDeployment": False,
            "enableSoftDelete": True,
            "softDeleteRetentionInDays": 90,
            "publicNetworkAccess": "Enabled",
        }
        properties = defaults | super().properties(request, existing)
        return properties | {"vaultUri": f"https://{request.id.name.lower()}.vault.localhost/"}


def trusted_services_blocked(vault: Resource) -> bool:
    """Whether the vault's network rules keep Azure's own services out (`bypass` other than AzureServices)."""
    rules = vault.properties.get("networkAcls") or {}
    closed = str(vault.properties.get("publicNetworkAccess", "Enabled")).lower() == "disabled"
    restricted = closed or str(rules.get("defaultAction", "Allow")).lower() == "deny"
    return restricted and str(rules.get("bypass", "AzureServices")).lower() != "azureservices"


BEHAVIOURS = {"Microsoft.KeyVault/vaults": Vaults}

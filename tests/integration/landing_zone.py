"""What a landing zone has before a stack comes: a group for it, and a hub with logs, registry, vault and storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from localazure.identity import SUBSCRIPTION_ID, TENANT_ID
from tests.integration.rehearsal import Azure, Stack

ROOT = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups"


def make_landing_zone(azure: Azure, name: str, *, private: bool = False) -> dict[str, str]:
    """Make it as its owner does; returns the ids by the keys of `sluice:existing`.

    One for a private stack also has a subnet, and its storage is closed.
    """
    hub = f"{ROOT}/rg-{name}-hub"
    ids = {
        "resource_group": f"{ROOT}/rg-{name}-landing",
        "log_analytics": f"{hub}/providers/Microsoft.OperationalInsights/workspaces/log-{name}",
        "registry": f"{hub}/providers/Microsoft.ContainerRegistry/registries/cr{name}",
        "vault": f"{hub}/providers/Microsoft.KeyVault/vaults/kv-{name}",
        "storage": f"{hub}/providers/Microsoft.Storage/storageAccounts/st{name}",
    }
    vault = {
        "tenantId": TENANT_ID,
        "sku": {"family": "A", "name": "standard"},
        "enableRbacAuthorization": True,
        "enablePurgeProtection": True,
    }
    bodies: dict[str, tuple[dict[str, Any], str]] = {
        ids["resource_group"]: ({}, "2024-03-01"),
        hub: ({}, "2024-03-01"),
        ids["log_analytics"]: ({"properties": {"sku": {"name": "PerGB2018"}}}, "2023-09-01"),
        ids["registry"]: ({"sku": {"name": "Premium"}, "properties": {}}, "2023-07-01"),
        ids["vault"]: ({"properties": vault}, "2023-07-01"),
        ids["storage"]: (
            {"sku": {"name": "Standard_ZRS"}, "kind": "StorageV2", "properties": {"allowSharedKeyAccess": False}},
            "2023-05-01",
        ),
    }
    if private:
        network = f"{hub}/providers/Microsoft.Network/virtualNetworks/vnet-{name}"
        ids["subnet"] = f"{network}/subnets/endpoints"
        space = {"addressSpace": {"addressPrefixes": ["10.210.0.0/24"]}}
        bodies[network] = ({"properties": space}, "2024-05-01")
        bodies[ids["subnet"]] = ({"properties": {"addressPrefix": "10.210.0.0/27"}}, "2024-05-01")
        bodies[ids["storage"]][0]["properties"]["publicNetworkAccess"] = "Disabled"
    for path, (body, version) in bodies.items():
        status, answer = azure.request(
            "PUT", path, {"location": "westeurope", "tags": {"owner": "hub"}, **body}, version
        )
        assert status in (200, 201, 202), (path, status, answer)
    return ids


class LandedStack(Stack):
    """A stack that uses what it is given."""

    def __init__(self, azure: Azure, name: str, existing: Mapping[str, str], *, like: str = "dev") -> None:
        super().__init__(azure, name, like=like)
        self.edit(lambda config: config.update({"sluice:existing": dict(existing)}))
        self.names = replace(
            self.names, given_group_id=existing.get("resource_group"), given_workspace_id=existing.get("workspace")
        )

    def in_group(self) -> list[str]:
        """The types of what is in its resource group."""
        status, body = self.azure.request("GET", f"{self.names.resource_group_id}/resources", api_version="2021-04-01")
        assert status == 200, body
        return sorted(one["type"] for one in body["value"])

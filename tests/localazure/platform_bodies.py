"""The resources that a workspace needs, in their order of creation: ids and bodies for tests with any client."""

from __future__ import annotations

from typing import Any

from localazure import identity

SUBSCRIPTION = f"/subscriptions/{identity.SUBSCRIPTION_ID}"
GROUP = f"{SUBSCRIPTION}/resourceGroups/rg1"
PROVIDERS = f"{GROUP}/providers"
WORKSPACE = f"{PROVIDERS}/Microsoft.MachineLearningServices/workspaces/ws1"
HERE = {"location": "westeurope"}
OWN_SERVER = "azureml://registries/azureml/environments/foundation-model-inference/versions/1"
"""An environment that says what it runs, as its definition in Azure does, so that a deployment needs no code."""
MANAGED = {"endpointComputeType": "Managed", "instanceType": "Standard_DS3_v2", "environmentId": OWN_SERVER}
"""What every managed deployment needs."""
_REFERENCES = {
    "storageAccount": f"{PROVIDERS}/Microsoft.Storage/storageAccounts/stacc1",
    "keyVault": f"{PROVIDERS}/Microsoft.KeyVault/vaults/kv1",
    "applicationInsights": f"{PROVIDERS}/Microsoft.Insights/components/ai1",
}
_VAULT = {"tenantId": identity.TENANT_ID, "sku": {"family": "A", "name": "standard"}}
PLATFORM: tuple[tuple[str, dict[str, Any]], ...] = (
    (GROUP, HERE),
    (_REFERENCES["storageAccount"], HERE | {"sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}),
    (_REFERENCES["keyVault"], HERE | {"properties": _VAULT}),
    (_REFERENCES["applicationInsights"], HERE | {"properties": {}}),
    (WORKSPACE, HERE | {"identity": {"type": "SystemAssigned"}, "properties": _REFERENCES}),
)
"""Only the last one, the workspace, is a long-running operation."""

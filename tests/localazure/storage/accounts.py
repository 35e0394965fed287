"""A storage account to put blobs into."""

from localazure import identity

SUBSCRIPTION = f"/subscriptions/{identity.SUBSCRIPTION_ID}"
GROUP = f"{SUBSCRIPTION}/resourceGroups/rg1"
STORAGE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/stacc1"


def make_account(azure, **properties):
    """Returns the address of its blobs."""
    azure.request("PUT", GROUP, {"location": "westeurope"})
    body = {"location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": properties}
    return azure.request("PUT", STORAGE, body).json()["properties"]["primaryEndpoints"]["blob"]

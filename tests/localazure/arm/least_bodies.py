"""The smallest valid body of each type, and a local Azure in which all of these resources can be created."""

from __future__ import annotations

import copy
from typing import Any

from localazure import identity
from tests.localazure.platform_bodies import MANAGED

GROUP = f"/subscriptions/{identity.SUBSCRIPTION_ID}/resourceGroups/rg1"
PROVIDERS = f"{GROUP}/providers"
ML = "Microsoft.MachineLearningServices/workspaces"
WORKSPACE = f"{PROVIDERS}/{ML}/ws1"
ISOLATED = f"{PROVIDERS}/{ML}/isolated"
ENDPOINT = f"{WORKSPACE}/onlineEndpoints/fraud-dev"
BLUE = f"{ENDPOINT}/deployments/blue"
NETWORK = "Microsoft.Network"
HUB = f"{PROVIDERS}/{NETWORK}/virtualNetworks/hub"
VNET = f"{PROVIDERS}/{NETWORK}/virtualNetworks/vnet1"
HERE = {"location": "westeurope"}
PROFILES = [{"name": "p", "capacity": {"minimum": "1", "default": "1", "maximum": "2"}, "rules": []}]
VAULT = {"tenantId": identity.TENANT_ID, "sku": {"family": "A", "name": "standard"}}
ROLE = f"/subscriptions/{identity.SUBSCRIPTION_ID}/providers/Microsoft.Authorization/roleDefinitions/r"
SPACE = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}
OPEN = {"accessModeSettings": {"ingestionAccessMode": "Open", "queryAccessMode": "Open"}}
SYSTEM = {"identity": {"type": "SystemAssigned"}}
CLUSTER = {"computeType": "AmlCompute", "properties": {"vmSize": "Standard_DS3_v2"}}
DATASTORE = {
    "datastoreType": "AzureBlob",
    "accountName": "elsewhere",
    "containerName": "box",
    "credentials": {"credentialsType": "None"},
}
REFERENCES = {
    "storageAccount": f"{PROVIDERS}/Microsoft.Storage/storageAccounts/stacc1",
    "keyVault": f"{PROVIDERS}/Microsoft.KeyVault/vaults/kv1",
}
# A resource of each type with no more in its body than it must have.
LEAST: dict[str, tuple[str, dict[str, Any]]] = {
    "Microsoft.Resources/resourceGroups": (f"{GROUP}x", HERE),
    "Microsoft.OperationalInsights/workspaces": (f"{PROVIDERS}/Microsoft.OperationalInsights/workspaces/la1", HERE),
    "Microsoft.Insights/components": (f"{PROVIDERS}/Microsoft.Insights/components/ai2", HERE),
    "Microsoft.Storage/storageAccounts": (
        f"{PROVIDERS}/Microsoft.Storage/storageAccounts/stacc2",
        HERE | {"sku": {"name": "Standard_LRS"}},
    ),
    "Microsoft.Storage/storageAccounts/blobServices": (
        f"{PROVIDERS}/Microsoft.Storage/storageAccounts/stacc1/blobServices/default",
        {"properties": {}},
    ),
    "Microsoft.Storage/storageAccounts/blobServices/containers": (
        f"{PROVIDERS}/Microsoft.Storage/storageAccounts/stacc1/blobServices/default/containers/box1",
        {"properties": {}},
    ),
    "Microsoft.KeyVault/vaults/keys": (
        f"{PROVIDERS}/Microsoft.KeyVault/vaults/kv1/keys/secrets",
        {"properties": {"kty": "RSA"}},
    ),
    "Microsoft.Authorization/roleDefinitions": (
        f"/subscriptions/{identity.SUBSCRIPTION_ID}/providers/Microsoft.Authorization/roleDefinitions/"
        "00000000-0000-4000-8000-000000000002",
        {"properties": {"roleName": "Mine", "assignableScopes": [GROUP]}},
    ),
    "Microsoft.KeyVault/vaults": (f"{PROVIDERS}/Microsoft.KeyVault/vaults/kv2", HERE | {"properties": VAULT}),
    "Microsoft.ContainerRegistry/registries": (
        f"{PROVIDERS}/Microsoft.ContainerRegistry/registries/acr2",
        HERE | {"sku": {"name": "Premium"}},
    ),
    "Microsoft.ManagedIdentity/userAssignedIdentities": (
        f"{PROVIDERS}/Microsoft.ManagedIdentity/userAssignedIdentities/uai2",
        HERE,
    ),
    "Microsoft.Authorization/roleAssignments": (
        f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001",
        {"properties": {"principalId": "p", "roleDefinitionId": ROLE}},
    ),
    "Microsoft.Authorization/locks": (
        f"{PROVIDERS}/Microsoft.KeyVault/vaults/kv1/providers/Microsoft.Authorization/locks/least",
        {"properties": {"level": "CanNotDelete"}},
    ),
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials": (
        f"{PROVIDERS}/Microsoft.ManagedIdentity/userAssignedIdentities/uai1/federatedIdentityCredentials/github",
        {"properties": {"issuer": "https://i", "subject": "s", "audiences": ["a"]}},
    ),
    ML: (f"{PROVIDERS}/{ML}/ws2", HERE | SYSTEM | {"properties": REFERENCES}),
    f"{ML}/onlineEndpoints": (f"{WORKSPACE}/onlineEndpoints/other", HERE | {"properties": {"authMode": "Key"}}),
    f"{ML}/onlineEndpoints/deployments": (f"{ENDPOINT}/deployments/other", HERE | {"properties": MANAGED}),
    f"{ML}/models/versions": (f"{WORKSPACE}/models/m/versions/1", {"properties": {"modelUri": "azureml://m"}}),
    f"{ML}/codes/versions": (f"{WORKSPACE}/codes/c/versions/1", {"properties": {"codeUri": "https://localhost/c"}}),
    f"{ML}/environments/versions": (f"{WORKSPACE}/environments/e/versions/1", {"properties": {"image": "i"}}),
    f"{ML}/data/versions": (f"{WORKSPACE}/data/d/versions/1", {"properties": {"dataUri": "https://localhost/d"}}),
    f"{ML}/codes": (f"{WORKSPACE}/codes/mine", {"properties": {}}),
    f"{ML}/models": (f"{WORKSPACE}/models/mine", {"properties": {}}),
    f"{ML}/environments": (f"{WORKSPACE}/environments/mine", {"properties": {}}),
    f"{ML}/data": (f"{WORKSPACE}/data/mine", {"properties": {"dataType": "uri_file"}}),
    f"{ML}/datastores": (f"{WORKSPACE}/datastores/mine", {"properties": DATASTORE}),
    f"{ML}/outboundRules": (f"{ISOLATED}/outboundRules/mine", {"properties": {"type": "FQDN", "destination": "a.org"}}),
    f"{ML}/computes": (f"{WORKSPACE}/computes/cluster", HERE | {"properties": CLUSTER}),
    f"{ML}/batchEndpoints": (f"{WORKSPACE}/batchEndpoints/nightly", HERE | {"properties": {"authMode": "AADToken"}}),
    f"{ML}/batchEndpoints/deployments": (f"{WORKSPACE}/batchEndpoints/weekly/deployments/first", HERE),
    "Microsoft.Insights/autoscalesettings": (
        f"{PROVIDERS}/Microsoft.Insights/autoscalesettings/as1",
        HERE | {"properties": {"targetResourceUri": BLUE, "profiles": PROFILES}},
    ),
    "Microsoft.Insights/diagnosticSettings": (
        f"{ENDPOINT}/providers/Microsoft.Insights/diagnosticSettings/d1",
        {"properties": {"storageAccountId": REFERENCES["storageAccount"]}},
    ),
    "Microsoft.Insights/privateLinkScopes": (
        f"{PROVIDERS}/Microsoft.Insights/privateLinkScopes/ampls2",
        {"location": "global", "properties": OPEN},
    ),
    "Microsoft.Insights/privateLinkScopes/scopedResources": (
        f"{PROVIDERS}/Microsoft.Insights/privateLinkScopes/ampls1/scopedResources/ai",
        {"properties": {"linkedResourceId": f"{PROVIDERS}/Microsoft.Insights/components/ai1"}},
    ),
    f"{NETWORK}/virtualNetworks": (f"{PROVIDERS}/{NETWORK}/virtualNetworks/vnet2", HERE | {"properties": SPACE}),
    f"{NETWORK}/virtualNetworks/subnets": (
        f"{PROVIDERS}/{NETWORK}/virtualNetworks/vnet1/subnets/s2",
        {"properties": {"addressPrefix": "10.0.0.0/24"}},
    ),
    f"{NETWORK}/networkSecurityGroups": (f"{PROVIDERS}/{NETWORK}/networkSecurityGroups/nsg1", HERE),
    f"{NETWORK}/publicIPAddresses": (f"{PROVIDERS}/{NETWORK}/publicIPAddresses/pip2", HERE),
    f"{NETWORK}/natGateways": (f"{PROVIDERS}/{NETWORK}/natGateways/ng2", HERE),
    f"{NETWORK}/virtualNetworks/virtualNetworkPeerings": (
        f"{PROVIDERS}/{NETWORK}/virtualNetworks/vnet1/virtualNetworkPeerings/hub",
        {"properties": {"remoteVirtualNetwork": {"id": HUB}}},
    ),
    f"{NETWORK}/privateEndpoints": (
        f"{PROVIDERS}/{NETWORK}/privateEndpoints/pe2",
        HERE | {"properties": {"subnet": {"id": f"{PROVIDERS}/{NETWORK}/virtualNetworks/vnet1/subnets/s1"}}},
    ),
    f"{NETWORK}/privateEndpoints/privateDnsZoneGroups": (
        f"{PROVIDERS}/{NETWORK}/privateEndpoints/pe1/privateDnsZoneGroups/default",
        {"properties": {}},
    ),
    f"{NETWORK}/privateDnsZones": (f"{PROVIDERS}/{NETWORK}/privateDnsZones/z2", {"location": "global"}),
    f"{NETWORK}/privateDnsZones/virtualNetworkLinks": (
        f"{PROVIDERS}/{NETWORK}/privateDnsZones/z1/virtualNetworkLinks/l1",
        {
            "location": "global",
            "properties": {"virtualNetwork": {"id": VNET}},
        },
    ),
}
PARENTS = (
    "Microsoft.Insights/privateLinkScopes",
    f"{NETWORK}/virtualNetworks",
    f"{NETWORK}/virtualNetworks/subnets",
    f"{NETWORK}/privateEndpoints",
    f"{NETWORK}/privateDnsZones",
    f"{ML}/batchEndpoints",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
)


def create_dependencies(arm: Any) -> None:
    """Create the resources on which those of `LEAST` depend."""
    arm.make_serving_endpoint()
    network = {"managedNetwork": {"isolationMode": "AllowOnlyApprovedOutbound"}}
    assert arm.put(ISOLATED, HERE | SYSTEM | {"properties": REFERENCES | network}).status == 202
    hub = HERE | {"properties": {"addressSpace": {"addressPrefixes": ["10.200.0.0/16"]}}}
    assert arm.put(HUB, hub).status in (200, 201)
    for arm_type in PARENTS:
        path, body = LEAST[arm_type]
        first = path.removesuffix("2") + "1" if path.endswith("2") else path.replace("nightly", "weekly")
        assert arm.put(first, body).status in (200, 201), first


def least(arm_type: str) -> tuple[str, dict[str, Any]]:
    """Path and body, for the caller to change."""
    path, body = LEAST[arm_type]
    return path, copy.deepcopy(body)


def set_at(body: dict[str, Any], path: str, value: Any) -> None:
    """Into the first item where the way leads through a list, under the name `key` where through a map."""
    *way, last = path.split(".")
    place: Any = body
    for name in way:
        place = place.setdefault(name, {})
        if isinstance(place, list):
            if not place:
                place.append({})
            place = place[0]
    place[last] = value

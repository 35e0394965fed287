"""Rules of single fields that no story of another file tells: each starts from a body that is accepted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.localazure.arm.conftest import LocalArm
from tests.localazure.arm.least_bodies import BLUE, ENDPOINT, ML, NETWORK, PROVIDERS, create_dependencies, least, set_at

GONE = f"{PROVIDERS}/{NETWORK}/virtualNetworks/none"
VNETS = f"{NETWORK}/virtualNetworks"
BATCH = f"{ML}/batchEndpoints"
ASSET = f"{PROVIDERS}/{ML}/ws1"


@pytest.fixture
def prepared(arm):
    create_dependencies(arm)
    return arm


@pytest.fixture(scope="module")
def shared(tmp_path_factory, make_plane):
    """One for all tests that leave it as they found it."""
    local = LocalArm(tmp_path_factory.mktemp("shared"), make_plane)
    create_dependencies(local)
    yield local
    local.close()


def changed(arm_type: str, field: str, value: Any, name: str = "") -> tuple[str, dict[str, Any]]:
    """The least body with one field changed, or without it (None)."""
    path, body = least(arm_type)
    set_at(body, field, value)
    return (path.rpartition("/")[0] + f"/{name}" if name else path), body


@pytest.mark.proves("*", refuses=["tags"])
@pytest.mark.proves("ContainerRegistry/registries", refuses=["sku.name", "properties.publicNetworkAccess"])
@pytest.mark.proves("KeyVault/vaults", refuses=["properties.tenantId", "properties.sku"])
@pytest.mark.proves("storageAccounts", refuses=["sku.name"])
@pytest.mark.proves("data/versions", refuses=["properties.dataUri"])
@pytest.mark.proves(
    "MachineLearningServices/workspaces",
    refuses=["identity", "properties.applicationInsights", "properties.containerRegistry", "properties.keyVault"],
)
@pytest.mark.proves("workspaces/computes", refuses=["properties.computeType", "properties.properties.vmSize"])
@pytest.mark.proves("onlineEndpoints", refuses=["properties.publicNetworkAccess"])
@pytest.mark.proves(
    "onlineEndpoints/deployments",
    refuses=[
        "properties.requestSettings.maxQueueWait",
        "properties.requestSettings.maxConcurrentRequestsPerInstance",
        "properties.codeConfiguration",
        "properties.environmentId",
        "properties.readinessProbe",
        "properties.egressPublicNetworkAccess",
    ],
)
@pytest.mark.proves("batchEndpoints", refuses=["properties.authMode"])
@pytest.mark.proves(
    "batchEndpoints/deployments",
    refuses=[
        "properties.environmentId",
        "properties.codeConfiguration.codeId",
        "properties.loggingLevel",
        "properties.outputAction",
        "properties.model.referenceType",
    ],
)
@pytest.mark.proves(
    "Network/virtualNetworks", refuses=["properties.addressSpace.addressPrefixes", "properties.subnets"]
)
@pytest.mark.proves(
    "virtualNetworks/subnets",
    refuses=["properties.addressPrefix", "properties.networkSecurityGroup", "properties.natGateway"],
)
@pytest.mark.proves("natGateways", refuses=["properties.publicIpAddresses"])
@pytest.mark.proves("virtualNetworkPeerings", refuses=["properties.remoteVirtualNetwork"])
@pytest.mark.proves("privateEndpoints", refuses=["properties.subnet", "properties.privateLinkServiceConnections"])
@pytest.mark.proves("privateDnsZoneGroups", refuses=["properties.privateDnsZoneConfigs"])
@pytest.mark.proves("privateDnsZones/virtualNetworkLinks", refuses=["properties.virtualNetwork"])
@pytest.mark.parametrize(
    ("arm_type", "field", "value", "status"),
    [
        ("Microsoft.Resources/resourceGroups", "tags", {"a": 1}, 400),
        ("Microsoft.Resources/resourceGroups", "tags", ["a"], 400),
        ("Microsoft.ContainerRegistry/registries", "sku.name", "Huge", 400),
        ("Microsoft.KeyVault/vaults", "properties.tenantId", None, 400),
        ("Microsoft.KeyVault/vaults", "properties.sku", None, 400),
        ("Microsoft.Storage/storageAccounts", "sku.name", None, 400),
        (ML, "identity", None, 400),
        (ML, "properties.applicationInsights", GONE, 400),
        (ML, "properties.containerRegistry", GONE, 400),
        (ML, "properties.keyVault", GONE, 400),
        (ML, "properties.keyVault", None, 400),
        (f"{ML}/data/versions", "properties.dataUri", None, 400),
        (f"{ML}/computes", "properties.computeType", None, 400),
        (f"{ML}/computes", "properties.computeType", "Databricks", 501),
        (f"{ML}/computes", "properties.properties.vmSize", None, 400),
        (f"{ML}/onlineEndpoints", "properties.publicNetworkAccess", "Sometimes", 400),
        (f"{ML}/onlineEndpoints/deployments", "properties.requestSettings", {"maxQueueWait": "soon"}, 400),
        (f"{ML}/onlineEndpoints/deployments", "properties.requestSettings.maxConcurrentRequestsPerInstance", 0, 400),
        (
            f"{ML}/onlineEndpoints/deployments",
            "properties.codeConfiguration.codeId",
            f"{ASSET}/codes/x/versions/1",
            400,
        ),
        (f"{ML}/onlineEndpoints/deployments", "properties.environmentId", f"{ASSET}/environments/x/versions/1", 400),
        (f"{ML}/onlineEndpoints/deployments", "properties.readinessProbe.failureThreshold", 0, 400),
        (f"{ML}/onlineEndpoints/deployments", "properties.egressPublicNetworkAccess", "Sometimes", 400),
        (BATCH, "properties.authMode", "AMLToken", 400),
        (f"{BATCH}/deployments", "properties.environmentId", f"{ASSET}/environments/none/versions/1", 400),
        (f"{BATCH}/deployments", "properties.codeConfiguration.codeId", f"{ASSET}/codes/none/versions/1", 400),
        (f"{BATCH}/deployments", "properties.loggingLevel", "Loud", 400),
        (f"{BATCH}/deployments", "properties.outputAction", "Print", 400),
        (f"{BATCH}/deployments", "properties.model.referenceType", "OutputPath", 501),
        (VNETS, "properties.addressSpace.addressPrefixes", [], 400),
        (VNETS, "properties.subnets", [{"properties": {}}], 400),
        (f"{VNETS}/subnets", "properties.addressPrefix", None, 400),
        (f"{VNETS}/subnets", "properties.networkSecurityGroup", {"id": GONE}, 400),
        (f"{VNETS}/subnets", "properties.natGateway", {"id": GONE}, 400),
        (f"{NETWORK}/natGateways", "properties.publicIpAddresses", [{"id": GONE}], 400),
        (f"{VNETS}/virtualNetworkPeerings", "properties.remoteVirtualNetwork", None, 400),
        (f"{VNETS}/virtualNetworkPeerings", "properties.remoteVirtualNetwork", {"id": GONE}, 400),
        (f"{NETWORK}/privateEndpoints", "properties.subnet", None, 400),
        (f"{NETWORK}/privateEndpoints", "properties.subnet", {"id": GONE}, 400),
        (
            f"{NETWORK}/privateEndpoints",
            "properties.privateLinkServiceConnections",
            [{"name": "x", "properties": {"privateLinkServiceId": GONE}}],
            400,
        ),
        (
            f"{NETWORK}/privateEndpoints/privateDnsZoneGroups",
            "properties.privateDnsZoneConfigs",
            [{"name": "x", "properties": {"privateDnsZoneId": GONE}}],
            400,
        ),
        (f"{NETWORK}/privateDnsZones/virtualNetworkLinks", "properties.virtualNetwork", {"id": GONE}, 400),
    ],
)
def test_a_field_that_breaks_its_rule_is_refused_and_nothing_is_made(shared, arm_type, field, value, status):
    path, body = changed(arm_type, field, value)
    answer = shared.put(path, body)
    assert answer.status == status, answer.text
    said = ("soon" if value == {"maxQueueWait": "soon"} else field.rpartition(".")[2], GONE)
    assert any(word in answer.error["message"] for word in said) or status == 501, answer.error["message"]
    assert shared.get(path).status == 404
    path, body = least(arm_type)
    assert shared.put(path, body).status in (200, 201, 202), "only the field was wrong"
    shared.erase(path)
    assert shared.get(path).status == 404


@pytest.mark.proves("MachineLearningServices/workspaces", refuses=["name"])
@pytest.mark.proves("batchEndpoints", refuses=["name"])
@pytest.mark.proves("batchEndpoints/deployments", refuses=["name"])
@pytest.mark.parametrize(("arm_type", "name"), [(ML, "a"), (BATCH, "a--b"), (f"{BATCH}/deployments", "1abc")])
def test_a_name_that_breaks_the_rule_is_refused(shared, arm_type, name):
    path, body = least(arm_type)
    path = f"{path.rpartition('/')[0]}/{name}"
    assert shared.put(path, body).status == 400
    assert shared.get(path).status == 404


@pytest.mark.proves("ContainerRegistry/registries", refuses=["properties.publicNetworkAccess"])
def test_only_a_premium_registry_can_be_closed(prepared):
    path, body = changed("Microsoft.ContainerRegistry/registries", "properties.publicNetworkAccess", "Disabled")
    assert "Premium" in prepared.put(path, body | {"sku": {"name": "Basic"}}).error["message"]
    assert prepared.put(path, body).status in (200, 201)


@pytest.mark.proves("KeyVault/vaults", refuses=["properties.enablePurgeProtection"])
def test_purge_protection_stays(prepared):
    path, body = changed("Microsoft.KeyVault/vaults", "properties.enablePurgeProtection", True)
    assert prepared.put(path, body).status == 201
    set_at(body, "properties.enablePurgeProtection", False)
    assert "cannot be set to false" in prepared.put(path, body).error["message"]
    assert prepared.get(path).properties["enablePurgeProtection"] is True


@pytest.mark.proves("onlineEndpoints/deployments", honours=["properties.egressPublicNetworkAccess"])
@pytest.mark.parametrize(("access", "refused"), [("Disabled", True), ("Enabled", False)])
def test_an_mlflow_model_behind_closed_egress_needs_code(prepared, access, refused):
    uri = "azureml://datastores/workspaceblobstore/paths/model"
    model = f"{ASSET}/models/flow/versions/1"
    prepared.put(model, {"properties": {"modelType": "mlflow_model", "modelUri": uri}})
    path, body = changed(f"{ML}/onlineEndpoints/deployments", "properties.egressPublicNetworkAccess", access)
    set_at(body, "properties.model", model)
    answer = prepared.put(path, body)
    said = answer.text if answer.status == 400 else prepared.poll(answer).text
    assert ("egress_public_network_access is disabled" in said) is refused


@pytest.mark.proves("onlineEndpoints", honours=["properties.keys"], refuses=["regenerateKeys/keyType"])
def test_keys_can_be_chosen_at_creation_and_are_shown_by_their_action_only(prepared):
    path, body = changed(
        f"{ML}/onlineEndpoints", "properties.keys", {"primaryKey": "one" * 9, "secondaryKey": "two" * 9}
    )
    assert prepared.put(path, body).status == 201
    assert "oneone" not in prepared.get(path).text
    assert prepared.post(f"{path}/listKeys").body == {"primaryKey": "one" * 9, "secondaryKey": "two" * 9}
    for asked in ({}, {"keyType": "Third"}):
        assert "keyType" in prepared.post(f"{path}/regenerateKeys", asked).error["message"]


@pytest.mark.proves("KeyVault/vaults", honours=["properties.publicNetworkAccess"])
def test_a_closed_vault_keeps_keys_out_unless_azure_is_let_in(prepared):
    vault = f"{PROVIDERS}/Microsoft.KeyVault/vaults/kv1"
    for bypass, outcome in (("None", "Failed"), ("AzureServices", "Succeeded")):
        _, body = changed("Microsoft.KeyVault/vaults", "properties.publicNetworkAccess", "Disabled")
        set_at(body, "properties.networkAcls", {"bypass": bypass})
        prepared.put(vault, body)
        answer = prepared.put_endpoint(f"{ENDPOINT}-{bypass.lower()}")
        assert prepared.poll(answer).body["status"] == outcome


@pytest.mark.proves("networkSecurityGroups", honours=["properties.securityRules"])
def test_rules_of_a_security_group_get_ids(prepared):
    rule = {"name": "deny", "properties": {"access": "Deny", "priority": 100}}
    path, body = changed(f"{NETWORK}/networkSecurityGroups", "properties.securityRules", [rule])
    prepared.put(path, body)
    (shown,) = prepared.get(path).properties["securityRules"]
    assert (shown["id"], shown["properties"]["access"]) == (f"{path}/securityRules/deny", "Deny")


@pytest.mark.proves("privateEndpoints", honours=["properties.manualPrivateLinkServiceConnections"])
def test_a_manual_connection_is_approved_too(prepared):
    link = {"name": "by-hand", "properties": {"privateLinkServiceId": BLUE, "groupIds": ["x"]}}
    field = "properties.manualPrivateLinkServiceConnections"
    path, body = changed(f"{NETWORK}/privateEndpoints", field, [link])
    prepared.put(path, body)
    (shown,) = prepared.get(path).properties["manualPrivateLinkServiceConnections"]
    assert shown["properties"]["privateLinkServiceConnectionState"]["status"] == "Approved"


@pytest.mark.proves(
    "storageAccounts", honours=["properties.networkAcls.defaultAction", "properties.publicNetworkAccess"]
)
@pytest.mark.parametrize(
    ("properties", "closed"),
    [
        ({}, False),
        ({"publicNetworkAccess": "Disabled"}, True),
        ({"networkAcls": {"defaultAction": "Deny"}}, True),
        ({"networkAcls": {"defaultAction": "Allow"}}, False),
    ],
)
def test_closed_storage_is_closed_to_the_public(prepared, properties, closed):
    from localazure.storage.accounts import is_closed_to_public

    path, body = least("Microsoft.Storage/storageAccounts")
    prepared.put(path, body | {"properties": properties})
    assert is_closed_to_public(prepared.plane.store.get(path)) is closed

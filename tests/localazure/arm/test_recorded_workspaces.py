"""What recordings show of workspaces: their body, network, datastores, computes and actions, over HTTP.

Read from azure-powershell (src/MachineLearningServices/test, 2022, and MachineLearningServices.Autorest/test, 2024) and
azure-cli-extensions (test_workspace_managednetwork_outbound_rule_operations).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.localazure.arm.recorded_client import (
    FIRST,
    HERE,
    ML,
    NEW,
    REFERENCES,
    STORAGE,
    SYSTEM,
    VAULT,
    VAULTS,
    WORKSPACE,
    Client,
    start,
)

pytestmark = pytest.mark.integration

PREVIEW = "2024-07-01-preview"
ISOLATED = f"{ML}/isolated"
RULES = f"{ISOLATED}/outboundRules"
TAG = {"serviceTag": "AzureMonitor", "protocol": "TCP", "portRanges": "10,20-30", "addressPrefixes": ["10.0.0.0/24"]}
BLOB = {
    "datastoreType": "AzureBlob",
    "accountName": "stacc1",
    "containerName": "globaldatasets",
    "endpoint": "core.windows.net",
    "protocol": "https",
    "serviceDataAccessAuthIdentity": "None",
    "credentials": {"credentialsType": "AccountKey", "secrets": {"secretsType": "AccountKey", "key": "c2VjcmV0"}},
}


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    yield from start(tmp_path_factory.mktemp("facts"))


@pytest.fixture(scope="module")
def isolated(azure: Client) -> Client:
    """The same local Azure, with a workspace whose managed network has a rule of its own."""
    network = {"isolationMode": "AllowOnlyApprovedOutbound", "outboundRules": {"mine": fqdn("*.pytorch.org")}}
    body = HERE | SYSTEM | {"properties": REFERENCES | {"managedNetwork": network}}
    azure.done("PUT", ISOLATED, body, PREVIEW)
    return azure


def fqdn(host: str) -> dict[str, Any]:
    return {"type": "FQDN", "destination": host, "category": "UserDefined"}


def network_of(azure: Client) -> dict[str, Any]:
    network = azure.shown(ISOLATED, PREVIEW)["properties"]["managedNetwork"]
    assert isinstance(network, dict)
    return network


# The workspace itself


def test_a_workspace_is_put_without_a_body_in_the_answer(azure):
    path = f"{ML}/direct"
    answer = azure.call("PUT", path, HERE | SYSTEM | {"properties": REFERENCES}, FIRST)
    assert (answer.status_code, answer.text) == (202, "")
    assert answer.headers["Azure-AsyncOperation"].endswith("&type=async")
    assert answer.headers["Location"].endswith("&type=location")
    assert azure.wait(answer).json() == {"status": "Succeeded", "percentComplete": 100.0}
    shown = azure.shown(path, FIRST)
    assert azure.get(answer.headers["Location"]).json() == shown
    assert (shown["properties"]["friendlyName"], shown["properties"]["description"]) == ("", "")
    assert (shown["etag"], shown["sku"]) == (None, {"name": "Basic", "tier": "Basic"})
    assert not {"managedNetwork", "kind"} & {*shown, *shown["properties"]}
    newer = azure.shown(path, "2023-04-01-preview")
    assert (newer["kind"], newer["properties"]["managedNetwork"]) == ("Default", {"isolationMode": "Disabled"})
    changed = azure.done("PATCH", path, {"tags": {"a": "b"}, "properties": {"description": "d"}}, FIRST)
    assert (changed.status_code, changed.text) == (202, "")
    shown = azure.shown(path, FIRST)
    assert (shown["tags"], shown["properties"]["description"]) == ({"a": "b"}, "d")
    assert azure.get(changed.headers["Location"]).json() == shown
    gone = azure.done("DELETE", f"{path}?forceToPurge=true&api-version={FIRST}")
    assert (gone.status_code, gone.text, azure.get(path).status_code) == (202, "", 404)


def test_a_diagnosis_has_a_location_only_and_names_what_is_missing(azure):
    path = f"{ML}/ailing"
    azure.done("PUT", path, HERE | SYSTEM | {"properties": REFERENCES}, FIRST)
    insights = {"applicationInsights": {"key1": "some id"}}
    answer = azure.call("POST", f"{path}/diagnose", {"value": insights}, FIRST)
    assert (answer.status_code, answer.text, "Azure-AsyncOperation" in answer.headers) == (202, "", False)
    assert azure.wait(answer).json() == {"value": {"applicationInsightsResults": []}}
    whole = azure.wait(azure.call("POST", f"{path}/diagnose", {}, NEW)).json()["value"]
    assert (len(whole), whole["keyVaultResults"]) == (9, [])
    azure.done("DELETE", VAULT, None, VAULTS)
    try:
        [problem] = azure.wait(azure.call("POST", f"{path}/diagnose", None, NEW)).json()["value"]["keyVaultResults"]
        assert VAULT in problem["message"]
    finally:
        vault = {"tenantId": azure.shown(path)["properties"]["tenantId"], "sku": {"family": "A", "name": "standard"}}
        azure.done("PUT", VAULT, HERE | {"properties": vault | {"createMode": "recover"}}, VAULTS)


def test_keys_can_be_listed_and_resynchronised(azure):
    keys = azure.call("POST", f"{WORKSPACE}/listKeys", None, NEW).json()
    assert keys["userStorageArmId"] == STORAGE
    assert keys["userStorageKey"]
    assert set(keys) >= {"appInsightsInstrumentationKey", "containerRegistryCredentials", "notebookAccessKeys"}
    answer = azure.done("POST", f"{WORKSPACE}/resyncKeys", None, FIRST)
    assert (answer.status_code, answer.text) == (202, "")
    assert azure.get(answer.headers["Azure-AsyncOperation"]).json() == {"status": "Succeeded", "percentComplete": 100.0}
    assert azure.get(answer.headers["Location"]).json() == azure.shown(WORKSPACE, FIRST)


# Managed network


def test_an_isolated_workspace_has_the_rules_that_it_requires(isolated):
    network = network_of(isolated)
    assert (network["changeableIsolationModes"], network["status"]["status"]) == ([], "Inactive")
    rules = network["outboundRules"]
    assert rules["mine"] == {"type": "FQDN", "destination": "*.pytorch.org"} | {
        "status": "Inactive",
        "category": "UserDefined",
    }
    required = {name: rule for name, rule in rules.items() if rule["category"] == "Required"}
    tags = {name for name in required if name.startswith("__SYS_ST_")}
    assert {"__SYS_ST_AzureActiveDirectory_TCP", "__SYS_ST_VirtualNetwork", "__SYS_ST_AzureMachineLearning_UDP"} < tags
    assert "__SYS_ST_MicrosoftContainerRegistry.westus_TCP" in tags
    endpoints = [rule["destination"] for name, rule in required.items() if name.startswith("__SYS_PE_")]
    assert sorted(place["subresourceTarget"] for place in endpoints) == ["amlworkspace", "blob", "file", "vault"]
    assert all(place["sparkEnabled"] and place["sparkStatus"] == "Inactive" for place in endpoints)
    disabled = isolated.shown(WORKSPACE, PREVIEW)["properties"]["managedNetwork"]
    modes = ["AllowInternetOutbound", "AllowOnlyApprovedOutbound"]
    assert disabled == {"isolationMode": "Disabled", "changeableIsolationModes": modes}


def test_a_required_rule_stays_however_its_name_is_spelled(isolated):
    rules = isolated.shown(RULES, PREVIEW)["value"]
    name = next(rule["name"] for rule in rules if rule["properties"]["category"] == "Required")
    for spelled in (name, name.upper(), name.lower()):
        answer = isolated.call("PUT", f"{RULES}/{spelled}", {"properties": fqdn("a.org")}, PREVIEW)
        assert answer.status_code == 400
    assert isolated.shown(RULES, PREVIEW)["value"] == rules


@pytest.mark.proves("workspaces/outboundRules", honours=["properties.type"])
def test_rules_are_resources_of_their_own(isolated):
    rule = {"properties": {"type": "ServiceTag", "destination": TAG, "category": "UserDefined"}}
    answer = isolated.call("PUT", f"{RULES}/by-tag", rule, PREVIEW)
    assert (answer.status_code, answer.text) == (202, "")
    assert isolated.wait(answer).json() == {"status": "Succeeded", "percentComplete": 100.0}
    shown = isolated.shown(f"{RULES}/by-tag", PREVIEW)
    assert shown == {
        "tags": None,
        "location": None,
        "id": f"{RULES}/by-tag",
        "name": "by-tag",
        "type": "Microsoft.MachineLearningServices/workspaces/outboundRules",
        "properties": {
            "type": "ServiceTag",
            "destination": TAG | {"action": "Allow"},
            "status": "Inactive",
            "category": "UserDefined",
        },
        "systemData": None,
    }
    assert isolated.get(answer.headers["Location"]).json() == shown
    listed = {item["name"]: item for item in isolated.shown(RULES, PREVIEW)["value"]}
    assert set(listed) == set(network_of(isolated)["outboundRules"])
    assert listed["by-tag"] == {name: value for name, value in shown.items() if name not in ("tags", "location")}
    gone = isolated.done("DELETE", f"{RULES}/by-tag", None, PREVIEW)
    assert (gone.status_code, isolated.get(f"{RULES}/by-tag", PREVIEW).status_code) == (202, 404)
    assert isolated.get(gone.headers["Location"]).json() == isolated.shown(ISOLATED, PREVIEW)


def test_a_private_endpoint_rule_shows_whether_spark_uses_it(isolated):
    place = {"serviceResourceId": STORAGE, "subresourceTarget": "file"}
    body = {"properties": {"type": "PrivateEndpoint", "destination": place}}
    isolated.done("PUT", f"{RULES}/storage", body, PREVIEW)
    shown = isolated.shown(f"{RULES}/storage", PREVIEW)["properties"]
    assert shown["destination"] == place | {"sparkEnabled": False, "sparkStatus": "Inactive"}


def test_a_patch_adds_rules_and_keeps_the_others(isolated):
    before = set(network_of(isolated)["outboundRules"])
    sent = {"properties": {"managedNetwork": {"outboundRules": {"patched": fqdn("one.org")}}}}
    isolated.done("PATCH", ISOLATED, sent, PREVIEW)
    sent["properties"]["managedNetwork"]["outboundRules"]["patched"] = fqdn("two.org")
    isolated.done("PATCH", ISOLATED, sent, PREVIEW)
    rules = network_of(isolated)["outboundRules"]
    assert set(rules) == before | {"patched"}
    assert rules["patched"]["destination"] == "two.org"


@pytest.mark.proves("workspaces/outboundRules", refuses=["name", "properties.type", "properties.destination"])
def test_what_is_no_rule_is_refused(isolated):
    required = next(name for name in network_of(isolated)["outboundRules"] if name.startswith("__SYS_PE_"))
    good = {"properties": fqdn("a.org")}
    assert isolated.call("PUT", f"{RULES}/{required}", good, PREVIEW).status_code == 400
    assert isolated.call("DELETE", f"{RULES}/{required}", None, PREVIEW).status_code == 400
    assert isolated.call("DELETE", f"{RULES}/none", None, PREVIEW).status_code == 204
    for wrong in ({"type": "Other"}, {"type": "FQDN", "destination": {}}, {"type": "ServiceTag", "destination": "a"}):
        assert isolated.call("PUT", f"{RULES}/wrong", {"properties": wrong}, PREVIEW).status_code == 400
    assert isolated.call("PUT", f"{WORKSPACE}/outboundRules/one", good, PREVIEW).status_code == 400


def test_provisioning_makes_network_and_rules_active(azure):
    path = f"{ML}/provisioned"
    properties = REFERENCES | {"managedNetwork": {"isolationMode": "AllowInternetOutbound"}}
    azure.done("PUT", path, HERE | SYSTEM | {"properties": properties}, PREVIEW)
    network = azure.shown(path, PREVIEW)["properties"]["managedNetwork"]
    assert all(name.startswith("__SYS_PE_") for name in network["outboundRules"])
    answer = azure.done("POST", f"{path}/provisionManagedNetwork", {"includeSpark": False}, PREVIEW)
    assert (answer.status_code, answer.text) == (202, "")
    assert azure.get(answer.headers["Location"]).json() == {"status": "Active", "sparkReady": False}
    network = azure.shown(path, PREVIEW)["properties"]["managedNetwork"]
    assert {rule["status"] for rule in network["outboundRules"].values()} == {"Active"}


# Datastores, computes


@pytest.mark.proves("workspaces/datastores", honours=["properties.credentials"])
def test_a_datastore_is_put_at_once_and_keeps_its_secrets_apart(azure):
    path = f"{WORKSPACE}/datastores/blobdatastore"
    made = azure.call("PUT", path, {"properties": BLOB}, FIRST)
    assert (made.status_code, made.headers["Location"]) == (201, f"{azure.https}{path}?api-version={FIRST}")
    expected = BLOB | {"description": None, "tags": None, "properties": None, "isDefault": False}
    assert made.json()["properties"] == expected | {"credentials": {"credentialsType": "AccountKey"}}
    again = azure.call("PUT", path, {"properties": BLOB}, FIRST)
    assert (again.status_code, "Location" in again.headers) == (200, False)
    newer = azure.shown(path, NEW)["properties"]
    assert (newer["subscriptionId"], newer["resourceGroup"]) == (None, None)
    secrets = azure.call("POST", f"{path}/listSecrets", None, NEW).json()
    assert secrets == {"secretsType": "AccountKey", "key": "c2VjcmV0"}
    names = [item["name"] for item in azure.shown(f"{WORKSPACE}/datastores", NEW)["value"]]
    own = ["workspaceblobstore", "workspaceworkingdirectory", "workspaceartifactstore", "workspacefilestore"]
    assert names == ["blobdatastore", *own]
    gone = azure.call("DELETE", path, None, FIRST)
    assert (gone.status_code, gone.text) == (200, "")


@pytest.mark.proves("workspaces/datastores", honours=["properties.isDefault"])
def test_there_is_one_default_datastore(azure):
    path = f"{ML}/defaults"
    azure.done("PUT", path, HERE | SYSTEM | {"properties": REFERENCES})
    azure.call("PUT", f"{path}/datastores/other", {"properties": BLOB | {"isDefault": True}}, NEW)
    listed = azure.call("GET", f"{path}/datastores", None, NEW, isDefault="true").json()["value"]
    assert [item["name"] for item in listed] == ["other"]


@pytest.mark.proves("workspaces/datastores", refuses=["properties.datastoreType", "properties.credentials"])
@pytest.mark.parametrize(
    "change", [{"datastoreType": "Tape"}, {"containerName": None}, {"credentials": {"credentialsType": "Guess"}}]
)
def test_what_is_no_datastore_is_refused(azure, change):
    answer = azure.call("PUT", f"{WORKSPACE}/datastores/wrong", {"properties": BLOB | change}, NEW)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "UserError")


def test_a_cluster_has_no_nodes_while_it_is_made(azure):
    path = f"{WORKSPACE}/computes/aml02"
    scale = {"maxNodeCount": 8, "minNodeCount": 0}
    sent = {"computeType": "AmlCompute", "properties": {"vmSize": "STANDARD_DS3_V2", "scaleSettings": scale}}
    made = azure.call("PUT", path, HERE | {"properties": sent}, FIRST)
    assert (made.status_code, made.headers["Azure-AsyncOperation"].endswith("&service=new")) == (201, True)
    assert "Location" not in made.headers
    pending = made.json()["properties"]
    assert (pending["provisioningState"], pending["properties"]["nodeStateCounts"]) == ("Creating", None)
    assert pending["resourceId"].endswith("/Microsoft.BatchAI/workspaces/ws1/clusters/aml02")
    assert azure.wait(made).json() == {"status": "Succeeded", "percentComplete": 100.0}
    shown = azure.shown(path, FIRST)["properties"]
    assert shown["properties"]["scaleSettings"] == scale | {"nodeIdleTimeBeforeScaleDown": "PT2M"}
    assert (shown["resourceId"], shown["properties"]["currentNodeCount"]) == (None, 0)
    assert "provisioningWarnings" not in shown
    assert azure.shown(path, NEW)["properties"]["provisioningWarnings"] == {}
    change = {"properties": {"properties": {"scaleSettings": {"maxNodeCount": 2}}}}
    patched = azure.done("PATCH", path, change, FIRST)
    assert (patched.status_code, patched.json()["properties"]["provisioningState"]) == (202, "Updating")
    assert azure.shown(path)["properties"]["properties"]["scaleSettings"]["maxNodeCount"] == 2
    gone = azure.done("DELETE", path, None, FIRST)
    assert (gone.status_code, gone.text, "Location" in gone.headers) == (202, "", False)
    assert azure.get(path).status_code == 404

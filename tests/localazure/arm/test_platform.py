"""The types around the workspace: defaults that clients read, references that must exist, documented rules."""

import uuid

import pytest

from localazure import identity
from localazure.arm.timing import FAST, REAL
from tests.localazure.arm.conftest import GROUP, LOCATION, PROVIDERS, STORAGE, SUBSCRIPTION, VAULT, WORKSPACE

NETWORK = f"{PROVIDERS}/Microsoft.Network/virtualNetworks/vnet1"
SUBNET = f"{NETWORK}/subnets/default"


@pytest.fixture
def group(arm):
    arm.make_group()
    return arm


def test_a_storage_account_shows_where_its_blobs_are(group):
    answer = group.put(STORAGE, {"location": LOCATION, "sku": {"name": "Standard_ZRS"}, "kind": "StorageV2"})
    assert answer.status == 200
    assert answer.properties["primaryEndpoints"] == {"blob": "https://localhost:1/stacc1/"}
    assert answer.body["sku"] == {"name": "Standard_ZRS", "tier": "Standard"}
    assert len(group.post(f"{STORAGE}/listKeys").body["keys"]) == 2


@pytest.mark.parametrize("name", ["AB1", "ab", "x" * 25, "subscriptions", "a-b"])
@pytest.mark.proves("storageAccounts", refuses=["name"])
def test_a_bad_account_name_is_refused(group, name):
    path = STORAGE.replace("stacc1", name)
    assert group.put(path, {"location": LOCATION, "sku": {"name": "Standard_LRS"}}).status in (400, 409)


@pytest.mark.proves("storageAccounts", refuses=["name"])
def test_account_names_are_unique_in_all_groups(group):
    group.put(STORAGE, {"location": LOCATION, "sku": {"name": "Standard_LRS"}})
    group.put(GROUP.replace("rg1", "rg2"), {"location": LOCATION})
    other = group.put(STORAGE.replace("rg1", "rg2"), {"location": LOCATION, "sku": {"name": "Standard_LRS"}})
    assert (other.status, other.code) == (409, "StorageAccountAlreadyTaken")


BLOBS = f"{STORAGE}/blobServices/default"
KEPT = {"enabled": True, "days": 14}


def test_an_account_has_settings_of_its_blob_service_which_a_put_replaces(group):
    group.put(STORAGE, {"location": LOCATION, "sku": {"name": "Standard_LRS"}})
    assert group.get(BLOBS).properties["cors"] == {"corsRules": []}
    rule = {"allowedOrigins": ["*"], "allowedMethods": ["GET"], "allowedHeaders": [], "exposedHeaders": []}
    sent = {"isVersioningEnabled": True, "deleteRetentionPolicy": KEPT, "cors": {"corsRules": [rule]}}
    answer = group.put(BLOBS, {"properties": sent})
    assert answer.status == 200
    assert group.get(BLOBS).properties == sent
    assert group.get(BLOBS).body["sku"] == {"name": "Standard_LRS", "tier": "Standard"}
    group.put(BLOBS, {"properties": {}})
    assert group.get(BLOBS).properties["cors"] == {"corsRules": []}
    assert "isVersioningEnabled" not in group.get(BLOBS).properties
    assert group.request("DELETE", BLOBS).status == 501
    group.delete(STORAGE)
    assert group.get(BLOBS).status == 404


def test_azure_ml_lets_the_studio_in_and_a_put_without_its_rule_keeps_it_out(arm):
    arm.make_workspace()
    (rule,) = arm.get(BLOBS).properties["cors"]["corsRules"]
    assert "https://ml.azure.com" in rule["allowedOrigins"]
    arm.put(BLOBS, {"properties": {"deleteRetentionPolicy": KEPT}})
    assert arm.get(BLOBS).properties["cors"] == {"corsRules": []}


def test_azure_ml_adds_no_second_rule_where_the_studio_may_read_already(arm):
    arm.make_workspace()
    rules = arm.get(BLOBS).properties["cors"]
    arm.put(BLOBS, {"properties": {"cors": rules}})
    references = {field: arm.get(WORKSPACE).properties[field] for field in ("storageAccount", "keyVault")}
    second = {"location": LOCATION, "identity": {"type": "SystemAssigned"}, "properties": references}
    assert arm.poll(arm.put(f"{WORKSPACE}b", second)).body["status"] == "Succeeded"
    assert arm.get(BLOBS).properties["cors"] == rules


@pytest.mark.parametrize("cors", [None, {}, {"corsRules": None}, {"corsRules": [{"allowedOrigins": None}]}])
def test_azure_ml_adds_its_rule_to_whatever_stands_for_no_rules(arm, cors):
    arm.make_platform()
    assert arm.put(BLOBS, {"properties": {"cors": cors}}).status == 200
    arm.make_workspace()
    assert "https://ml.azure.com" in arm.get(BLOBS).properties["cors"]["corsRules"][-1]["allowedOrigins"]


@pytest.mark.parametrize(
    ("name", "properties", "status"),
    [
        ("other", {}, 404),
        ("default", {"cors": {"corsRules": [{}] * 6}}, 400),
        ("default", {"deleteRetentionPolicy": {"enabled": True, "days": 366}}, 400),
        ("default", {"containerDeleteRetentionPolicy": {"enabled": True, "days": 0}}, 400),
        ("default", {"deleteRetentionPolicy": {"enabled": True, "days": "7"}}, 400),
        ("default", {"containerDeleteRetentionPolicy": {"enabled": True, "days": 7.5}}, 400),
    ],
)
@pytest.mark.proves(
    "blobServices",
    refuses=[
        "name",
        "properties.cors.corsRules",
        "properties.deleteRetentionPolicy.days",
        "properties.containerDeleteRetentionPolicy.days",
    ],
)
def test_settings_that_the_blob_service_does_not_have_are_refused(group, name, properties, status):
    group.put(STORAGE, {"location": LOCATION, "sku": {"name": "Standard_LRS"}})
    answer = group.put(f"{STORAGE}/blobServices/{name}", {"properties": properties})
    assert answer.status == status, answer.text


def test_a_workspace_is_a_long_running_operation_with_the_recorded_protocol(arm):
    arm.make_workspace()
    shown = arm.get(WORKSPACE)
    assert shown.properties["provisioningState"] == "Succeeded"
    assert uuid.UUID(shown.properties["workspaceId"])
    assert shown.body["sku"] == {"name": "Basic", "tier": "Basic"}
    assert shown.body["identity"]["tenantId"] == identity.TENANT_ID
    again = arm.put(WORKSPACE, {"location": LOCATION, "properties": {"description": "x"}})
    assert (again.status, again.text) == (202, "")
    assert "workspaceOperationsStatus" in again.headers["Azure-AsyncOperation"]
    assert again.headers["Azure-AsyncOperation"].endswith("type=async")
    assert again.headers["Location"].endswith("type=location")
    assert arm.poll(again).body == {"status": "Succeeded", "percentComplete": 100.0}
    assert arm.poll(again, "Location").body["id"] == WORKSPACE
    after = arm.get(WORKSPACE)
    assert after.properties["workspaceId"] == shown.properties["workspaceId"]
    assert after.properties["storageAccount"] == STORAGE
    assert after.body["identity"] == shown.body["identity"]


@pytest.mark.proves("MachineLearningServices/workspaces", refuses=["properties.storageAccount"])
def test_a_workspace_names_only_resources_that_exist(arm):
    arm.make_group()
    sent = {"location": LOCATION, "identity": {"type": "SystemAssigned"}, "properties": {"storageAccount": STORAGE}}
    assert "does not exist" in arm.put(WORKSPACE, sent).error["message"]


@pytest.mark.proves(
    "MachineLearningServices/workspaces",
    refuses=["properties.storageAccount", "properties.keyVault", "properties.managedNetwork.isolationMode"],
)
def test_storage_and_vault_of_a_workspace_cannot_change_and_isolation_only_grows(arm):
    arm.make_workspace(managedNetwork={"isolationMode": "AllowInternetOutbound"})
    storage, vault = STORAGE.replace("stacc1", "stacc2"), VAULT.replace("kv1", "kv2")
    arm.put(storage, {"location": LOCATION, "sku": {"name": "Standard_LRS"}})
    arm.put(vault, {"location": LOCATION, "properties": arm.get(VAULT).properties})
    for changes in ({"storageAccount": storage}, {"keyVault": vault}):
        changed = arm.put(WORKSPACE, {"location": LOCATION, "properties": changes})
        assert "cannot be changed after creation" in changed.error["message"]
    network = {"managedNetwork": {"isolationMode": "Disabled"}}
    assert "cannot go from" in arm.put(WORKSPACE, {"location": LOCATION, "properties": network}).error["message"]


@pytest.mark.proves("MachineLearningServices/workspaces", refuses=["properties.encryption", "properties.hbiWorkspace"])
def test_what_a_workspace_is_created_with_cannot_change(arm):
    key = {"status": "Enabled", "keyVaultProperties": {"keyIdentifier": "https://v/keys/k", "keyVaultArmId": VAULT}}
    arm.make_workspace(encryption=key, hbiWorkspace=True)
    for changes in ({"encryption": None}, {"encryption": key | {"status": "Disabled"}}, {"hbiWorkspace": False}):
        changed = arm.put(WORKSPACE, {"location": LOCATION, "properties": changes})
        assert "cannot be changed after creation" in changed.error["message"]
    same = {"encryption": key, "hbiWorkspace": True}
    assert arm.put(WORKSPACE, {"location": LOCATION, "properties": same}).status < 300


@pytest.mark.proves("roleAssignments", refuses=["properties.principalId", "properties.roleDefinitionId"])
def test_role_assignments_are_unique_and_fixed(group):
    group.put(STORAGE, {"location": LOCATION, "sku": {"name": "Standard_LRS"}})
    principal = str(uuid.uuid4())
    base = f"{STORAGE}/providers/Microsoft.Authorization/roleAssignments"
    role = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
    sent = {"properties": {"principalId": principal, "roleDefinitionId": role}}
    first = group.put(f"{base}/{uuid.uuid4()}", sent)
    assert first.status == 201
    assert first.properties["scope"] == STORAGE
    again = group.put(f"{base}/{uuid.uuid4()}", sent)
    assert (again.status, again.code) == (409, "RoleAssignmentExists")
    other = {"properties": {"principalId": str(uuid.uuid4()), "roleDefinitionId": role}}
    assert group.put(first.body["id"], other).code == "RoleAssignmentUpdateNotPermitted"
    assert group.put(first.body["id"], sent).status == 200
    assert group.delete(first.body["id"]).status == 200
    assert group.get(first.body["id"]).status == 404


@pytest.mark.proves("virtualNetworks", honours=["properties.subnets"])
def test_subnets_live_in_their_network_however_they_came(group):
    space = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}
    inline = {"subnets": [{"name": "default", "properties": {"addressPrefix": "10.0.0.0/24"}}]}
    created = group.put(NETWORK, {"location": LOCATION, "properties": space | inline})
    assert created.status == 201
    assert group.get(SUBNET).properties["provisioningState"] == "Succeeded"
    group.put(f"{NETWORK}/subnets/other", {"properties": {"addressPrefix": "10.0.1.0/24"}})
    names = [subnet["name"] for subnet in group.get(NETWORK).properties["subnets"]]
    assert names == ["default", "other"]
    group.put(NETWORK, {"location": LOCATION, "properties": space | inline})
    assert [subnet["name"] for subnet in group.get(NETWORK).properties["subnets"]] == ["default"]


@pytest.mark.proves(
    "privateEndpoints", honours=["properties.privateLinkServiceConnections"], refuses=["properties.subnet"]
)
def test_a_private_endpoint_needs_its_subnet_and_is_approved(group):
    path = f"{PROVIDERS}/Microsoft.Network/privateEndpoints/pe1"
    link = {"name": "blob", "properties": {"privateLinkServiceId": STORAGE, "groupIds": ["blob"]}}
    sent = {"subnet": {"id": SUBNET}, "privateLinkServiceConnections": [link]}
    assert group.put(path, {"location": LOCATION, "properties": sent}).code == "InvalidResourceReference"
    space = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}
    group.put(NETWORK, {"location": LOCATION, "properties": space})
    group.put(SUBNET, {"properties": {"addressPrefix": "10.0.0.0/24"}})
    group.put(STORAGE, {"location": LOCATION, "sku": {"name": "Standard_LRS"}})
    answer = group.put(path, {"location": LOCATION, "properties": sent})
    assert answer.status == 201
    assert group.poll(answer).body["status"] == "Succeeded"
    shown = group.get(path).properties["privateLinkServiceConnections"][0]["properties"]
    assert shown["privateLinkServiceConnectionState"]["status"] == "Approved"


@pytest.mark.proves("autoscalesettings", refuses=["properties.targetResourceUri", "properties.profiles.capacity"])
def test_autoscale_needs_a_target_and_a_possible_range(arm):
    arm.make_serving_endpoint()
    path = f"{PROVIDERS}/Microsoft.Insights/autoscalesettings/a1"
    target = f"{WORKSPACE}/onlineEndpoints/fraud-dev/deployments/blue"

    def sent(low, default, high, uri=target):
        profile = {"name": "p", "capacity": {"minimum": low, "default": default, "maximum": high}, "rules": []}
        return {"location": LOCATION, "properties": {"targetResourceUri": uri, "profiles": [profile]}}

    assert arm.put(path, sent("3", "3", "10")).status == 201
    assert "minimum <= default <= maximum" in arm.put(path, sent("5", "3", "2")).error["message"]
    assert arm.put(path, sent("x", "3", "2")).status == 400
    assert "does not exist" in arm.put(path, sent("1", "1", "1", target + "x")).error["message"]


@pytest.mark.proves("autoscalesettings", refuses=["properties.targetResourceUri"])
def test_autoscale_without_a_target_is_refused_as_recorded(arm):
    arm.make_group()
    path = f"{PROVIDERS}/Microsoft.Insights/autoscalesettings/a1"
    profile = {"name": "p", "capacity": {"minimum": "1", "default": "1", "maximum": "2"}, "rules": []}
    for target in ({}, {"targetResourceUri": None}, {"targetResourceUri": ""}):
        answer = arm.put(path, {"location": LOCATION, "properties": {"profiles": [profile], "enabled": True} | target})
        recorded = {"code": "UnsupportedRequestContent", "message": "Request content is not well formed or supported."}
        assert (answer.status, answer.body) == (400, recorded)


@pytest.mark.proves("diagnosticSettings", refuses=["properties.workspaceId"])
def test_diagnostic_settings_go_with_what_they_watch(arm):
    arm.make_serving_endpoint()
    logs = f"{PROVIDERS}/Microsoft.OperationalInsights/workspaces/la1"
    assert uuid.UUID(arm.put(logs, {"location": LOCATION}).properties["customerId"])
    setting = f"{WORKSPACE}/onlineEndpoints/fraud-dev/providers/Microsoft.Insights/diagnosticSettings/d1"
    assert arm.put(setting, {"properties": {}}).status == 400
    assert arm.put(setting, {"properties": {"workspaceId": logs}}).status == 200
    arm.delete(f"{WORKSPACE}/onlineEndpoints/fraud-dev")
    assert arm.get(setting).status == 404


def test_a_workspace_is_changed_by_patch(arm):
    arm.make_workspace()
    answer = arm.request("PATCH", WORKSPACE, {"tags": {"a": "b"}, "properties": {"description": "new"}})
    assert (answer.status, answer.text) == (202, "")
    assert {"Azure-AsyncOperation", "Location"} <= set(answer.headers)
    arm.settle()
    assert arm.poll(answer).body == {"status": "Succeeded", "percentComplete": 100.0}
    shown = arm.get(WORKSPACE)
    assert (shown.body["tags"], shown.properties["description"]) == ({"a": "b"}, "new")
    assert shown.properties["friendlyName"] == "ws1"
    assert arm.request("PATCH", WORKSPACE, {"etag": "x"}).code == "NotEmulated"


@pytest.mark.proves("MachineLearningServices/workspaces", honours=["properties.managedNetwork.outboundRules"])
def test_outbound_rules_of_a_patch_are_added_to_the_others(arm):
    rule = {"type": "FQDN", "destination": "example.org"}
    arm.make_workspace(managedNetwork={"isolationMode": "AllowOnlyApprovedOutbound", "outboundRules": {"one": rule}})
    sent = {"properties": {"managedNetwork": {"outboundRules": {"two": rule}}}}
    assert arm.request("PATCH", WORKSPACE, sent).status == 202
    arm.settle()
    rules = arm.get(WORKSPACE).properties["managedNetwork"]["outboundRules"]
    assert [name for name, rule in rules.items() if rule["category"] == "UserDefined"] == ["one", "two"]


@pytest.mark.proves(
    "Resources/deployments",
    honours=["properties.template", "properties.parameters"],
    refuses=["properties.template", "properties.parameters"],
)
def test_only_the_template_that_makes_a_workspace_is_understood(arm):
    arm.make_group()
    path = f"{GROUP}/providers/Microsoft.Resources/deployments/d1"
    other = {"properties": {"template": {"parameters": {"x": {}}}, "parameters": {}}}
    assert arm.put(path, other).code == "NotEmulated"
    known = ("workspaceName", "storageAccountOption", "keyVaultOption", "applicationInsightsOption")
    template = {"parameters": {name: {"type": "string"} for name in (*known, "kind", "location")}}
    template["parameters"] |= {name: {} for name in ("storageAccountName", "keyVaultName")}
    values = {
        "workspaceName": "made",
        "location": "westeurope",
        "storageAccountName": "madestorage",
        "keyVaultName": "madevault",
        "applicationInsightsOption": "none",
    }
    sent = {"template": template, "parameters": {name: {"value": value} for name, value in values.items()}}
    hub = {"parameters": sent["parameters"] | {"kind": {"value": "hub"}}}
    assert arm.put(path, {"properties": sent | hub}).code == "NotEmulated"
    answer = arm.put(path, {"properties": sent})
    assert (answer.status, answer.properties["provisioningState"]) == (201, "Accepted")
    while arm.poll(answer).body["status"] == "Running":
        arm.settle()
    assert arm.poll(answer).body["status"] == "Succeeded"
    assert arm.get(path).properties["provisioningState"] == "Succeeded"
    made = arm.get(f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/made").properties
    assert made["storageAccount"].endswith("/madestorage")
    assert len(arm.get(f"{path}/operations").body["value"]) == 3


def test_only_azure_ai_ml_is_told_an_account_name_that_leads_here(arm):
    arm.make_workspace()
    path = f"{WORKSPACE}/datastores/workspaceblobstore"
    agent = {"Authorization": "Bearer x", "User-Agent": "azure-ai-ml/1.35.2 Python/3.11"}
    assert arm.get(path).properties["accountName"] == "stacc1"
    assert arm.get(path, headers=agent).properties["accountName"] == "localhost:1/stacc1#"


@pytest.mark.proves("models/versions", honours=["properties.modelType"])
def test_mlflow_models_get_their_flavors_from_their_files(arm):
    arm.make_workspace()
    container = arm.get(f"{WORKSPACE}/datastores/workspaceblobstore").properties["containerName"]
    folder = arm.home / "blobs" / "stacc1" / container / "model"
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors:\n  sklearn:\n    pickled_model: model.pkl\n")
    uri = "azureml://datastores/workspaceblobstore/paths/model"
    sent = {"properties": {"modelType": "mlflow_model", "modelUri": uri}}
    shown = arm.put(f"{WORKSPACE}/models/m/versions/1", sent)
    assert shown.properties["flavors"] == {"sklearn": {"data": {"pickled_model": "model.pkl"}}}


def test_errors_of_the_service_have_their_recorded_shape(arm):
    arm.make_workspace()
    error = arm.get(f"{WORKSPACE}/datastores/none").error
    assert list(error) == ["code", "message", "details", "additionalInfo"]
    kinds = [item["type"] for item in error["additionalInfo"]]
    assert kinds == ["ComponentName", "Correlation", "Environment", "Location", "Time"]
    assert list(arm.get(f"{WORKSPACE}/onlineEndpoints/none").error) == ["code", "message"]


@pytest.mark.proves("switches", honours=["--timing"])
def test_the_real_pace_lasts_as_recorded_and_sends_no_retry_after():
    endpoint = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
    assert REAL.seconds(f"{endpoint}.put", update=False) == 22
    assert REAL.seconds(f"{endpoint}.put", update=True) == 15
    assert REAL.seconds(f"{endpoint}/deployments.put", update=False) == 306
    assert REAL.seconds("Microsoft.KeyVault/vaults.put", update=False) == 0
    assert (REAL.retry_after(), FAST.retry_after(whole=True)) == ({}, {"Retry-After": "1"})

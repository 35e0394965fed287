"""Create, read, update, delete: the requests to ARM in their order, and the answers to the engine."""

import threading
from typing import Any

import pytest

from localazure.provider.wire import UNKNOWN
from tests.localazure.provider.conftest import Plugin, Refused, messages
from tests.localazure.provider.fake_arm import FakeArm, Reply
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

WORKSPACE = "/subscriptions/sub/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
ENDPOINT_ID = f"{WORKSPACE}/onlineEndpoints/e"
ENDPOINT = "machinelearningservices:OnlineEndpoint"
INPUTS: dict[str, Any] = {
    "resourceGroupName": "g",
    "workspaceName": "w",
    "endpointName": "e",
    "location": "westeurope",
    "properties": {"authMode": "Key", "traffic": {"blue": 100}},
    "azureApiVersion": "2025-12-01",
}
OPERATION = "/subscriptions/sub/providers/Microsoft.MachineLearningServices/locations/l/mfeOperationsStatus/o"
VNET = "network:VirtualNetwork"
VNET_ID = "/subscriptions/sub/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v"
VNET_INPUTS: dict[str, Any] = {
    "resourceGroupName": "g",
    "virtualNetworkName": "v",
    "addressSpace": {"addressPrefixes": []},
}


def accepted(arm: FakeArm, body: dict[str, Any] | None = None, status: int = 201) -> Reply:
    headers = {"Azure-AsyncOperation": f"{arm.url}{OPERATION}?api-version=2025-12-01", "Retry-After": "0.01"}
    return Reply(status, body, headers)


def running(status: str = "Updating") -> Reply:
    return Reply(200, {"status": status}, {"Retry-After": "0.01"})


FAILED = Reply(
    200, {"status": "Failed", "error": {"code": "ImageBuildFailure", "message": "conda says no", "details": []}}
)


def test_create_looks_first_then_puts_then_reads(plugin: Plugin, arm: FakeArm) -> None:
    arm.on_put = lambda body: {**body, "properties": {**body["properties"], "scoringUri": "u"}}
    identifier, state = plugin.create(ENDPOINT, INPUTS)
    seen = [(seen.method, seen.path, seen.api_version) for seen in arm.seen if seen.path != "/msi/token"]
    assert seen == [(method, ENDPOINT_ID, "2025-12-01") for method in ("GET", "PUT", "GET")]
    assert arm.requests("PUT")[0].body == {
        "location": "westeurope",
        "properties": {"authMode": "Key", "traffic": {"blue": 100}},
    }
    assert arm.requests("PUT")[0].authorization.startswith("Bearer h.")
    assert identifier == ENDPOINT_ID
    assert state["properties"]["scoringUri"] == "u"
    assert state["azureApiVersion"] == "2025-12-01"
    assert "__inputs" not in state
    assert "id" not in state


def test_whole_numbers_arrive_as_integers(plugin: Plugin, arm: FakeArm) -> None:
    plugin.create(ENDPOINT, {**INPUTS, "properties": {"authMode": "Key", "traffic": {"blue": 100.0}}})
    weight = arm.requests("PUT")[0].body["properties"]["traffic"]["blue"]
    assert isinstance(weight, int)


def test_create_refuses_what_is_there(plugin: Plugin, arm: FakeArm) -> None:
    plugin.create(ENDPOINT, INPUTS)
    with pytest.raises(Refused) as caught:
        plugin.create(ENDPOINT, INPUTS)
    assert str(caught.value) == f"cannot create already existing resource '{ENDPOINT_ID}'"
    assert len(arm.requests("PUT")) == 1


BLOBS = "storage:BlobServiceProperties"
BLOBS_ID = "/subscriptions/sub/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a/blobServices/default"
BLOBS_INPUTS = {"resourceGroupName": "g", "accountName": "a", "blobServicesName": "default"}


def test_what_azure_makes_with_its_parent_is_taken_over(plugin: Plugin, arm: FakeArm) -> None:
    arm.resources[BLOBS_ID.lower()] = {"properties": {"cors": {"corsRules": [{"maxAgeInSeconds": 1}]}}}
    identifier, _ = plugin.create(BLOBS, {**BLOBS_INPUTS, "isVersioningEnabled": True})
    assert identifier == BLOBS_ID
    assert [seen.body for seen in arm.requests("PUT")] == [{"properties": {"isVersioningEnabled": True}}]


def test_and_is_emptied_in_place_of_a_deletion(plugin: Plugin, arm: FakeArm) -> None:
    arm.resources[BLOBS_ID.lower()] = {"properties": {"isVersioningEnabled": True}}
    plugin.delete(BLOBS, BLOBS_ID)
    assert [seen.body for seen in arm.requests("PUT")] == [{}]
    assert arm.requests("DELETE") == []
    del arm.resources[BLOBS_ID.lower()]
    plugin.delete(BLOBS, BLOBS_ID)
    assert len(arm.requests("PUT")) == 1


def test_a_failed_existence_check_reports_the_error_of_arm(plugin: Plugin, arm: FakeArm) -> None:
    arm.script("GET", ENDPOINT_ID, Reply(403, {"error": {"code": "AuthorizationFailed", "message": "no"}}))
    with pytest.raises(Refused, match=r"cannot check existence of resource .* status code 403, .*AuthorizationFailed"):
        plugin.create(ENDPOINT, INPUTS)


def test_a_refused_put_is_rendered_as_azure_native_does(plugin: Plugin, arm: FakeArm) -> None:
    arm.script("PUT", ENDPOINT_ID, Reply(400, {"error": {"code": "BadRequest", "message": 'say "no"'}}))
    with pytest.raises(Refused) as caught:
        plugin.create(ENDPOINT, INPUTS)
    assert str(caught.value) == 'Status=400 Code="BadRequest" Message="say "no""'
    assert caught.value.init_failed is None


def test_a_long_operation_is_followed_to_its_end(plugin: Plugin, arm: FakeArm) -> None:
    arm.resources[ENDPOINT_ID.lower()] = {"id": ENDPOINT_ID, "properties": {"provisioningState": "Succeeded"}}
    arm.script("GET", ENDPOINT_ID, Reply(404), Reply(200, arm.resources[ENDPOINT_ID.lower()]))
    arm.script("PUT", ENDPOINT_ID, accepted(arm, {"id": ENDPOINT_ID}))
    arm.script("GET", OPERATION, running(), running(), running("Succeeded"))
    _, state = plugin.create(ENDPOINT, INPUTS)
    assert state["properties"]["provisioningState"] == "Succeeded"
    assert len([seen for seen in arm.requests("GET") if seen.path == OPERATION]) == 3


def test_a_failed_operation_leaves_the_resource_in_the_state(plugin: Plugin, arm: FakeArm) -> None:
    broken = {"id": ENDPOINT_ID, "properties": {"provisioningState": "Failed"}}
    arm.script("GET", ENDPOINT_ID, Reply(404), Reply(200, broken))
    arm.script("PUT", ENDPOINT_ID, accepted(arm))
    arm.script("GET", OPERATION, running(), FAILED)
    with pytest.raises(Refused) as caught:
        plugin.create(ENDPOINT, INPUTS)
    failed = caught.value.init_failed
    assert failed is not None
    assert failed.id == ENDPOINT_ID
    assert list(failed.reasons) == ['Status=200 Code="ImageBuildFailure" Message="conda says no"']
    assert failed.properties["properties"]["provisioningState"] == "Failed"
    assert failed.inputs["endpointName"] == "e"


def test_a_failed_update_keeps_the_resource_too(plugin: Plugin, arm: FakeArm) -> None:
    _, state = plugin.create(ENDPOINT, INPUTS)
    arm.script("PUT", ENDPOINT_ID, accepted(arm, status=200))
    arm.script("GET", OPERATION, FAILED)
    with pytest.raises(Refused) as caught:
        plugin.update(ENDPOINT, INPUTS, state)
    assert caught.value.init_failed is not None


def test_an_operation_by_location_ends_when_it_is_no_longer_accepted(plugin: Plugin, arm: FakeArm) -> None:
    account = "/subscriptions/sub/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/s"
    location = {"Location": "/subscriptions/sub/operations/1", "Retry-After": "0.01"}
    arm.script("GET", account, Reply(404), Reply(200, {"id": account, "kind": "StorageV2"}))
    arm.script("PUT", account, Reply(202, None, location))
    arm.script("GET", "/subscriptions/sub/operations/1", Reply(202, None, location), Reply(200, {"id": account}))
    inputs = {"resourceGroupName": "g", "accountName": "s", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
    assert plugin.create("storage:StorageAccount", inputs)[1]["kind"] == "StorageV2"
    polls = [seen for seen in arm.requests("GET") if "operations" in seen.path]
    assert [seen.api_version for seen in polls] == ["2024-01-01"] * 2


def test_an_operation_without_headers_is_read_from_the_resource(plugin: Plugin, arm: FakeArm) -> None:
    creating = {"id": ENDPOINT_ID, "properties": {"provisioningState": "Creating"}}
    done = {"id": ENDPOINT_ID, "properties": {"provisioningState": "Succeeded"}}
    arm.script("PUT", ENDPOINT_ID, Reply(201, creating, {"Retry-After": "0"}))
    arm.script("GET", ENDPOINT_ID, Reply(404), Reply(200, creating, {"Retry-After": "0"}), Reply(200, done))
    assert plugin.create(ENDPOINT, INPUTS)[1]["properties"]["provisioningState"] == "Succeeded"


def test_a_conflicting_operation_is_waited_for(plugin: Plugin, arm: FakeArm) -> None:
    busy = Reply(409, {"error": {"code": "AnotherOperationInProgress", "message": "busy"}}, {"Retry-After": "0.01"})
    arm.script("PUT", ENDPOINT_ID, busy, Reply(200, {"id": ENDPOINT_ID}))
    arm.script("GET", ENDPOINT_ID, Reply(404), Reply(200, {"id": ENDPOINT_ID}))
    plugin.create(ENDPOINT, INPUTS)
    assert len(arm.requests("PUT")) == 2


def test_another_conflict_is_an_error_at_once(plugin: Plugin, arm: FakeArm) -> None:
    arm.script("PUT", ENDPOINT_ID, Reply(409, {"error": {"code": "Conflict", "message": "no"}}))
    with pytest.raises(Refused, match='Status=409 Code="Conflict"'):
        plugin.create(ENDPOINT, INPUTS)
    assert len(arm.requests("PUT")) == 1


def test_what_arm_does_not_emulate_is_not_retried(plugin: Plugin, arm: FakeArm) -> None:
    arm.script("PUT", ENDPOINT_ID, Reply(501, {"error": {"code": "NotEmulated", "message": "see coverage"}}))
    with pytest.raises(Refused, match='Status=501 Code="NotEmulated" Message="see coverage"'):
        plugin.create(ENDPOINT, INPUTS)


def test_an_update_puts_the_new_inputs_only(plugin: Plugin, arm: FakeArm) -> None:
    _, state = plugin.create(ENDPOINT, {**INPUTS, "tags": {"a": "b"}})
    plugin.update(ENDPOINT, {**INPUTS, "properties": {"authMode": "Key"}}, state)
    assert arm.requests("PUT")[-1].body == {"location": "westeurope", "properties": {"authMode": "Key"}}


def test_a_preview_asks_nothing_of_arm(plugin: Plugin, arm: FakeArm) -> None:
    _, outputs = plugin.create(ENDPOINT, {**INPUTS, "resourceGroupName": UNKNOWN}, preview=True)
    assert outputs["properties"]["scoringUri"] is UNKNOWN
    state = {"name": "e", "location": "westeurope", "properties": {"scoringUri": "u"}}
    outputs = plugin.update(ENDPOINT, INPUTS, state, preview=True)
    assert outputs["name"] == "e"
    assert outputs["properties"]["scoringUri"] is UNKNOWN
    assert arm.seen == []


def test_subnets_of_others_survive_an_update_of_the_network(plugin: Plugin, arm: FakeArm) -> None:
    _, state = plugin.create(VNET, VNET_INPUTS)
    assert arm.requests("PUT")[0].body["properties"]["subnets"] == []
    arm.resources[VNET_ID.lower()]["properties"]["subnets"] = [{"name": "other"}]
    plugin.update(VNET, {**VNET_INPUTS, "tags": {"a": "b"}}, state)
    assert arm.requests("PUT")[-1].body["properties"]["subnets"] == [{"name": "other"}]
    plugin.update(VNET, {**VNET_INPUTS, "subnets": []}, state)
    assert arm.requests("PUT")[-1].body["properties"]["subnets"] == []


def test_subnets_of_others_do_not_become_inputs_by_a_refresh(plugin: Plugin, arm: FakeArm) -> None:
    identifier, state = plugin.create(VNET, VNET_INPUTS)
    arm.resources[VNET_ID.lower()]["properties"]["subnets"] = [{"name": "other"}]
    _, refreshed, inputs = plugin.read(VNET, identifier, VNET_INPUTS, state)
    assert inputs == VNET_INPUTS
    assert refreshed["subnets"] == [{"name": "other"}]


def test_network_rules_that_the_program_drops_return_to_their_defaults(plugin: Plugin, arm: FakeArm) -> None:
    inputs = {"resourceGroupName": "g", "accountName": "s", "kind": "StorageV2", "sku": {"name": "x"}}
    _, state = plugin.create("storage:StorageAccount", {**inputs, "networkRuleSet": {"defaultAction": "Deny"}})
    plugin.update("storage:StorageAccount", inputs, state)
    assert arm.requests("PUT")[-1].body["properties"]["networkAcls"]["defaultAction"] == "Allow"


def test_a_refresh_finds_nothing_when_nothing_changed(plugin: Plugin, arm: FakeArm) -> None:
    arm.on_put = lambda body: {**body, "properties": {**body["properties"], "publicNetworkAccess": "Enabled"}}
    identifier, state = plugin.create(ENDPOINT, INPUTS)
    assert plugin.read(ENDPOINT, identifier, INPUTS, state) == (identifier, state, INPUTS)


def test_a_refresh_sees_weights_that_another_client_set(plugin: Plugin, arm: FakeArm) -> None:
    identifier, state = plugin.create(ENDPOINT, INPUTS)
    arm.resources[ENDPOINT_ID.lower()]["properties"]["traffic"] = {"blue": 90, "green": 10}
    _, _, inputs = plugin.read(ENDPOINT, identifier, INPUTS, state)
    assert inputs["properties"] == {"authMode": "Key", "traffic": {"blue": 90, "green": 10}}


def test_a_refresh_of_a_deleted_resource_finds_no_id(plugin: Plugin) -> None:
    assert plugin.read(ENDPOINT, ENDPOINT_ID, INPUTS, {})[0] == ""


def test_a_refresh_that_is_refused_is_an_error(plugin: Plugin, arm: FakeArm) -> None:
    arm.script("GET", ENDPOINT_ID, Reply(403, {"error": {"code": "AuthorizationFailed", "message": "no"}}))
    with pytest.raises(Refused, match=r'^Status=403 Code="AuthorizationFailed" Message="no"$'):
        plugin.read(ENDPOINT, ENDPOINT_ID, INPUTS, {})


def test_an_import_makes_inputs_from_the_answer_and_the_id(plugin: Plugin, arm: FakeArm) -> None:
    arm.resources[ENDPOINT_ID.lower()] = {
        "id": ENDPOINT_ID,
        "name": "e",
        "location": "westeurope",
        "tags": {},
        "systemData": {"createdBy": "x"},
        "properties": {"authMode": "Key", "traffic": {"blue": 100}, "mirrorTraffic": {}, "scoringUri": "u"},
    }
    identifier, state, inputs = plugin.read(ENDPOINT, ENDPOINT_ID)
    assert identifier == ENDPOINT_ID
    assert state["properties"]["scoringUri"] == "u"
    assert inputs == {key: value for key, value in INPUTS.items() if key != "azureApiVersion"}


def test_an_import_by_an_id_of_another_type_is_an_error(plugin: Plugin, arm: FakeArm) -> None:
    arm.resources[WORKSPACE.lower()] = {"id": WORKSPACE}
    with pytest.raises(Refused, match="does not match the path of"):
        plugin.read(ENDPOINT, WORKSPACE)


def test_delete_waits_until_the_resource_is_gone(plugin: Plugin, arm: FakeArm) -> None:
    arm.script("DELETE", ENDPOINT_ID, accepted(arm, status=202))
    arm.script("GET", OPERATION, running("Deleting"), running("Succeeded"))
    plugin.delete(ENDPOINT, ENDPOINT_ID)
    assert len(arm.requests("GET")) == 2


def test_deleting_what_is_gone_is_fine(plugin: Plugin, arm: FakeArm) -> None:
    plugin.delete(ENDPOINT, ENDPOINT_ID)
    arm.script("DELETE", ENDPOINT_ID, Reply(404))
    plugin.delete(ENDPOINT, ENDPOINT_ID)
    assert len(arm.requests("DELETE")) == 2


def test_a_refused_delete_is_an_error(plugin: Plugin, arm: FakeArm) -> None:
    arm.script("DELETE", ENDPOINT_ID, accepted(arm, status=202))
    arm.script("GET", OPERATION, Reply(200, {"status": "Failed", "error": {"code": "X", "message": "traffic"}}))
    with pytest.raises(Refused, match='Status=200 Code="X" Message="traffic"'):
        plugin.delete(ENDPOINT, ENDPOINT_ID)


def test_cancel_ends_a_wait_and_keeps_what_was_begun(plugin: Plugin, arm: FakeArm) -> None:
    arm.script("GET", ENDPOINT_ID, Reply(404), Reply(200, {"id": ENDPOINT_ID}))
    arm.script("PUT", ENDPOINT_ID, accepted(arm))
    arm.script("GET", OPERATION, Reply(200, {"status": "Updating"}, {"Retry-After": "3600"}))

    def cancel_while_it_waits() -> None:
        wait_until(lambda: OPERATION in [seen.path for seen in arm.requests("GET")])
        plugin.call("Cancel", messages.google_dot_protobuf_dot_empty__pb2.Empty())

    threading.Thread(target=cancel_while_it_waits).start()
    with pytest.raises(Refused, match="context canceled") as caught:
        plugin.create(ENDPOINT, INPUTS)
    assert caught.value.init_failed is not None
    assert caught.value.init_failed.id == ENDPOINT_ID


def test_a_scope_is_an_id_and_a_name_is_escaped(plugin: Plugin, arm: FakeArm) -> None:
    inputs = {"scope": f"{WORKSPACE}", "roleAssignmentName": "a b", "principalId": "p", "roleDefinitionId": "r"}
    identifier, _ = plugin.create("authorization:RoleAssignment", inputs)
    assert identifier == f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments/a%20b"

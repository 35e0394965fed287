"""Check: names, locations, API versions, and what is refused before anything is sent."""

from typing import Any

import pytest

from localazure.provider.wire import UNKNOWN
from tests.localazure.provider.conftest import Plugin, Refused, messages
from tests.localazure.provider.fake_arm import FakeArm

ENDPOINT = "machinelearningservices:OnlineEndpoint"
DEPLOYMENT = "machinelearningservices:OnlineDeployment"
PARENT = {"resourceGroupName": "g", "workspaceName": "w"}
AUTONAMING = messages.CheckRequest.AutonamingOptions


def test_an_endpoint_without_a_name_gets_a_random_one_that_the_seed_decides(plugin: Plugin) -> None:
    news = {**PARENT, "properties": {"authMode": "Key"}}
    first = plugin.inputs(ENDPOINT, news, randomSeed=b"1")
    assert first["endpointName"].startswith("thing")
    assert len(first["endpointName"]) == len("thing") + 8
    assert first["__createBeforeDelete"] is True
    assert plugin.inputs(ENDPOINT, news, randomSeed=b"1") == first
    assert plugin.inputs(ENDPOINT, news, randomSeed=b"2") != first


def test_a_deployment_without_a_name_gets_the_logical_one(plugin: Plugin) -> None:
    inputs = plugin.inputs(DEPLOYMENT, {**PARENT, "endpointName": "e", "properties": {}})
    assert inputs["deploymentName"] == "thing"
    assert "__createBeforeDelete" not in inputs


def test_a_role_assignment_without_a_name_gets_a_uuid(plugin: Plugin) -> None:
    news = {"scope": "/subscriptions/s", "principalId": "p", "roleDefinitionId": "r"}
    assert len(plugin.inputs("authorization:RoleAssignment", news)["roleAssignmentName"]) == 36


def test_the_old_name_is_kept(plugin: Plugin) -> None:
    olds = {"endpointName": "old", "__createBeforeDelete": True}
    inputs = plugin.inputs(ENDPOINT, {**PARENT, "properties": {}}, olds)
    assert inputs["endpointName"] == "old"
    assert inputs["__createBeforeDelete"] is True


@pytest.mark.parametrize(("mode", "name"), [(AUTONAMING.PROPOSE, "wish"), (AUTONAMING.ENFORCE, "wish")])
def test_the_engine_may_name_resources(plugin: Plugin, mode: Any, name: str) -> None:
    options = AUTONAMING(proposed_name=name, mode=mode)
    assert plugin.inputs(ENDPOINT, {**PARENT, "properties": {}}, autonaming=options)["endpointName"] == name


def test_without_autonaming_a_name_is_required(plugin: Plugin) -> None:
    answer = plugin.check(
        ENDPOINT, {**PARENT, "properties": {"authMode": "Key"}}, autonaming=AUTONAMING(mode=AUTONAMING.DISABLE)
    )
    assert [failure.reason for failure in answer.failures] == ["missing required property 'endpointName'"]


def test_the_api_version_is_the_one_of_azure_native(plugin: Plugin) -> None:
    assert plugin.inputs(ENDPOINT, {**PARENT, "properties": {}})["azureApiVersion"] == "2025-12-01"


def test_the_location_comes_from_the_old_inputs_then_the_config(plugin: Plugin) -> None:
    news = {**PARENT, "properties": {}}
    assert plugin.inputs(ENDPOINT, news)["location"] == "westeurope"
    assert plugin.inputs(ENDPOINT, news, {"location": "northeurope"})["location"] == "northeurope"
    assert plugin.inputs(ENDPOINT, {**news, "location": "eastus"})["location"] == "eastus"


def test_without_a_configured_location_the_resource_group_decides(unconfigured: Plugin, arm: FakeArm) -> None:
    unconfigured.configure()
    arm.resources["/subscriptions/sub/resourcegroups/g"] = {"location": "francecentral"}
    news = {**PARENT, "properties": {}}
    assert unconfigured.inputs(ENDPOINT, news)["location"] == "francecentral"
    assert unconfigured.inputs(ENDPOINT, {**news, "resourceGroupName": UNKNOWN})["location"] is UNKNOWN
    unconfigured.inputs(ENDPOINT, news)
    assert len(arm.requests("GET")) == 1


def test_a_missing_location_is_reported_with_how_to_set_it(unconfigured: Plugin) -> None:
    unconfigured.configure()
    failures = unconfigured.failures("storage:StorageAccount", {**PARENT, "kind": "StorageV2", "sku": {"name": "s"}})
    assert failures == []  # the SDK knows no requirement; Azure refuses it
    assert "location" not in unconfigured.inputs("resources:ResourceGroup", {})


def test_every_missing_and_mistyped_property_is_reported(plugin: Plugin) -> None:
    news = {
        "resourceGroupName": "g",
        "properties": {"traffic": {"blue": 33.5}, "publicNetworkAccess": 1},
        "sku": {"capacity": 1.5},
        "tags": ["x"],
    }
    assert sorted(plugin.failures(ENDPOINT, news)) == [
        "'properties.publicNetworkAccess' should be of type 'string' but got a number",
        "'sku.capacity' must be an integer but got 1.500000",
        "'tags' should be of type 'object' but got an array",
        "missing required property 'properties.authMode'",
        "missing required property 'sku.name'",
        "missing required property 'workspaceName'",
    ]


def test_unknown_values_pass(plugin: Plugin) -> None:
    news = {"resourceGroupName": UNKNOWN, "workspaceName": UNKNOWN, "properties": UNKNOWN}
    assert plugin.failures(ENDPOINT, news) == []


def test_an_unknown_type_is_not_emulated(plugin: Plugin) -> None:
    with pytest.raises(Refused, match=r"NotEmulated: .* the resource type azure-native:sql:Server") as caught:
        plugin.check("sql:Server", {})
    assert "machinelearningservices:OnlineEndpoint" in str(caught.value)
    assert "localazure/COVERAGE.md" in str(caught.value)

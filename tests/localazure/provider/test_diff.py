"""Diff: what an update would change, what of it replaces the resource, in which order."""

from typing import Any

from localazure.provider.diff import merge_changes
from tests.localazure.provider.conftest import Plugin, messages

ENDPOINT = "machinelearningservices:OnlineEndpoint"
DEPLOYMENT = "machinelearningservices:OnlineDeployment"
OLD: dict[str, Any] = {
    "endpointName": "e",
    "resourceGroupName": "g",
    "workspaceName": "w",
    "location": "westeurope",
    "properties": {"authMode": "Key", "traffic": {"blue": 100}},
    "azureApiVersion": "2025-12-01",
}


def kinds(answer: Any) -> dict[str, str]:
    return {path: messages.PropertyDiff.Kind.Name(change.kind) for path, change in answer.detailedDiff.items()}


def test_the_same_inputs_are_no_change(plugin: Plugin) -> None:
    answer = plugin.diff(ENDPOINT, OLD, dict(OLD))
    assert answer.changes == messages.DiffResponse.DIFF_NONE


def test_a_new_weight_is_one_update_of_the_traffic(plugin: Plugin) -> None:
    new = {**OLD, "properties": {"authMode": "Key", "traffic": {"blue": 90, "green": 10}}}
    answer = plugin.diff(ENDPOINT, OLD, new)
    assert kinds(answer) == {"properties.traffic.blue": "UPDATE", "properties.traffic.green": "ADD"}
    assert list(answer.diffs) == ["properties"]
    assert not answer.replaces
    assert not answer.deleteBeforeReplace


def test_a_removed_colour_is_a_delete(plugin: Plugin) -> None:
    new = {**OLD, "properties": {"authMode": "Key", "traffic": {}}}
    assert kinds(plugin.diff(ENDPOINT, OLD, new)) == {"properties.traffic.blue": "DELETE"}


def test_a_new_name_or_location_replaces_and_deletes_first(plugin: Plugin) -> None:
    for change in ({"endpointName": "f"}, {"workspaceName": "v"}, {"location": "eastus"}):
        answer = plugin.diff(ENDPOINT, OLD, {**OLD, **change})
        assert list(answer.replaces) == list(change)
        assert answer.deleteBeforeReplace


def test_a_random_name_is_replaced_by_a_second_resource_first(plugin: Plugin) -> None:
    answer = plugin.diff(ENDPOINT, {**OLD, "__createBeforeDelete": True}, {**OLD, "location": "eastus"})
    assert list(answer.replaces) == ["location"]
    assert not answer.deleteBeforeReplace


def test_the_spelling_of_regions_and_groups_does_not_matter(plugin: Plugin) -> None:
    new = {**OLD, "location": "West Europe", "resourceGroupName": "G"}
    assert plugin.diff(ENDPOINT, OLD, new).changes == messages.DiffResponse.DIFF_NONE


def test_hidden_inputs_are_not_compared(plugin: Plugin) -> None:
    assert plugin.diff(ENDPOINT, {**OLD, "__x": 1}, OLD).changes == messages.DiffResponse.DIFF_NONE


def test_a_create_only_property_inside_a_union_is_planned_in_place(plugin: Plugin) -> None:
    old = {
        "deploymentName": "blue",
        "properties": {"endpointComputeType": "Managed", "instanceType": "Standard_DS3_v2"},
    }
    new = {
        "deploymentName": "blue",
        "properties": {"endpointComputeType": "Managed", "instanceType": "Standard_F4s_v2"},
    }
    answer = plugin.diff(DEPLOYMENT, old, new)
    assert kinds(answer) == {"properties.instanceType": "UPDATE"}
    assert not answer.replaces


def test_what_replaces_as_a_whole_replaces_by_its_parts(plugin: Plugin) -> None:
    answer = plugin.diff("network:PrivateEndpoint", {"subnet": {"id": "a"}}, {"subnet": {"id": "b"}})
    assert kinds(answer) == {"subnet.id": "UPDATE_REPLACE"}
    assert list(answer.replaces) == ["subnet.id"]


def test_setting_an_input_to_what_azure_has_replaces_nothing(plugin: Plugin) -> None:
    old = {key: value for key, value in OLD.items() if key != "location"}
    answer = plugin.diff(ENDPOINT, old, OLD, {"location": "westeurope"})
    assert kinds(answer) == {"location": "ADD"}
    assert not answer.replaces


def test_lists_are_compared_by_position(plugin: Plugin) -> None:
    old = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16", "10.1.0.0/16"]}}
    new = {"addressSpace": {"addressPrefixes": ["10.2.0.0/16"]}}
    assert kinds(plugin.diff("network:VirtualNetwork", old, new)) == {
        "addressSpace.addressPrefixes[0]": "UPDATE",
        "addressSpace.addressPrefixes[1]": "DELETE",
    }


def test_a_missing_old_api_version_is_the_one_of_the_state(plugin: Plugin) -> None:
    old = {key: value for key, value in OLD.items() if key != "azureApiVersion"}
    answer = plugin.diff(ENDPOINT, old, OLD, {"azureApiVersion": "2025-12-01"})
    assert answer.changes == messages.DiffResponse.DIFF_NONE


def test_a_refresh_takes_over_only_what_changed_in_azure() -> None:
    inputs = {"traffic": {"blue": 100}, "tags": {"a": "b"}, "mode": "Key", "list": [{"x": 1}]}
    before = {"traffic": {"blue": 100}, "mode": "key", "default": 1, "gone": 1, "list": [{"x": 1, "y": 2}]}
    after = {"traffic": {"green": 100}, "mode": "key", "default": 1, "new": 2, "list": [{"x": 3, "y": 2}, {"x": 4}]}
    assert merge_changes(inputs, before, after) == {
        "traffic": {"green": 100},
        "tags": {"a": "b"},
        "mode": "Key",
        "list": [{"x": 3}, {"x": 4}],
        "new": 2,
    }

"""Functions: getters, POST actions, the caller; and the plugin's own calls."""

import pytest

from localazure.catalog import RESOURCE_TYPES
from localazure.provider.invokes import getter_token
from tests.localazure.provider.conftest import Plugin, Refused, messages
from tests.localazure.provider.fake_arm import FakeArm, Reply

WORKSPACE = "/subscriptions/sub/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
ARGUMENTS = {"resourceGroupName": "g", "workspaceName": "w"}


def test_a_getter_gives_outputs_id_and_api_version(plugin: Plugin, arm: FakeArm) -> None:
    arm.resources[WORKSPACE.lower()] = {"id": WORKSPACE, "properties": {"keyVault": "kv"}}
    result = plugin.invoke("machinelearningservices:getWorkspace", dict(ARGUMENTS))
    assert result == {"keyVault": "kv", "id": WORKSPACE, "azureApiVersion": "2025-12-01"}


def test_an_absent_resource_is_told_by_the_status(plugin: Plugin) -> None:
    with pytest.raises(Refused) as caught:
        plugin.invoke("machinelearningservices:getWorkspace", dict(ARGUMENTS))
    expected = f"""request failed {WORKSPACE}: Status=404 Code="ResourceNotFound" Message="The Resource '{WORKSPACE}'"""
    assert str(caught.value).startswith(expected)


def test_every_type_has_a_getter(plugin: Plugin) -> None:
    for kind in RESOURCE_TYPES:
        with pytest.raises(Refused, match="Status=404"):
            plugin.invoke(
                getter_token(kind).removeprefix("azure-native:"),
                {name: "x" for name in kind.parameters[-5:]} | ARGUMENTS,
            )


def test_keys_are_asked_for_by_post(plugin: Plugin, arm: FakeArm) -> None:
    path = f"{WORKSPACE}/onlineEndpoints/e/listKeys"
    arm.script("POST", path, Reply(200, {"primaryKey": "1", "secondaryKey": "2"}))
    result = plugin.invoke("machinelearningservices:listOnlineEndpointKeys", {**ARGUMENTS, "endpointName": "e"})
    assert result == {"primaryKey": "1", "secondaryKey": "2"}
    assert arm.requests("POST")[0].body == {}


def test_arguments_beyond_the_path_go_into_the_body(plugin: Plugin, arm: FakeArm) -> None:
    path = f"{WORKSPACE}/onlineEndpoints/e/deployments/d/getLogs"
    arm.script("POST", path, Reply(200, {"content": "log"}))
    arguments = {**ARGUMENTS, "endpointName": "e", "deploymentName": "d", "containerType": "InferenceServer", "tail": 5}
    assert plugin.invoke("machinelearningservices:getOnlineDeploymentLogs", arguments) == {"content": "log"}
    assert arm.requests("POST")[0].body == {"containerType": "InferenceServer", "tail": 5}


def test_the_caller_is_the_one_that_the_token_names(plugin: Plugin) -> None:
    assert plugin.invoke("authorization:getClientConfig", {}) == {
        "clientId": "client",
        "objectId": "object",
        "subscriptionId": "sub",
        "tenantId": "tenant",
    }


def test_a_token_is_for_the_endpoint_that_was_asked_for(plugin: Plugin) -> None:
    own, other = (
        plugin.invoke("authorization:getClientToken", {"endpoint": end})["token"] for end in ("", "https://ml")
    )
    assert own != other


def test_an_unknown_function_is_not_emulated(plugin: Plugin) -> None:
    with pytest.raises(Refused, match=r"NotEmulated: .* the function azure-native:sql:getServer"):
        plugin.invoke("sql:getServer", {})


def test_configure_answers_as_azure_native_does(unconfigured: Plugin) -> None:
    answer = unconfigured.configure()
    assert (answer.acceptSecrets, answer.acceptResources, answer.supportsPreview) == (False, False, True)
    assert answer.supports_autonaming_configuration


def test_an_old_cli_is_refused(unconfigured: Plugin) -> None:
    with pytest.raises(Refused, match=r"requires Pulumi CLI v3\.74\.0 or later"):
        unconfigured.call("Configure", messages.ConfigureRequest())


def test_without_configuration_there_is_one_clear_error(unconfigured: Plugin) -> None:
    with pytest.raises(Refused, match="the provider is not configured"):
        unconfigured.invoke("authorization:getClientConfig", {})


def test_without_a_schema_the_error_names_the_option_to_use(unconfigured: Plugin) -> None:
    with pytest.raises(Refused, match="--generate-code=false"):
        unconfigured.call("GetSchema", messages.GetSchemaRequest())


def test_the_version_is_the_one_that_the_sdk_wants(unconfigured: Plugin) -> None:
    empty = messages.google_dot_protobuf_dot_empty__pb2.Empty()
    assert unconfigured.call("GetPluginInfo", empty).version == "3.29.0"

"""Between the SDK's shape and ARM's: flattening, sets, unions, previews."""

from typing import Any

import pytest

from localazure.catalog import by_token
from localazure.catalog.shapes import resource_shape
from localazure.provider import convert
from localazure.provider.resources import body_inputs
from localazure.provider.wire import UNKNOWN, contains_unknown, decode, encode


def body_of(token: str, inputs: dict[str, Any]) -> Any:
    kind = by_token(f"azure-native:{token}")
    assert kind is not None
    return convert.to_arm(body_inputs(kind, resource_shape(kind.token)), inputs)


def outputs_of(token: str, body: dict[str, Any]) -> Any:
    return convert.to_sdk(resource_shape(f"azure-native:{token}")["outputs"], body)


CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "machinelearningservices:Workspace",
        {"keyVault": "kv", "sku": {"name": "Basic"}, "managedNetwork": {"isolationMode": "AllowInternetOutbound"}},
        {
            "sku": {"name": "Basic"},
            "properties": {"keyVault": "kv", "managedNetwork": {"isolationMode": "AllowInternetOutbound"}},
        },
    ),
    (
        "machinelearningservices:OnlineEndpoint",
        {"location": "l", "properties": {"authMode": "Key", "traffic": {"blue": 100}}, "tags": {"a.b": "c"}},
        {"location": "l", "properties": {"authMode": "Key", "traffic": {"blue": 100}}, "tags": {"a.b": "c"}},
    ),
    (
        "machinelearningservices:OnlineDeployment",
        {
            "properties": {
                "endpointComputeType": "Managed",
                "scaleSettings": {"scaleType": "Default"},
                "codeConfiguration": {"codeId": "c", "scoringScript": "score.py"},
                "environmentVariables": {"A": "1"},
            },
            "sku": {"name": "Default", "capacity": 3},
        },
        {
            "properties": {
                "endpointComputeType": "Managed",
                "scaleSettings": {"scaleType": "Default"},
                "codeConfiguration": {"codeId": "c", "scoringScript": "score.py"},
                "environmentVariables": {"A": "1"},
            },
            "sku": {"name": "Default", "capacity": 3},
        },
    ),
    (
        "storage:StorageAccount",
        {
            "kind": "StorageV2",
            "enableHttpsTrafficOnly": True,
            "networkRuleSet": {"ipRules": [{"iPAddressOrRange": "1.2.3.4"}]},
        },
        {
            "kind": "StorageV2",
            "properties": {"supportsHttpsTrafficOnly": True, "networkAcls": {"ipRules": [{"value": "1.2.3.4"}]}},
        },
    ),
    ("keyvault:Vault", {"properties": {"tenantId": "t"}}, {"properties": {"tenantId": "t"}}),
    ("operationalinsights:Workspace", {"sku": {"name": "PerGB2018"}}, {"properties": {"sku": {"name": "PerGB2018"}}}),
    (
        "applicationinsights:Component",
        {"kind": "web", "applicationType": "web", "workspaceResourceId": "w"},
        {"kind": "web", "properties": {"Application_Type": "web", "WorkspaceResourceId": "w"}},
    ),
    (
        "network:VirtualNetwork",
        {
            "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
            "subnets": [{"name": "a", "addressPrefix": "10.0.0.0/24"}],
        },
        {
            "properties": {
                "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
                "subnets": [{"name": "a", "properties": {"addressPrefix": "10.0.0.0/24"}}],
            }
        },
    ),
    (
        "network:PrivateEndpoint",
        {
            "subnet": {"id": "s"},
            "privateLinkServiceConnections": [{"name": "c", "privateLinkServiceId": "w", "groupIds": ["amlworkspace"]}],
        },
        {
            "properties": {
                "subnet": {"id": "s"},
                "privateLinkServiceConnections": [
                    {"name": "c", "properties": {"privateLinkServiceId": "w", "groupIds": ["amlworkspace"]}}
                ],
            }
        },
    ),
    (
        "network:PrivateDnsZoneGroup",
        {"privateDnsZoneConfigs": [{"name": "z", "privateDnsZoneId": "id"}]},
        {"properties": {"privateDnsZoneConfigs": [{"name": "z", "properties": {"privateDnsZoneId": "id"}}]}},
    ),
    (
        "network:NetworkSecurityGroup",
        {"securityRules": [{"name": "r", "priority": 100, "access": "Deny"}]},
        {"properties": {"securityRules": [{"name": "r", "properties": {"priority": 100, "access": "Deny"}}]}},
    ),
    ("authorization:RoleAssignment", {"principalId": "p"}, {"properties": {"principalId": "p"}}),
]


@pytest.mark.parametrize(("token", "inputs", "body"), CASES, ids=[case[0] for case in CASES])
def test_inputs_become_the_body_that_arm_wants_and_outputs_again(
    token: str, inputs: dict[str, Any], body: dict[str, Any]
) -> None:
    assert body_of(token, inputs) == body
    assert outputs_of(token, body) == inputs


def test_path_parameters_and_unknown_properties_are_not_sent() -> None:
    inputs = {"resourceGroupName": "g", "workspaceName": "w", "azureApiVersion": "v", "friendlyName": "f", "typo": 1}
    assert body_of("machinelearningservices:Workspace", inputs) == {"properties": {"friendlyName": "f"}}


def test_identities_are_a_list_in_the_program_and_a_map_in_arm() -> None:
    identity = {"type": "UserAssigned", "userAssignedIdentities": ["/a", "/b"]}
    sent = {"type": "UserAssigned", "userAssignedIdentities": {"/a": {}, "/b": {}}}
    body = body_of("machinelearningservices:OnlineEndpoint", {"identity": identity})
    assert body == {"identity": sent}
    answered = {**sent, "userAssignedIdentities": {"/a": {"clientId": "c"}, "/b": {"clientId": "d"}}}
    outputs = outputs_of("machinelearningservices:OnlineEndpoint", {"identity": answered})
    assert outputs == {"identity": answered}
    kind = by_token("azure-native:machinelearningservices:OnlineEndpoint")
    assert kind is not None
    assert convert.to_inputs(body_inputs(kind, resource_shape(kind.token)), outputs) == {"identity": identity}


def test_a_constant_picks_the_branch_of_a_union() -> None:
    kubernetes = {"endpointComputeType": "Kubernetes", "containerResourceRequirements": {}, "instanceType": "i"}
    managed = {**kubernetes, "endpointComputeType": "Managed"}
    body = body_of("machinelearningservices:OnlineDeployment", {"properties": kubernetes})
    assert body == {"properties": kubernetes}
    body = body_of("machinelearningservices:OnlineDeployment", {"properties": managed})
    assert "containerResourceRequirements" not in body["properties"]


def test_outputs_leave_out_nulls() -> None:
    assert outputs_of("machinelearningservices:Workspace", {"tags": None, "properties": {"keyVault": None}}) == {}


def test_a_preview_knows_the_inputs_and_nothing_else() -> None:
    shape = resource_shape("azure-native:machinelearningservices:OnlineEndpoint")
    inputs = {"properties": {"authMode": "Key", "traffic": {"blue": 100}}, "location": UNKNOWN}
    outputs = convert.preview(shape["outputs"], inputs)
    assert outputs["properties"]["traffic"] == {"blue": 100}
    assert outputs["properties"]["scoringUri"] is UNKNOWN
    assert outputs["location"] is UNKNOWN
    assert outputs["identity"] is UNKNOWN


def test_an_import_takes_empty_collections_for_defaults() -> None:
    assert convert.without_empty({"a": {}, "b": [], "c": {"d": []}, "e": False, "f": ""}) == {"e": False, "f": ""}


def test_values_survive_the_wire() -> None:
    values = {"s": "x", "b": True, "n": 1.5, "i": 100, "l": [1, {"a": UNKNOWN}], "e": [], "m": {}}
    assert decode(encode(values)) == values
    assert isinstance(decode(encode({"weight": 100.0}))["weight"], int)
    assert decode(encode({"gone": None})) == {}


def test_secrets_are_unwrapped() -> None:
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": {"key": [1]}}
    assert decode(encode({"password": secret})) == {"password": {"key": [1]}}


def test_unknowns_are_found_inside() -> None:
    assert contains_unknown({"a": [{"b": UNKNOWN}]})
    assert not contains_unknown({"a": [{"b": "x"}]})

"""The catalog: paths, names, and that its generated files are what the installed SDKs give."""

import json
import subprocess
import sys

import pytest

from localazure.catalog import RESOURCE_TYPES, by_arm_type, by_token, match_path
from localazure.catalog.shapes import object_type, resource_shape

GROUP = "/subscriptions/s/resourceGroups/g"


@pytest.mark.integration  # imports both SDKs whole: five seconds
def test_the_generated_files_are_what_the_installed_sdks_give() -> None:
    command = [sys.executable, "-W", "ignore", "-m", "localazure.catalog.generate", "--check"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_the_control_plane_gets_the_catalog_without_any_sdk() -> None:
    script = "import sys, localazure.catalog; print([m for m in ('pulumi', 'azure', 'grpc') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("path", "token", "parameters"),
    [
        (GROUP.upper(), "resources:ResourceGroup", {"subscriptionId": "S", "resourceGroupName": "G"}),
        (
            f"{GROUP}/providers/microsoft.machinelearningservices/workspaces/w/onlineendpoints/e/deployments/blue",
            "machinelearningservices:OnlineDeployment",
            {
                "subscriptionId": "s",
                "resourceGroupName": "g",
                "workspaceName": "w",
                "endpointName": "e",
                "deploymentName": "blue",
            },
        ),
        (
            f"{GROUP}/providers/Microsoft.KeyVault/vaults/v/providers/Microsoft.Authorization/roleAssignments/a",
            "authorization:RoleAssignment",
            {"scope": f"{GROUP}/providers/Microsoft.KeyVault/vaults/v", "roleAssignmentName": "a"},
        ),
    ],
)
def test_a_path_is_matched_whatever_its_case(path: str, token: str, parameters: dict[str, str]) -> None:
    found = match_path(path)
    assert found is not None
    assert found[0].token == f"azure-native:{token}"
    assert found[1] == parameters


@pytest.mark.parametrize(
    "path",
    [f"{GROUP}/providers/Microsoft.KeyVault/vaults", f"{GROUP}/providers/Microsoft.Sql/servers/s", "/subscriptions/s"],
)
def test_lists_and_unknown_types_are_no_resources(path: str) -> None:
    assert match_path(path) is None


def test_types_are_found_by_both_names() -> None:
    kind = by_token("azure-native:machinelearningservices:OnlineEndpoint")
    assert kind is not None
    assert kind.arm == "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
    assert by_arm_type(kind.arm.lower()) is kind
    assert by_token("azure-native:sql:Server") is None


def test_names_are_made_as_azure_native_makes_them() -> None:
    kinds = {kind.token.rsplit(":", 1)[1]: kind.auto_name for kind in RESOURCE_TYPES}
    assert kinds["OnlineEndpoint"] == kinds["Vault"] == kinds["ResourceGroup"] == "random"
    assert kinds["OnlineDeployment"] == kinds["Compute"] == kinds["Subnet"] == "copy"
    assert kinds["RoleAssignment"] == "uuid"


def test_every_type_has_a_shape_that_names_its_path() -> None:
    for kind in RESOURCE_TYPES:
        inputs = resource_shape(kind.token)["inputs"]["properties"]
        assert set(kind.parameters) - {"subscriptionId"} <= set(inputs), kind.token
        assert not any(inputs[name].get("containers") for name in kind.parameters if name in inputs), kind.token


def test_every_type_that_a_shape_mentions_is_there() -> None:
    def mentioned(value: object) -> set[str]:
        if isinstance(value, dict):
            own = {value["ref"]} if isinstance(value.get("ref"), str) else set()
            union = set(value["oneOf"]) if isinstance(value.get("oneOf"), list) else set()
            return own | union | {key for item in value.values() for key in mentioned(item)}
        return {key for item in value for key in mentioned(item)} if isinstance(value, list) else set()

    shapes = [resource_shape(kind.token) for kind in RESOURCE_TYPES]
    for key in mentioned(json.loads(json.dumps(shapes))):
        assert object_type(key)["properties"] is not None


def test_create_only_properties_come_from_the_client_and_from_azure_native() -> None:
    def replaced(token: str) -> set[str]:
        properties = resource_shape(f"azure-native:{token}")["inputs"]["properties"]
        return {key for key, shape in properties.items() if shape.get("replace")}

    assert replaced("machinelearningservices:OnlineEndpoint") == {"location"}
    assert replaced("machinelearningservices:OnlineDeployment") == {"location"}
    assert replaced("machinelearningservices:Workspace") == set()
    assert replaced("storage:StorageAccount") == {"isHnsEnabled", "location"}

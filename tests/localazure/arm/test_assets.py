"""Asset versions, datastores and pending uploads, with the recorded status codes."""

import json
from urllib.parse import quote

import pytest

from tests.localazure.arm.conftest import WORKSPACE


@pytest.fixture
def workspace(arm):
    arm.make_workspace()
    return arm


def code(arm, path="codes/c/versions/1", uri="https://localhost:1/stacc1/c/x", **properties):
    return arm.put(f"{WORKSPACE}/{path}", {"properties": {"codeUri": uri} | properties})


@pytest.mark.proves("codes/versions", refuses=["properties.codeUri"])
def test_a_code_version_is_created_once(workspace):
    first, second = code(workspace), code(workspace)
    assert (first.status, second.status) == (201, 200)
    assert first.headers["Location"].endswith("/codes/c/versions/1?api-version=2024-04-01")
    assert "Location" not in second.headers
    assert first.properties["provisioningState"] == "Succeeded"
    assert (first.properties["isArchived"], first.properties["isAnonymous"], first.properties["tags"]) == (
        False,
        False,
        {},
    )
    assert first.body["systemData"]["createdByType"] == "User"
    refused = code(workspace, uri="https://localhost:1/stacc1/c/y")
    assert (refused.status, refused.code) == (400, "UserError")
    assert 'field "codeUri" is immutable' in refused.error["message"]


@pytest.mark.proves("codes/versions", honours=["properties.properties"])
def test_code_is_found_by_its_hash_in_any_container(workspace):
    code(workspace, "codes/one/versions/1", properties={"hash_sha256": "abc", "hash_version": "202208"})
    found = workspace.get(f"{WORKSPACE}/codes/other/versions?hash=abc&hashVersion=202208")
    assert [item["id"] for item in found.body["value"]] == [f"{WORKSPACE}/codes/one/versions/1"]
    assert workspace.get(f"{WORKSPACE}/codes/other/versions?hash=def").body == {"value": []}


def test_a_pending_upload_gets_a_container_and_a_signature(workspace):
    answer = workspace.post(
        f"{WORKSPACE}/codes/c/versions/1/startPendingUpload", {"pendingUploadType": "TemporaryBlobReference"}
    )
    assert answer.status == 200
    reference = answer.body["blobReferenceForConsumption"]
    assert answer.body["pendingUploadType"] == "None"
    assert reference["blobUri"].startswith("https://localhost:1/stacc1/")
    assert reference["credential"]["sasUri"].startswith(reference["blobUri"] + "?sv=")


@pytest.mark.proves("models/versions", refuses=["properties.modelUri"])
def test_a_model_needs_a_uri_and_gets_flavors(workspace):
    path = f"{WORKSPACE}/models/m/versions/3"
    assert workspace.put(path, {"properties": {}}).code == "UserError"
    uri = "azureml://subscriptions/s/resourcegroups/rg/workspaces/w/datastores/d/paths/p"
    answer = workspace.put(path, {"properties": {"modelUri": uri}})
    assert answer.status == 201
    assert answer.properties["modelUri"] == uri.replace("resourcegroups", "resourceGroups")
    assert answer.properties["flavors"] == {}
    assert workspace.put(path, {"properties": {"modelUri": uri}}).status == 200


@pytest.mark.proves("models/versions", refuses=["name"])
@pytest.mark.parametrize("version", ["1.2.3", "abc", "4f835d483c3a38c0", "0", "-1", "01", "+1", "1.0", "latest"])
def test_a_models_version_is_a_positive_whole_number(workspace, version):
    path = f"{WORKSPACE}/models/m/versions/{quote(version)}"
    refused = workspace.put(path, {"properties": {"modelUri": "azureml://datastores/d/paths/p"}})
    assert (refused.status, refused.code) == (400, "UserError")
    assert "positive whole number" in refused.error["message"]
    assert workspace.get(path).status == 404
    assert workspace.get(f"{WORKSPACE}/models").body["value"] == [], "not even its container"


@pytest.mark.parametrize("version", ["1", "10", "20260101", "9999999999999999"])
def test_a_models_version_can_be_any_positive_whole_number(workspace, version):
    path = f"{WORKSPACE}/models/m/versions/{version}"
    assert workspace.put(path, {"properties": {"modelUri": "azureml://datastores/d/paths/p"}}).status == 201


def test_versions_of_code_and_environments_are_any_text(workspace):
    assert code(workspace, "codes/c/versions/4f835d483c3a38c0").status == 201
    path = f"{WORKSPACE}/environments/e/versions/4f835d483c3a38c0"
    assert workspace.put(path, {"properties": {"image": "i"}}).status == 201


def test_missing_containers_and_datastores_answer_as_recorded(workspace):
    models = workspace.get(f"{WORKSPACE}/models/none/versions?$orderBy=createdtime%20desc&$top=1")
    assert (models.status, models.code) == (404, "UserError")
    assert models.error["details"][0]["message"] == "Model container with name: none not found."
    environment = workspace.get(f"{WORKSPACE}/environments/none")
    assert environment.error["message"] == "No environment exists for name: none, version: , label: "
    assert workspace.get(f"{WORKSPACE}/datastores/none").error["message"] == "Could not find datastore: none."


def test_the_latest_version_comes_first_when_asked(workspace):
    for version in ("1", "2", "3"):
        code(workspace, f"codes/c/versions/{version}")
    answer = workspace.get(f"{WORKSPACE}/codes/c/versions?$orderBy=createdtime%20desc&$top=1")
    assert [item["name"] for item in answer.body["value"]] == ["3"]


@pytest.mark.proves("environments/versions", refuses=["properties.condaFile"])
def test_an_environment_answers_201_again_and_its_conda_file_as_json(workspace):
    path = f"{WORKSPACE}/environments/e/versions/1"
    sent = {"properties": {"image": "mcr/base", "condaFile": "dependencies:\n- python=3.11\n"}}
    assert [workspace.put(path, sent).status for _ in range(2)] == [201, 201]
    shown = workspace.get(path).properties
    assert json.loads(shown["condaFile"]) == {"dependencies": ["python=3.11"]}
    assert (shown["environmentType"], shown["osType"]) == ("UserCreated", "Linux")
    assert workspace.put(path, {"properties": {"image": "i", "condaFile": "a: [b"}}).code == "UserError"
    assert workspace.put(path, {"properties": {}}).code == "UserError"


@pytest.mark.proves("MachineLearningServices/workspaces", honours=["properties.storageAccount"])
@pytest.mark.proves("datastores", honours=["listSecrets/expirableSecret"])
def test_the_workspace_has_a_default_datastore(workspace):
    guid = workspace.get(WORKSPACE).properties["workspaceId"]
    shown = workspace.get(f"{WORKSPACE}/datastores/workspaceblobstore").properties
    assert shown["containerName"] == f"azureml-blobstore-{guid}"
    assert (shown["accountName"], shown["isDefault"], shown["datastoreType"]) == ("stacc1", True, "AzureBlob")
    secrets = workspace.post(f"{WORKSPACE}/datastores/workspaceblobstore/listSecrets", {"expirableSecret": True})
    assert secrets.body["secretsType"] == "Sas"


def test_assets_need_a_workspace(arm):
    arm.make_group()
    assert code(arm).code == "ParentResourceNotFound"


@pytest.mark.proves("environments/versions", refuses=["properties.image", "properties.condaFile"])
def test_what_an_environment_is_made_of_cannot_change_under_its_version(workspace):
    path = f"{WORKSPACE}/environments/e/versions/1"
    conda = "dependencies: [python=3.11]\n"
    made = {"image": "mcr/base:1", "condaFile": conda}
    assert workspace.put(path, {"properties": made}).status == 201
    described = workspace.put(
        path, {"properties": made | {"description": "now with words", "condaFile": "# x\n" + conda}}
    )
    assert (described.status, described.properties["description"]) == (201, "now with words")
    for changes in ({"image": "mcr/base:2"}, {"condaFile": "dependencies: [python=3.12]\n"}, {"condaFile": None}):
        refused = workspace.put(path, {"properties": made | changes})
        assert (refused.status, refused.code) == (409, "UserError")
        assert refused.error["message"] == "Environment e with version 1 is already registered and cannot be changed."
    assert workspace.get(path).properties["image"] == "mcr/base:1"


@pytest.mark.parametrize("text", ["a: 2024-13-45", "[" * 700, "a: .inf", "a: &a [*a]", "2024-01-02: x"])
def test_a_conda_file_that_json_cannot_express_is_refused(arm, text):
    arm.make_workspace()
    answer = arm.put(f"{WORKSPACE}/environments/e/versions/1", {"properties": {"condaFile": text}})
    assert (answer.status, answer.code) == (400, "UserError")


def test_a_date_in_a_conda_file_is_a_text(arm):
    arm.make_workspace()
    text = "name: 2024-01-02\ndependencies: [python]\n"
    answer = arm.put(f"{WORKSPACE}/environments/e/versions/1", {"properties": {"condaFile": text}})
    assert json.loads(answer.properties["condaFile"])["name"] == "2024-01-02"

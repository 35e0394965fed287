"""What recordings show of assets and batch endpoints, sentence by sentence, over HTTP against a local Azure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.localazure.arm.recorded_client import FIRST, HERE, ML, NEW, REFERENCES, SYSTEM, WORKSPACE, Client, start
from tests.waiting import HANGS

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    yield from start(tmp_path_factory.mktemp("facts"))


def asset(azure: Client, path: str, version: str = FIRST, **properties: Any) -> Any:
    return azure.call("PUT", f"{WORKSPACE}/{path}", {"properties": properties}, version)


def test_assets_are_made_at_once_and_only_new_ones_have_a_location(azure):
    uri = f"{azure.https}/stacc1/azureml/x"
    for path, sent in (("codes/a/versions/1", {"codeUri": uri}), ("models/a/versions/1", {"modelUri": uri})):
        first, again = (asset(azure, path, **sent) for _ in range(2))
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.headers["Location"] == f"{azure.https}{WORKSPACE}/{path}?api-version={FIRST}"
        assert "Location" not in again.headers
        assert "Azure-AsyncOperation" not in first.headers
        assert "provisioningState" not in first.json()["properties"]
        before, after = (answer.json()["systemData"] for answer in (first, again))
        assert before["createdAt"] == after["createdAt"]
        assert before["lastModifiedAt"] < after["lastModifiedAt"]
        assert azure.call("DELETE", f"{WORKSPACE}/{path}").status_code == 200
    environment = [asset(azure, "environments/a/versions/1", image="library/python:latest") for _ in range(2)]
    assert [answer.status_code for answer in environment] == [201, 201]


def test_an_environment_shows_more_with_every_version(azure):
    asset(azure, "environments/shown/versions/1", image="library/python:latest")
    asset(azure, "environments/shown/versions/2", image="library/python:latest")
    path = f"{WORKSPACE}/environments/shown/versions/2"
    old, new = azure.shown(path, FIRST)["properties"], azure.shown(path, NEW)["properties"]
    assert (old["condaFile"], old["properties"]) == ("", {})
    assert not {"autoRebuild", "provisioningState", "stage"} & set(old)
    added = (new["autoRebuild"], new["provisioningState"], new["stage"])
    assert added == ("Disabled", "Succeeded", "Development")
    assert new["properties"] == {"azureml.labels": "latest"}
    azure.call("PUT", path, {"properties": new}, NEW)
    assert azure.shown(path, FIRST)["properties"]["properties"] == {}


def test_containers_count_versions(azure):
    made = asset(azure, "models/counted", description="code container for test.")
    assert (made.status_code, "Location" in made.headers) == (201, True)
    shown = made.json()["properties"]
    assert shown == {
        **{"description": "code container for test.", "tags": {}, "properties": {}},
        **{"isArchived": False, "latestVersion": None, "nextVersion": "1"},
    }
    for version in ("1", "7"):
        asset(azure, f"models/counted/versions/{version}", modelUri=f"{azure.https}/stacc1/azureml/x")
    shown = azure.shown(f"{WORKSPACE}/models/counted")["properties"]
    assert (shown["latestVersion"], shown["nextVersion"]) == ("7", "8")
    for version in ("1", "7", "x"):  # a model's version is a number, an environment's any string
        asset(azure, f"environments/counted/versions/{version}", image="python:3.11")
    named = azure.shown(f"{WORKSPACE}/environments/counted")["properties"]
    assert (named["latestVersion"], named["nextVersion"]) == ("x", "8")
    assert shown["description"] == "code container for test."
    listed = azure.shown(f"{WORKSPACE}/models")["value"]
    assert azure.shown(f"{WORKSPACE}/models/counted") in listed


def test_versions_are_listed_by_number_label_and_page(azure):
    for version in ("1", "2", "3"):
        asset(azure, f"models/paged/versions/{version}", modelUri=f"{azure.https}/stacc1/azureml/x")
    path = f"{WORKSPACE}/models/paged/versions"
    assert [item["name"] for item in azure.shown(path)["value"]] == ["1", "2", "3"]
    answer = azure.call("GET", path, None, NEW, **{"$orderBy": "createdtime desc", "$top": "2"}).json()
    assert [item["name"] for item in answer["value"]] == ["3", "2"]
    rest = azure.get(answer["nextLink"]).json()
    assert ([item["name"] for item in rest["value"]], "nextLink" in rest) == (["1"], False)
    one = azure._session.get(f"{azure.https}{path}", params={"api-version": NEW, "version": "2"}, timeout=HANGS).json()
    assert [item["name"] for item in one["value"]] == ["2"]


def test_what_is_archived_is_listed_only_when_asked(azure):
    path, uri = f"{WORKSPACE}/models/archived", f"{azure.https}/stacc1/azureml/x"
    asset(azure, "models/archived/versions/1", modelUri=uri)
    asset(azure, "models/archived/versions/1", modelUri=uri, isArchived=True)
    asset(azure, "models/archived", isArchived=True)
    names = {}
    for view in ("ActiveOnly", "ArchivedOnly", "All"):
        versions = azure.call("GET", f"{path}/versions", None, NEW, listViewType=view).json()["value"]
        containers = azure.call("GET", f"{WORKSPACE}/models", None, NEW, listViewType=view).json()["value"]
        names[view] = (len(versions), "archived" in [item["name"] for item in containers])
    assert names == {"ActiveOnly": (0, False), "ArchivedOnly": (1, True), "All": (1, True)}
    asset(azure, "models/archived/versions/1", modelUri=uri, isArchived=False)
    assert len(azure.shown(f"{path}/versions")["value"]) == 1


def test_data_has_nothing_where_others_have_empty_objects(azure):
    made = asset(azure, "data/iris/versions/2", dataUri="https://example.org/iris.csv", dataType="uri_file").json()
    properties = made["properties"]
    assert (properties["tags"], properties["properties"]) == (None, None)
    assert "lastModifiedBy" not in made["systemData"]
    container = azure.shown(f"{WORKSPACE}/data/iris")
    assert (container["properties"]["tags"], container["properties"]["dataType"]) == (None, "uri_file")
    assert (container["properties"]["latestVersion"], container["properties"]["nextVersion"]) == ("2", "3")


def test_code_is_found_by_its_hash_and_missing_things_in_the_services_words(azure):
    uri = f"{azure.https}/stacc1/azureml/x"
    asset(azure, "codes/hashed/versions/1", codeUri=uri, properties={"hash_sha256": "abc", "hash_version": "202208"})
    path = f"{WORKSPACE}/codes/elsewhere/versions"
    found = azure.call("GET", path, None, NEW, hash="abc", hashVersion="202208").json()
    assert [item["id"] for item in found["value"]] == [f"{WORKSPACE}/codes/hashed/versions/1"]
    assert azure.call("GET", path, None, NEW, hash="def", hashVersion="202208").json() == {"value": []}
    missing = azure.call("GET", f"{WORKSPACE}/models/none/versions", None, NEW, **{"$top": "1"})
    error = missing.json()["error"]
    assert (missing.status_code, error["code"]) == (404, "UserError")
    assert error["message"] == "The specified resource was not found."
    detail = error["details"][0]
    assert (detail["code"], detail["message"]) == ("ModelNotFound", "Model container with name: none not found.")
    for path, words in {
        "environments/none": "No environment exists for name: none, version: , label: ",
        "environments/none/versions/4": "No environment exists for name: none, version: 4, label: ",
        "datastores/none": "Could not find datastore: none.",
    }.items():
        answer = azure.get(f"{WORKSPACE}/{path}")
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["message"]) == (404, "UserError", words)


# Batch


def test_a_batch_endpoint_is_shown_by_its_versions(azure):
    path = f"{WORKSPACE}/batchEndpoints/batch-one"
    body = HERE | {"tags": {"t": "v"}, "properties": {"authMode": "aadToken", "description": "funny"}}
    made = azure.done("PUT", path, body, FIRST)
    assert (made.status_code, made.json()["properties"]["scoringUri"], "kind" in made.json()) == (201, None, False)
    bag = made.json()["properties"]["properties"]
    assert bag["azureml.onlineendpointid"] == path.lower().replace("batchendpoints", "onlineendpoints")
    assert bag["BatchEndpointCreationApiVersion"] == FIRST
    assert made.json()["identity"]["type"] == "None"
    changed = azure.done("PUT", path, body | {"properties": {"authMode": "aadToken", "description": "other"}}, FIRST)
    assert (changed.status_code, "Azure-AsyncOperation" in changed.headers) == (200, False)
    assert azure.done("PUT", path, HERE | {"properties": {"defaults": {}}}, FIRST).status_code == 201
    shown = azure.shown(path.replace("batch-one", "BATCH-ONE"), FIRST)
    assert (shown["properties"]["description"], shown["properties"]["authMode"]) == ("funny", "AADToken")
    other = f"{WORKSPACE}/batchEndpoints/batch-two"
    newer = azure.done("PUT", other, body, NEW).json()
    assert newer["properties"]["properties"]["azureml.onlineendpointid"] == other
    assert not {"identity", "kind"} & set(newer)


@pytest.mark.proves("batchEndpoints", refuses=["properties.authMode"])
def test_a_batch_endpoint_with_keys_is_accepted_and_fails(azure):
    path = f"{WORKSPACE}/batchEndpoints/batch-keys"
    made = azure.call("PUT", path, HERE | {"properties": {"authMode": "Key"}}, FIRST)
    assert (made.status_code, made.json()["properties"]["authMode"]) == (201, "Key")
    poll = azure.wait(made).json()
    assert (poll["status"], "code" in poll["error"]) == ("Failed", False)
    assert poll["error"]["message"].startswith("InternalServerError: Internal error.")
    assert azure.shown(path, FIRST)["properties"]["provisioningState"] == "Failed"


def test_a_batch_deployment_shows_what_its_version_had(azure):
    path = f"{WORKSPACE}/batchEndpoints/batch-three"
    azure.done("PUT", path, HERE | {"properties": {"authMode": "aadToken"}}, NEW)
    sent = {"loggingLevel": "info", "resources": {"instanceCount": 1, "properties": {}}}
    made = azure.done("PUT", f"{path}/deployments/dep1", HERE | {"properties": sent}, NEW).json()["properties"]
    assert (made["provisioningState"], made["loggingLevel"], made["deploymentConfiguration"]) == (
        "Creating",
        "Info",
        None,
    )
    assert made["resources"] == {"instanceCount": 1, "instanceType": None, "properties": None}
    preview = azure.shown(f"{path}/deployments/dep1", "2024-01-01-preview")["properties"]
    assert {"maxInstanceCount", "locations"} <= set(preview["resources"])
    gone = azure.done("DELETE", f"{path}/deployments/dep1", None, NEW)
    assert (gone.status_code, gone.text) == (202, "")


def test_the_older_batch_service_names_an_operation_in_two_ways(azure):
    path = f"{WORKSPACE}/batchEndpoints/batch-four"
    azure.done("PUT", path, HERE | {"properties": {"authMode": "aadToken"}}, FIRST)
    first, changed = (azure.done("PUT", f"{path}/deployments/dep1", HERE | {"properties": {}}, FIRST) for _ in range(2))
    states = [answer.json()["properties"]["provisioningState"] for answer in (first, changed)]
    assert ([first.status_code, changed.status_code], states) == ([201, 201], ["Updating", "Succeeded"])
    named = changed.json()["properties"]["properties"]["AzureAsyncOperationUri"]
    assert "/bd:" in changed.headers["Azure-AsyncOperation"]
    assert named == changed.headers["Azure-AsyncOperation"].replace("/bd:", "/be:")


def test_batch_endpoints_are_listed_newest_first_by_the_older_service_only(azure):
    path = f"{ML}/lists"
    azure.done("PUT", path, HERE | SYSTEM | {"properties": REFERENCES})
    for name in ("batch-a", "batch-b"):
        azure.done("PUT", f"{path}/batchEndpoints/{name}", HERE | {"properties": {"authMode": "aadToken"}})
    names = {v: [item["name"] for item in azure.shown(f"{path}/batchEndpoints", v)["value"]] for v in (FIRST, NEW)}
    assert names == {FIRST: ["batch-b", "batch-a"], NEW: ["batch-a", "batch-b"]}


def test_the_discovery_names_the_services_that_were_recorded(azure):
    found = azure.get("/discovery").json()
    assert {"api", "catalog", "history", "modelmanagement", "pipelines", "studio"} < set(found)
    assert set(found.values()) == {azure.https}


def test_an_absent_conda_file_can_be_sent_back(azure):
    """As azure-ai-ml does when it archives an environment that is an image."""
    asset(azure, "environments/image/versions/1", NEW, image="mcr/base")
    again = asset(azure, "environments/image/versions/1", NEW, image="mcr/base", condaFile="''\n", isArchived=True)
    assert (again.status_code, again.json()["properties"]["condaFile"]) == (201, "")
    assert azure.shown(f"{WORKSPACE}/environments/image/versions") == {"value": []}

"""Online endpoints: the recorded protocol, the merge of an update, rules for weights, keys and tokens, deletion."""

import json

import pytest

from localazure import identity
from localazure.arm.machine_learning_api import ServiceVersion
from tests.localazure.arm.conftest import BLUE, ENDPOINT, VAULT, WORKSPACE


@pytest.fixture
def workspace(arm):
    arm.make_workspace()
    return arm


@pytest.fixture
def serving(arm):
    arm.make_serving_endpoint()
    return arm


def body(**properties):
    return {"location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": properties}


@pytest.mark.proves("switches", honours=["--service"])
def test_creating_answers_201_with_the_recorded_headers_and_body(arm_with):
    # Recorded in 2025 with this api-version: the newer service, complete answers.
    workspace = arm_with(service=ServiceVersion.NEWER)
    workspace.make_workspace()
    sent = body(authMode="Key", description="some description")
    answer = workspace.put(ENDPOINT, sent, version="2022-02-01-preview")
    assert answer.status == 201
    assert answer.headers["x-ms-async-operation-timeout"] == "PT30M"
    assert answer.headers["Location"] == f"https://localhost:1{ENDPOINT}?api-version=2022-02-01-preview"
    status_url = answer.headers["Azure-AsyncOperation"]
    assert f"{workspace.plane.base_url}/subscriptions/{identity.SUBSCRIPTION_ID}/providers/" in status_url
    assert "/locations/westeurope/mfeOperationsStatus/oeidp:" in status_url
    shown = answer.properties
    assert shown["provisioningState"] == "Creating"
    assert shown["scoringUri"] is None
    assert (shown["traffic"], shown["mirrorTraffic"], shown["publicNetworkAccess"]) == ({}, {}, "Enabled")
    assert shown["properties"]["azureml.onlineendpointid"] == ENDPOINT.lower()
    assert status_url.startswith(shown["properties"]["AzureAsyncOperationUri"])
    assert answer.body["kind"] == "Managed"
    assert set(answer.body["identity"]) == {"type", "principalId", "tenantId"}
    assert list(answer.body)[:4] == ["id", "name", "type", "properties"]


def test_since_2024_the_answer_to_a_create_lacks_what_is_not_known_yet(workspace):
    answer = workspace.put_endpoint()
    assert answer.body["systemData"] == {}
    assert not {"location", "identity"} & set(answer.body)
    assert list(answer.properties["properties"]) == ["AzureAsyncOperationUri"]
    status_url = answer.headers["Azure-AsyncOperation"]
    assert "/mfeOperationsStatus/oeidp:" in status_url
    assert all(f"&{part}=" in status_url for part in "tcsh")
    shown = workspace.get(ENDPOINT)
    assert shown.properties["properties"]["azureml.onlineendpointid"] == ENDPOINT.lower()
    assert {"location", "identity"} <= set(shown.body)


def test_the_service_of_2022_answers_its_api_versions_in_its_own_way(workspace):
    answer = workspace.request("PUT", ENDPOINT, body(authMode="Key"), version="2022-02-01-preview")
    status_url = answer.headers["Azure-AsyncOperation"]
    assert "/mfeOperationsStatus/oe:" in status_url
    assert "&t=" not in status_url
    workspace.settle()
    poll = workspace.poll(answer)
    assert list(poll.body) == ["id", "name", "startTime", "endTime", "percentComplete", "status"]
    assert poll.body["percentComplete"] == 100.0
    shown = workspace.get(ENDPOINT, version="2022-05-01")
    assert not {"mirrorTraffic", "publicNetworkAccess"} & set(shown.properties)


def test_the_endpoint_is_ready_when_its_operation_has_ended(workspace):
    answer = workspace.put_endpoint()
    poll = workspace.poll(answer)
    assert (poll.status, poll.body["status"], poll.body["percentComplete"]) == (200, "Succeeded", 0.0)
    assert list(poll.body) == ["id", "name", "status", "startTime", "endTime", "percentComplete"]
    shown = workspace.get(ENDPOINT)
    assert shown.properties["provisioningState"] == "Succeeded"
    assert shown.properties["scoringUri"] == "https://localhost:1/endpoints/fraud-dev/score"
    assert workspace.scoring.routing["fraud-dev"].traffic == {}


@pytest.mark.proves("onlineEndpoints", honours=["properties.traffic"])
def test_an_update_answers_with_the_old_state_and_applies_at_the_end(serving):
    before = serving.get(ENDPOINT)
    answer = serving.put_endpoint(traffic={"green": 100})
    assert answer.status == 201
    assert answer.properties["provisioningState"] == "Updating"
    assert answer.properties["traffic"] == {"blue": 90, "green": 10}
    after = serving.get(ENDPOINT)
    assert after.properties["traffic"] == {"green": 100}
    assert after.body["systemData"]["lastModifiedAt"] > before.body["systemData"]["lastModifiedAt"]
    assert serving.scoring.routing["fraud-dev"].traffic == {"green": 100}


@pytest.mark.proves("onlineEndpoints", honours=["properties.description", "properties.publicNetworkAccess", "tags"])
def test_an_update_merges(workspace):
    workspace.put(
        ENDPOINT, body(authMode="Key", description="kept", publicNetworkAccess="disabled") | {"tags": {"a": "b"}}
    )
    workspace.put(ENDPOINT, body(authMode="AMLToken", traffic={}) | {"tags": {"c": "d"}})
    shown = workspace.get(ENDPOINT)
    assert shown.properties["description"] == "kept"
    assert shown.properties["authMode"] == "Key"
    assert shown.properties["publicNetworkAccess"] == "Disabled"
    assert shown.body["tags"] == {"c": "d"}


@pytest.mark.proves("onlineEndpoints", honours=["properties.traffic"])
def test_omitted_traffic_resets_the_weights(serving):
    serving.put_endpoint()
    assert serving.get(ENDPOINT).properties["traffic"] == {}
    assert serving.scoring.routing["fraud-dev"].traffic == {}


@pytest.mark.proves("switches", honours=["--keep-omitted-traffic"])
def test_omitted_traffic_is_kept_when_asked_for(arm_with):
    arm = arm_with(keep_omitted_traffic=True)
    arm.make_serving_endpoint()
    arm.put_endpoint(description="x")
    assert arm.get(ENDPOINT).properties["traffic"] == {"blue": 90, "green": 10}


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        ({"traffic": {"blue": 95}}, "must sum to 0 or 100 percent, got 95"),
        ({"traffic": {"blue": 101}}, "whole percent from 0 to 100, got 101"),
        ({"traffic": {"blue": -1, "green": 101}}, "got -1"),
        ({"traffic": {"blue": 33.5, "green": 66.5}}, "got 33.5"),
        ({"traffic": {"blue": "all"}}, "got 'all'"),
        ({"traffic": {"blue": True}}, "got True"),
        ({"traffic": {"blue": 90, "amber": 10}}, "do not exist: amber"),
        ({"traffic": [100]}, "must be an object"),
        ({"traffic": {"blue": 100}, "mirrorTraffic": {"green": 51}}, "at most 50 percent, got 51"),
        ({"traffic": {"blue": 100}, "mirrorTraffic": {"blue": 10}}, "both live and mirrored traffic"),
        ({"traffic": {}, "mirrorTraffic": {"blue": 10, "green": 10}}, "must go to one deployment"),
    ],
)
@pytest.mark.proves("onlineEndpoints", refuses=["properties.traffic", "properties.mirrorTraffic"])
def test_bad_weights_are_refused_and_change_nothing(serving, weights, text):
    answer = serving.put_endpoint(**weights)
    assert answer.status == 400
    assert text in answer.error["message"]
    shown = serving.get(ENDPOINT).properties
    assert (shown["traffic"], shown["provisioningState"]) == ({"blue": 90, "green": 10}, "Succeeded")


def test_all_broken_rules_are_named_at_once(serving):
    message = serving.put_endpoint(traffic={"amber": 60}, mirrorTraffic={"green": 60}).error["message"]
    assert all(part in message for part in ("do not exist: amber", "sum to 0 or 100", "at most 50"))


def test_numbers_that_came_as_doubles_are_whole_percents(serving):
    serving.put_endpoint(traffic={"blue": 50.0, "green": 50.0})
    assert serving.get(ENDPOINT).text.count('"blue": 50,') == 1


def test_weights_at_creation_name_no_deployment(workspace):
    assert "do not exist: blue" in workspace.put_endpoint(traffic={"blue": 100}).error["message"]
    assert workspace.get(ENDPOINT).status == 404


@pytest.mark.proves("onlineEndpoints", honours=["properties.mirrorTraffic"])
def test_mirroring_reaches_the_data_plane(serving):
    serving.put_endpoint(traffic={"blue": 100}, mirrorTraffic={"green": 20})
    routing = serving.scoring.routing["fraud-dev"]
    assert (routing.traffic, routing.mirror) == ({"blue": 100}, {"green": 20})


@pytest.mark.parametrize("name", ["ab", "x" * 33, "1abc", "a--b", "a_b", "abc-"])
@pytest.mark.proves("onlineEndpoints", refuses=["name"])
def test_a_bad_name_is_refused(workspace, name):
    answer = workspace.put_endpoint(f"{WORKSPACE}/onlineEndpoints/{name}")
    assert (answer.status, answer.code) == (400, "BadRequest")


@pytest.mark.proves("onlineEndpoints", refuses=["name"])
def test_a_name_is_unique_beyond_its_workspace(workspace):
    workspace.put_endpoint()
    other = WORKSPACE.replace("ws1", "ws2")
    source = workspace.get(WORKSPACE).properties
    references = {key: source[key] for key in ("storageAccount", "keyVault", "applicationInsights")}
    sent = {"location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": references}
    assert workspace.put(other, sent).status == 202
    answer = workspace.put_endpoint(f"{other}/onlineEndpoints/FRAUD-dev")
    assert answer.code == "BadRequest"
    details = json.loads(answer.error["details"][0]["message"])
    assert details["errors"][""][0].startswith("There is already an endpoint with this name")


@pytest.mark.proves("switches", honours=["--taken-endpoint-name"])
@pytest.mark.parametrize("name", ["fraud-prod", "Fraud-Prod"])
def test_an_endpoint_of_another_customer_can_have_the_name(arm_with, name):
    arm = arm_with(taken_endpoint_names=frozenset({"fraud-prod"}))
    arm.make_workspace()
    taken = ENDPOINT.replace("fraud-dev", name)
    refused = arm.put_endpoint(taken)
    assert (refused.status, refused.code) == (400, "BadRequest")
    details = json.loads(refused.error["details"][0]["message"])
    assert details["errors"][""] == [
        "There is already an endpoint with this name, Endpoint name needs to be unique within a region. "
        "Try some other name."
    ]
    assert arm.get(taken).code == "ResourceNotFound"
    assert arm.put_endpoint().status == 201


@pytest.mark.proves("onlineEndpoints", honours=["properties.compute"], refuses=["properties.compute"])
def test_kubernetes_endpoints_need_their_compute_and_their_kind_shows_it(workspace):
    compute = f"{WORKSPACE}/computes/k8s"
    assert "does not exist" in workspace.put_endpoint(compute=compute).error["message"]
    workspace.put(compute, {"location": "westeurope", "properties": {"computeType": "Kubernetes"}})
    assert workspace.put_endpoint(compute=compute).body["kind"] == "K8S"
    assert workspace.get(ENDPOINT).properties["compute"] == compute


@pytest.mark.proves("onlineEndpoints", refuses=["properties.authMode"])
def test_an_unknown_auth_mode_is_refused(workspace):
    assert "authMode" in workspace.put_endpoint(authMode="Basic").error["message"]


@pytest.mark.proves(
    "KeyVault/vaults", honours=["properties.networkAcls.bypass", "properties.networkAcls.defaultAction"]
)
@pytest.mark.proves("MachineLearningServices/workspaces", honours=["properties.keyVault"])
def test_key_auth_needs_a_vault_that_lets_azure_in(workspace):
    rules = {"bypass": "None", "defaultAction": "Deny"}
    vault = {"tenantId": identity.TENANT_ID, "sku": {"family": "A", "name": "standard"}, "networkAcls": rules}
    workspace.put(VAULT, {"location": "westeurope", "properties": vault})
    answer = workspace.put_endpoint()
    assert answer.status == 201
    poll = workspace.poll(answer)
    assert poll.body["status"] == "Failed"
    assert "bypass AzureServices" in poll.body["error"]["message"]
    assert workspace.get(ENDPOINT).properties["provisioningState"] == "Failed"
    assert "has not been created successfully" in workspace.put_deployment().text


@pytest.mark.proves("onlineEndpoints", honours=["regenerateKeys/keyType"])
def test_keys_can_be_read_and_renewed(serving):
    before = serving.post(f"{ENDPOINT}/listKeys").body
    answer = serving.post(f"{ENDPOINT}/regenerateKeys", {"keyType": "Primary", "keyValue": before["primaryKey"]})
    assert (answer.status, answer.text) == (202, "null")
    assert "Azure-AsyncOperation" not in answer.headers
    assert answer.headers["Retry-After"] == "1"
    result = serving.poll(answer, "Location")
    assert (result.status, result.body["status"]) == (200, "Succeeded")
    after = serving.post(f"{ENDPOINT}/listKeys").body
    assert after["primaryKey"] != before["primaryKey"]
    assert after["secondaryKey"] == before["secondaryKey"]
    assert serving.scoring.routing["fraud-dev"].primary_key == after["primaryKey"]


def test_an_unknown_operation_is_the_recorded_404(serving):
    path = f"/subscriptions/{identity.SUBSCRIPTION_ID}/providers/Microsoft.MachineLearningServices/locations/westeurope"
    answer = serving.get(f"{path}/mfeOperationResults/oeidp:a:b")
    assert answer.status == 404
    assert answer.error["details"][0]["code"] == "OperationNotFound"


@pytest.mark.proves("onlineEndpoints", honours=["properties.authMode"])
def test_tokens_are_signed_for_one_endpoint(workspace):
    workspace.put_endpoint(authMode="AMLToken")
    assert workspace.post(f"{ENDPOINT}/listKeys").body == {"primaryKey": None, "secondaryKey": None}
    token = workspace.post(f"{ENDPOINT}/token").body
    key = workspace.scoring.routing["fraud-dev"].primary_key
    claims = identity.decode_token(token["accessToken"], key, workspace.now)
    assert claims["endpointName"] == "fraud-dev"
    assert token["expiryTimeUtc"] - token["refreshAfterTimeUtc"] == 12 * 3600
    assert identity.decode_token(token["accessToken"], "other", workspace.now) is None
    assert identity.decode_token(token["accessToken"], key, workspace.now + 25 * 3600) is None
    accepts = workspace.scoring.routing["fraud-dev"].accepts_token
    assert accepts(token["accessToken"])
    assert not accepts(token["accessToken"][:-2])
    workspace.now += 25 * 3600
    assert not accepts(token["accessToken"])


@pytest.mark.proves("onlineEndpoints", honours=["properties.authMode"])
def test_entra_tokens_open_their_endpoint_when_meant_for_the_service(workspace):
    workspace.put_endpoint(authMode="AADToken")
    accepts = workspace.scoring.routing["fraud-dev"].accepts_token
    plane = workspace.plane
    tokens = [
        identity.caller_token(audience, plane.base_url, plane.token_secret, workspace.now)
        for audience in ("https://ml.azure.com", "https://storage.azure.com")
    ]
    assert [accepts(token) for token in tokens] == [True, False]
    assert not accepts("not.a.token")


def test_tags_can_be_patched(serving):
    answer = serving.request("PATCH", ENDPOINT, {"tags": {"key": "value"}})
    assert (answer.status, answer.text) == (202, "null")
    serving.settle()
    shown = serving.get(ENDPOINT)
    assert shown.body["tags"] == {"key": "value"}
    assert shown.properties["traffic"] == {"blue": 90, "green": 10}
    assert serving.request("PATCH", ENDPOINT, {"properties": {"traffic": {}}}).code == "NotEmulated"


def test_deleting_takes_the_deployments_along_whatever_their_weights(serving):
    answer = serving.delete(ENDPOINT)
    assert (answer.status, answer.text) == (202, "null")
    assert serving.poll(answer).body["status"] == "Succeeded"
    assert serving.poll(answer, "Location").status == 200
    assert serving.get(ENDPOINT).code == "ResourceNotFound"
    assert serving.get(BLUE).status == 404
    assert serving.scoring.deployed == {}
    assert serving.scoring.routing == {}


def test_lists_are_newest_first_without_next_link(serving):
    answer = serving.get(f"{ENDPOINT}/deployments")
    assert set(answer.body) == {"value"}
    assert [item["name"] for item in answer.body["value"]] == ["green", "blue"]

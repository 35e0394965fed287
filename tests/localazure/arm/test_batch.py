"""Batch endpoints, their deployments and jobs: the recorded protocol, defaults, invoking, what jobs say."""

import json

import pytest
from aiohttp.streams import StreamReader
from aiohttp.test_utils import make_mocked_request

from localazure import identity
from localazure.arm.batch_service import BatchService
from localazure.arm.timing import FAST

GROUP = f"/subscriptions/{identity.SUBSCRIPTION_ID}/resourceGroups/rg1"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/ws1"
ENDPOINT = f"{WORKSPACE}/batchEndpoints/nightly"
FIRST = f"{ENDPOINT}/deployments/first"
ROWS = {"rows": {"uri": "https://example.org/rows", "jobInputType": "UriFolder"}}


def body(**properties):
    return {"location": "westeurope", "properties": properties}


@pytest.fixture
def endpoint(arm):
    arm.make_workspace()
    arm.put(ENDPOINT, body(authMode="aadToken", description="d"))
    return arm


@pytest.fixture
def served(endpoint):
    endpoint.put(FIRST, body(loggingLevel="info", retrySettings={"maxRetries": 2}))
    endpoint.put(ENDPOINT, body(defaults={"deploymentName": "first"}))
    return endpoint


def call(arm, method, path, sent=None, **headers):
    """One request to the data plane, past its sockets."""
    handlers = {route.path: route.handler for route in BatchService(arm.plane).routes()}
    if path.startswith("/mferp"):
        handler, match = handlers["/mferp/managementfrontend/{path:.*}"], {"path": path.split("/", 3)[3]}
    else:
        handler, match = handlers["/endpoints/{endpoint}/jobs"], {"endpoint": path.split("/")[2]}
    token = identity.caller_token("https://ml.azure.com", "https://localhost:1", arm.plane.token_secret, arm.now)
    sent_headers = {"Authorization": f"Bearer {token}"} | {key.replace("_", "-"): text for key, text in headers.items()}

    async def run():
        from unittest import mock

        payload = StreamReader(mock.Mock(_reading_paused=False), limit=1 << 20, loop=arm.loop)
        payload.feed_data(json.dumps(sent).encode())
        payload.feed_eof()
        http = make_mocked_request(
            method, path, headers=sent_headers, payload=payload, app=mock.Mock(), match_info=match
        )
        return await handler(http)

    response = arm.loop.run_until_complete(run())
    return response.status, json.loads(response.text), response.headers


def invoke(arm, **properties):
    return call(arm, "POST", "/endpoints/nightly/jobs", {"properties": {"inputData": ROWS} | properties})


def test_an_endpoint_is_made_with_the_recorded_protocol(arm):
    arm.make_workspace()
    answer = arm.put(ENDPOINT, body(authMode="aadToken", properties={"p": "v"}), version="2023-10-01")
    assert answer.status == 201
    assert "/mfeOperationsStatus/bebes:" in answer.headers["Azure-AsyncOperation"]
    assert answer.headers["Retry-After"] == "1"  # clients of batch endpoints read a whole number
    assert list(arm.poll(answer).body) == ["id", "name", "status"]
    shown = arm.get(ENDPOINT, version="2023-10-01").properties
    assert (shown["authMode"], shown["provisioningState"]) == ("AADToken", "Succeeded")
    assert shown["scoringUri"] == "https://localhost:1/endpoints/nightly/jobs"
    assert shown["properties"]["BatchEndpointCreationApiVersion"] == "2023-10-01"
    assert "AzureAsyncOperationUri" not in shown["properties"]


@pytest.mark.proves("batchEndpoints", honours=["tags"])
def test_an_update_of_tags_alone_needs_no_operation_while_there_are_no_deployments(endpoint):
    answer = endpoint.put(ENDPOINT, body(description="other") | {"tags": {"a": "b"}})
    assert (answer.status, "Azure-AsyncOperation" in answer.headers) == (200, False)
    assert (answer.body["tags"], answer.properties["description"]) == ({"a": "b"}, "d")
    endpoint.put(FIRST, body())
    assert endpoint.put(ENDPOINT, body()).status == 201


@pytest.mark.proves(
    "batchEndpoints", honours=["properties.defaults.deploymentName"], refuses=["properties.defaults.deploymentName"]
)
def test_the_default_deployment_shows_when_the_operation_has_ended(endpoint):
    assert "does not exist" in endpoint.put(ENDPOINT, body(defaults={"deploymentName": "first"})).error["message"]
    endpoint.put(FIRST, body())
    answer = endpoint.put(ENDPOINT, body(defaults={"deploymentName": "first"}))
    assert answer.properties["defaults"] == {"deploymentName": None}
    assert endpoint.get(ENDPOINT).properties["defaults"] == {"deploymentName": "first"}
    endpoint.delete(FIRST)
    assert endpoint.get(ENDPOINT).properties["defaults"] == {"deploymentName": None}


@pytest.mark.proves(
    "batchEndpoints/deployments",
    refuses=[
        "properties.model.assetId",
        "properties.compute",
        "properties.deploymentConfiguration.deploymentConfigurationType",
    ],
)
def test_a_deployment_has_the_services_defaults_and_needs_what_it_names(endpoint):
    shown = endpoint.put(FIRST, body(loggingLevel="info", resources={"properties": {}}), version="2022-05-01")
    assert (shown.properties["loggingLevel"], shown.properties["errorThreshold"]) == ("Info", -1)
    assert shown.properties["resources"] == {"instanceCount": 1, "instanceType": None, "properties": None}
    assert "deploymentConfiguration" not in shown.properties
    assert endpoint.get(FIRST).properties["deploymentConfiguration"] is None
    model = {"referenceType": "Id", "assetId": f"{WORKSPACE}/models/none/versions/1"}
    assert endpoint.put(FIRST, body(model=model)).code == "ResourceNotFound"
    assert endpoint.put(FIRST, body(compute=f"{WORKSPACE}/computes/none")).status == 400
    pipeline = {"deploymentConfigurationType": "PipelineComponent"}
    assert endpoint.put(FIRST, body(deploymentConfiguration=pipeline)).code == "NotEmulated"


def test_an_invoke_leaves_a_job_whose_status_moves(served):
    status, answer, headers = invoke(served, miniBatchSize=7)
    assert (status, headers["azureml-model-deployment"]) == (201, "first")
    assert answer["properties"]["status"] == "Preparing"
    assert json.loads(answer["properties"]["properties"]["azureml.parameters"])["mini_batch_size"] == "7"
    path = f"{WORKSPACE}/jobs/{answer['name']}"
    assert served.get(path).properties["status"] == "Preparing"
    served.now += FAST.job_seconds[0]
    assert served.get(path).properties["status"] == "Running"
    served.now += FAST.job_seconds[1]
    assert served.get(path).properties["status"] == "Completed"
    assert "runs no batch scoring" in served.get(path).properties["properties"]["localazure.note"]
    assert served.post(f"{path}/cancel").status == 200
    assert served.get(path).properties["status"] == "Completed"


def test_jobs_are_listed_by_the_data_plane_and_by_the_workspace(served):
    names = [invoke(served)[1]["name"] for _ in range(2)]
    for owner in (ENDPOINT, FIRST, ENDPOINT.upper().replace("/BATCHENDPOINTS/", "/batchEndpoints/")):
        _, listed, _ = call(served, "GET", f"/mferp/managementfrontend{owner}/jobs")
        assert [job["name"] for job in listed["value"]] == names[::-1]
    status, job, _ = call(served, "GET", f"/mferp/managementfrontend{ENDPOINT}/jobs/{names[0]}")
    assert (status, job["name"]) == (200, names[0])
    assert [job["name"] for job in served.get(f"{WORKSPACE}/jobs").body["value"]] == names[::-1]
    assert served.put(f"{WORKSPACE}/jobs/mine", body()).code == "NotEmulated"


def test_what_cannot_be_invoked_says_why(served):
    assert call(served, "POST", "/endpoints/none/jobs", {"properties": {}})[0] == 404
    headers = {"azureml_model_deployment": "none"}
    assert call(served, "POST", "/endpoints/nightly/jobs", {"properties": {}}, **headers)[0] == 404
    assert call(served, "POST", "/endpoints/nightly/jobs", [])[0] == 400
    assert call(served, "POST", "/endpoints/nightly/jobs", {"properties": {"inputData": {"a": 1}}})[0] == 400
    assert call(served, "POST", "/endpoints/nightly/jobs", {"properties": {}}, Authorization="Bearer x")[0] == 401
    datastore = f"{WORKSPACE}/datastores/none"
    status, answer, _ = invoke(served, outputDataset={"datastoreId": datastore})
    assert (status, answer["error"]["message"]) == (404, "Could not find datastore: none.")


def test_deleting_the_endpoint_takes_its_deployments_and_keeps_the_jobs(served):
    name = invoke(served)[1]["name"]
    assert served.delete(ENDPOINT).status == 202
    assert served.get(FIRST).status == 404
    assert served.get(f"{WORKSPACE}/jobs/{name}").status == 200

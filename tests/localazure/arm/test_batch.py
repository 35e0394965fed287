"""Batch endpoints, their deployments and jobs: the recorded protocol, defaults, invoking, what jobs say."""

import asyncio
import json

import pytest
from aiohttp.streams import StreamReader
from aiohttp.test_utils import make_mocked_request

from localazure import identity
from localazure.arm.batch_service import BatchService
from localazure.scoring.specification import DeploymentFailed
from tests.localazure.arm.conftest import IDENTITY, WORKSPACE
from tests.waiting import wait_until

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
    elif path.startswith("/history"):
        handler, match = handlers["/history/v1.0/{path:.*}"], {"path": path.split("/", 3)[3]}
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


@pytest.mark.proves("batchEndpoints", refuses=["identity"])
@pytest.mark.parametrize("asked", ["UserAssigned", "SystemAssigned, UserAssigned", "SystemAssigned,UserAssigned"])
def test_a_user_assigned_identity_is_refused(arm, asked):
    arm.make_workspace()
    arm.put(IDENTITY, {"location": "westeurope"})
    identities = {"type": asked, "userAssignedIdentities": {IDENTITY: {}}}
    refused = arm.put(ENDPOINT, body() | {"identity": identities})
    assert (refused.status, refused.code) == (400, "CannotSetResourceIdentity")
    assert refused.error["message"] == (
        "Resource type 'Microsoft.MachineLearningServices/workspaces/batchEndpoints' does not support creation of "
        f"'{asked.replace(',', ', ').replace('  ', ' ')}' resource identity. The supported types are 'SystemAssigned'."
    )
    assert arm.get(ENDPOINT).status == 404
    assert arm.put(ENDPOINT, body() | {"identity": {"type": "SystemAssigned"}}).status == 201


@pytest.mark.proves("batchEndpoints", refuses=["name"])
def test_a_name_that_another_endpoint_has_is_refused(arm_with):
    arm = arm_with(taken_endpoint_names=frozenset({"nightly"}))
    arm.make_workspace()
    refused = arm.put(ENDPOINT, body())
    assert (refused.status, refused.code) == (400, "UserError")
    assert refused.error["message"].startswith("The specified endpoint name 'nightly' is not available.")
    assert arm.get(ENDPOINT).status == 404


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


def files(arm, path, text="x"):
    """A blob without HTTP."""
    arm.plane.blobs.create_container("stacc1", "given", exist_ok=True)
    file = arm.plane.blobs.path("stacc1", "given", path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return f"https://localhost:1/stacc1/given/{path}"


@pytest.fixture
def runnable(served):
    """A deployment with all that its script needs, and an input of two files."""
    assets = {
        "codes/c": {"codeUri": files(served, "code/score.py").rpartition("/")[0]},
        "models/m": {"modelUri": files(served, "model/weights.bin").rpartition("/")[0]},
        "environments/e": {"condaFile": "dependencies:\n- python\n", "image": "mcr/base"},
        "data/d": {"dataUri": files(served, "rows/1.csv").rpartition("/")[0], "dataType": "uri_folder"},
    }
    files(served, "rows/2.csv")
    for path, properties in assets.items():
        assert served.put(f"{WORKSPACE}/{path}/versions/1", {"properties": properties}).status == 201
    deployment = {
        "codeConfiguration": {"codeId": f"{WORKSPACE}/codes/c/versions/1", "scoringScript": "score.py"},
        "model": {"referenceType": "Id", "assetId": f"{WORKSPACE}/models/m/versions/1"},
        "environmentId": f"{WORKSPACE}/environments/e/versions/1",
        "maxConcurrencyPerInstance": 2,
        "resources": {"instanceCount": 3},
    }
    assert served.put(FIRST, body(**deployment)).status == 201
    return served


DATA = {"rows": {"uri": f"{WORKSPACE}/data/d/versions/1", "jobInputType": "UriFolder"}}


def job_of(arm, name):
    return arm.get(f"{WORKSPACE}/jobs/{name}").properties


@pytest.mark.proves(
    "batchEndpoints/deployments",
    honours=[
        "properties.codeConfiguration.codeId",
        "properties.environmentId",
        "properties.maxConcurrencyPerInstance",
        "properties.model.assetId",
    ],
)
def test_an_invoked_job_runs_and_reports_its_outcome(runnable):
    runnable.batch.gate = asyncio.Event()
    status, answer, headers = invoke(runnable, inputData=DATA, miniBatchSize=7, outputFileName="out.csv")
    assert (status, headers["azureml-model-deployment"]) == (201, "first")
    assert answer["properties"]["status"] == "Preparing"
    assert json.loads(answer["properties"]["properties"]["azureml.parameters"])["mini_batch_size"] == "7"
    runnable.settle()
    assert job_of(runnable, answer["name"])["status"] == "Running"
    [spec] = runnable.batch.jobs
    assert [path.name for path in spec.inputs] == ["1.csv", "2.csv"]
    assert (spec.code_folder / spec.scoring_script).read_text() == "x"
    assert (spec.mini_batch_size, spec.workers, spec.output_file_name) == (7, 6, "out.csv")
    assert (spec.conda_file, spec.model.name) == ("dependencies:\n- python\n", "model")
    runnable.batch.gate.set()
    wait_for_job(runnable, answer["name"])
    shown = job_of(runnable, answer["name"])
    assert (shown["status"], shown["jobType"], shown["experimentName"]) == ("Completed", "Pipeline", "nightly")
    assert shown["description"] == "Pipeline submission for endpoint: nightly, deployment: first."
    assert (shown["inputs"], shown["outputs"], shown["jobs"], shown["computeId"]) == (None, None, None, None)
    assert shown["services"]["Tracking"]["jobServiceType"] == "Tracking"
    assert set(runnable.get(f"{WORKSPACE}/jobs/{answer['name']}").body["systemData"]) == {
        *("createdAt", "createdBy", "createdByType")
    }
    place = f"azureml/{answer['name']}/score"
    assert shown["properties"]["localazure.output"] == f"azureml://datastores/workspaceblobstore/paths/{place}"
    container = runnable.get(f"{WORKSPACE}/datastores/workspaceblobstore").properties["containerName"]
    assert runnable.plane.blobs.path("stacc1", container, f"{place}/out.csv").read_text() == "1.csv\n2.csv\n"
    assert runnable.plane.blobs.properties("stacc1", container, f"{place}/out.csv")["size"] == 12
    assert runnable.post(f"{WORKSPACE}/jobs/{answer['name']}/cancel").status == 200
    assert job_of(runnable, answer["name"])["status"] == "Completed"


def wait_for_job(arm, name):
    def has_ended():
        arm.loop.run_until_complete(asyncio.sleep(0.005))
        return job_of(arm, name)["status"] in ("Completed", "Failed", "Canceled")

    wait_until(has_ended, "the job does not end")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"inputData": ROWS}, "NotEmulated: The local Azure cannot read https://example.org/rows."),
        ({"inputData": {}}, "UserError: The job has no input files."),
        ({"inputData": DATA, "miniBatchSize": 0}, "UserError: miniBatchSize must be"),
        ({"inputData": DATA, "outputFileName": "../x"}, "UserError: outputFileName must be"),
    ],
)
def test_a_job_that_cannot_run_fails_with_a_reason(runnable, asked, why):
    name = invoke(runnable, **asked)[1]["name"]
    wait_for_job(runnable, name)
    shown = job_of(runnable, name)
    assert shown["status"] == "Failed"
    assert shown["properties"]["localazure.error"].startswith(why)
    assert runnable.batch.jobs == []


def test_a_deployment_without_a_script_pretends_nothing(served):
    name = invoke(served)[1]["name"]
    wait_for_job(served, name)
    assert job_of(served, name)["status"] == "Failed"


def test_a_script_that_fails_fails_the_job(runnable):
    runnable.batch.failure = DeploymentFailed("UserError", "3 inputs failed")
    name = invoke(runnable, inputData=DATA)[1]["name"]
    wait_for_job(runnable, name)
    assert job_of(runnable, name)["properties"]["localazure.error"] == "UserError: 3 inputs failed"


def test_output_goes_where_it_is_asked_to(runnable):
    output = {"datastoreId": f"{WORKSPACE}/datastores/workspaceartifactstore", "path": "/mine/"}
    name = invoke(runnable, inputData=DATA, outputDataset=output)[1]["name"]
    wait_for_job(runnable, name)
    assert runnable.plane.blobs.path("stacc1", "azureml", "mine/predictions.csv").exists()


def test_a_canceled_job_ends_and_an_unfinished_one_begins_again_after_a_restart(runnable):
    runnable.batch.gate = asyncio.Event()
    names = [invoke(runnable, inputData=DATA)[1]["name"] for _ in range(2)]
    runnable.settle()
    assert runnable.post(f"{WORKSPACE}/jobs/{names[0]}/cancel").status == 200
    assert job_of(runnable, names[0])["status"] == "Canceled"
    runnable.restart()
    wait_for_job(runnable, names[1])
    assert [job_of(runnable, name)["status"] for name in names] == ["Canceled", "Completed"]


def test_jobs_are_listed_by_the_data_plane_and_by_the_workspace(served):
    names = [invoke(served)[1]["name"] for _ in range(2)]
    for owner in (ENDPOINT, FIRST, ENDPOINT.upper().replace("/BATCHENDPOINTS/", "/batchEndpoints/")):
        _, listed, _ = call(served, "GET", f"/mferp/managementfrontend{owner}/jobs")
        assert [job["name"] for job in listed["value"]] == names[::-1]
    status, job, _ = call(served, "GET", f"/mferp/managementfrontend{ENDPOINT}/jobs/{names[0]}")
    assert (status, job["name"]) == (200, names[0])
    assert [job["name"] for job in served.get(f"{WORKSPACE}/jobs").body["value"]] == names[::-1]
    assert served.put(f"{WORKSPACE}/jobs/mine", body()).code == "NotEmulated"


def test_what_cannot_be_invoked_is_refused_with_the_reason(served):
    assert call(served, "POST", "/endpoints/none/jobs", {"properties": {}})[0] == 404
    headers = {"azureml_model_deployment": "none"}
    assert call(served, "POST", "/endpoints/nightly/jobs", {"properties": {}}, **headers)[0] == 404
    assert call(served, "POST", "/endpoints/nightly/jobs", [])[0] == 400
    assert call(served, "POST", "/endpoints/nightly/jobs", {"properties": {"inputData": {"a": 1}}})[0] == 400
    assert call(served, "POST", "/endpoints/nightly/jobs", {"properties": {}}, Authorization="Bearer x")[0] == 401
    datastore = f"{WORKSPACE}/datastores/none"
    status, answer, headers = invoke(served, outputDataset={"datastoreId": datastore})
    assert (status, answer["error"]["message"]) == (404, "Could not find datastore: none.")
    assert (answer["error"]["code"], answer["error"]["innerError"]["code"]) == ("UserError", "NotFoundError")
    assert (answer["componentName"], answer["location"]) == ("managementfrontend", "westeurope")
    assert headers["azureml-model-deployment"] == "first"


def test_deleting_the_endpoint_takes_its_deployments_and_keeps_the_jobs(served):
    name = invoke(served)[1]["name"]
    assert served.delete(ENDPOINT).status == 202
    assert served.get(FIRST).status == 404
    assert served.get(f"{WORKSPACE}/jobs/{name}").status == 200


def test_the_run_history_tells_of_a_job_and_of_nothing_else(runnable):
    runnable.batch.failure = DeploymentFailed("UserError", "3 inputs failed")
    name = invoke(runnable, inputData=DATA)[1]["name"]
    wait_for_job(runnable, name)
    status, details, _ = call(runnable, "GET", f"/history/v1.0{WORKSPACE}/runs/{name}/details")
    assert (status, details["runId"], details["status"]) == (200, name, "Failed")
    assert details["error"] == {"error": {"code": "UserError", "message": "3 inputs failed"}}
    assert call(runnable, "GET", f"/history/v1.0{WORKSPACE}/runs/none/details")[0] == 404
    for other in (f"{WORKSPACE}/runs/{name}/children", "/runs"):
        assert call(runnable, "GET", f"/history/v1.0{other}")[0] == 501

"""Online deployments: hand-over to the data plane, defaults, failures, conflicts, deletion under traffic."""

import asyncio

import pytest

from localazure import identity
from localazure.scoring.specification import DeploymentFailed
from tests.localazure.arm.conftest import BLUE, ENDPOINT, GREEN, GROUP, IDENTITY, STORAGE, WORKSPACE
from tests.localazure.platform_bodies import MANAGED

CONDA = "# exact pins\ndependencies:\n- python=3.11\n"


@pytest.fixture
def endpoint(arm):
    arm.make_workspace()
    arm.put_endpoint()
    return arm


def publish(arm):
    """A model, code and an environment in the workspace's blob store; returns the deployment's references."""
    datastore = arm.get(f"{WORKSPACE}/datastores/workspaceblobstore").properties
    account, container = datastore["accountName"], datastore["containerName"]
    for name in ("sluice/fraud/aa/model.joblib", "sluice/fraud/bb/score.py"):
        path = arm.plane.blobs.path(account, container, name)
        path.parent.mkdir(parents=True)
        path.write_text("x")
    workspace = f"azureml://subscriptions/{identity.SUBSCRIPTION_ID}/resourcegroups/rg1/workspaces/ws1"
    uri = f"{workspace}/datastores/workspaceblobstore/paths/sluice/fraud/aa/model.joblib"
    assert arm.put(f"{WORKSPACE}/models/fraud/versions/7", {"properties": {"modelUri": uri}}).status == 201
    blob = arm.get(STORAGE).properties["primaryEndpoints"]["blob"]
    code = {"properties": {"codeUri": f"{blob}{container}/sluice/fraud/bb"}}
    assert arm.put(f"{WORKSPACE}/codes/fraud/versions/bb", code).status == 201
    environment = {"properties": {"image": "mcr/base", "condaFile": CONDA}}
    assert arm.put(f"{WORKSPACE}/environments/fraud/versions/1", environment).status == 201
    return {
        "model": f"{WORKSPACE}/models/fraud/versions/7",
        "codeConfiguration": {"codeId": f"{WORKSPACE}/codes/fraud/versions/bb", "scoringScript": "score.py"},
        "environmentId": f"{WORKSPACE}/environments/fraud/versions/1",
    }


@pytest.mark.proves(
    "onlineEndpoints/deployments",
    honours=[
        "sku.capacity",
        "properties.model",
        "properties.codeConfiguration",
        "properties.environmentId",
        "properties.environmentVariables",
        "properties.requestSettings.requestTimeout",
        "properties.requestSettings.maxConcurrentRequestsPerInstance",
        "properties.readinessProbe",
    ],
)
@pytest.mark.proves("models/versions", honours=["properties.modelUri"])
@pytest.mark.proves("codes/versions", honours=["properties.codeUri"])
@pytest.mark.proves("environments/versions", honours=["properties.condaFile"])
def test_assets_reach_the_data_plane_as_files(endpoint):
    answer = endpoint.put_deployment(
        capacity=2,
        environmentVariables={"WORKERS": "2"},
        requestSettings={"requestTimeout": "PT1M30S", "maxConcurrentRequestsPerInstance": 4, "maxQueueWait": "PT0.5S"},
        readinessProbe={"initialDelay": "PT1S"},
        **publish(endpoint),
    )
    assert endpoint.poll(answer).body["status"] == "Succeeded"
    spec = endpoint.scoring.deployed["fraud-dev", "blue"]
    assert spec.instance_count == 2
    assert spec.conda_file == CONDA
    assert spec.image == "mcr/base"
    assert spec.code_folder.joinpath("score.py").is_file()
    assert spec.scoring_script == "score.py"
    assert spec.model_folder.name == "model.joblib"
    assert spec.model_mount == "azureml-models/fraud/7"
    assert spec.environment_variables == {"WORKERS": "2"}
    assert (spec.request_timeout_seconds, spec.max_queue_wait_seconds) == (90.0, 0.5)
    assert spec.max_concurrent_requests_per_instance == 4
    assert (spec.readiness_probe.initial_delay_seconds, spec.readiness_probe.period_seconds) == (1.0, 10.0)


def test_the_answer_has_the_new_values_and_the_defaults_at_once(endpoint):
    answer = endpoint.put_deployment(capacity=3)
    assert answer.status == 201
    assert "odidp:" in answer.headers["Azure-AsyncOperation"]
    shown = answer.properties
    assert shown["provisioningState"] == "Creating"
    probe = {
        "failureThreshold": 30,
        "successThreshold": 1,
        "timeout": "PT2S",
        "period": "PT10S",
        "initialDelay": "PT10S",
    }
    assert shown["livenessProbe"] == shown["readinessProbe"] == probe
    assert shown["requestSettings"] == {
        "maxQueueWait": "PT0S",
        "requestTimeout": "PT5S",
        "maxConcurrentRequestsPerInstance": 1,
    }
    assert shown["scaleSettings"] == {"scaleType": "Default"}
    assert answer.body["sku"] == {"name": "Default", "tier": "Standard", "capacity": 3}
    for field in ("description", "codeConfiguration", "model", "modelMountPath", "dataCollector"):
        assert shown[field] is None


@pytest.mark.proves("onlineEndpoints/deployments", honours=["properties.environmentVariables"])
def test_the_service_adds_its_variables_and_does_not_hand_them_on(endpoint):
    references = publish(endpoint)
    endpoint.put_deployment(**references)
    variables = endpoint.get(BLUE).properties["environmentVariables"]
    assert variables == {
        "AZUREML_MODEL_DIR": "/var/azureml-app/azureml-models/fraud/7",
        "AZUREML_ENTRY_SCRIPT": "score.py",
        "AML_APP_ROOT": "/var/azureml-app/bb",
    }
    endpoint.put_deployment(environmentVariables=variables | {"A": "b"}, **references)
    assert endpoint.scoring.deployed["fraud-dev", "blue"].environment_variables == {"A": "b"}


def test_a_put_replaces(endpoint):
    endpoint.put_deployment(description="gone soon")
    answer = endpoint.put_deployment()
    assert answer.properties["provisioningState"] == "Updating"
    assert answer.properties["description"] is None


@pytest.mark.proves("onlineEndpoints/deployments", honours=["sku.capacity"])
def test_another_count_only_scales(endpoint):
    endpoint.put_deployment(capacity=1)
    endpoint.put_deployment(capacity=3)
    endpoint.put_deployment(capacity=3, description="only words")
    assert endpoint.scoring.calls[-2:] == ["deploy fraud-dev/blue", "scale fraud-dev/blue 3"]
    endpoint.request("PATCH", BLUE, {"sku": {"name": "Default", "capacity": 2}})
    endpoint.settle()
    assert endpoint.scoring.calls[-1] == "scale fraud-dev/blue 2"
    assert endpoint.get(BLUE).body["sku"]["capacity"] == 2


def test_a_deployment_that_cannot_start_fails_and_must_be_recreated(endpoint):
    endpoint.scoring.failure = DeploymentFailed("ImageBuildFailure", "no such package")
    answer = endpoint.put_deployment()
    assert answer.status == 201
    poll = endpoint.poll(answer)
    assert poll.status == 200
    assert poll.body["status"] == "Failed"
    assert poll.body["error"]["code"] == "ImageBuildFailure"
    assert next(iter(poll.body)) == "error"
    assert endpoint.get(BLUE).properties["provisioningState"] == "Failed"

    endpoint.scoring.failure = None
    again = endpoint.put_deployment()
    assert again.status == 400
    assert again.error["details"][0]["message"] == (
        "Specified deployment [blue] failed during initial provisioning and is in an unrecoverable state. "
        "Delete and re-create."
    )
    assert endpoint.delete(BLUE).status == 202
    assert endpoint.put_deployment().status == 201
    assert endpoint.get(BLUE).properties["provisioningState"] == "Succeeded"


def test_operations_on_one_endpoint_conflict(endpoint):
    endpoint.scoring.gate = asyncio.Event()
    endpoint.put_deployment(BLUE)
    assert endpoint.get(BLUE).properties["provisioningState"] == "Creating"
    refused = [
        endpoint.put_deployment(GREEN),
        endpoint.put_deployment(BLUE),
        endpoint.put_endpoint(traffic={}),
        endpoint.delete(ENDPOINT),
        endpoint.delete(BLUE),
        endpoint.delete(WORKSPACE),
    ]
    assert [(answer.status, answer.code) for answer in refused] == [(409, "Conflict")] * 6
    assert endpoint.get(GREEN).status == 404
    endpoint.scoring.gate.set()
    endpoint.settle()
    assert endpoint.put_deployment(GREEN).status == 201


def test_an_endpoint_can_be_deleted_while_its_deployments_are(endpoint):
    endpoint.put_deployment(BLUE)
    endpoint.put_deployment(GREEN)
    endpoint.scoring.gate = asyncio.Event()
    answers = [endpoint.delete(BLUE), endpoint.delete(ENDPOINT)]
    assert [answer.status for answer in answers] == [202, 202]
    assert endpoint.delete(GREEN).status == 409
    endpoint.scoring.gate.set()
    endpoint.settle()
    assert [endpoint.poll(answer).body["status"] for answer in answers] == ["Succeeded"] * 2
    assert endpoint.get(ENDPOINT).status == 404
    assert endpoint.scoring.deployed == {}
    assert endpoint.plane.store.under(ENDPOINT) == []


def test_a_deployment_that_went_with_its_endpoint_does_not_take_the_next_one_along(endpoint):
    endpoint.put_deployment(BLUE)
    lifted = asyncio.Event()

    async def hold(operation):
        if operation.kind.endswith("deployments.delete"):
            await lifted.wait()

    def hold_deletions():
        endpoint.plane.operations.interfere = hold

    hold_deletions()
    answers = [endpoint.request("DELETE", BLUE), endpoint.request("DELETE", ENDPOINT)]
    assert [answer.status for answer in answers] == [202, 202]
    endpoint.settle()
    assert [endpoint.poll(answer).body["status"] for answer in answers] == ["Succeeded"] * 2
    # The service takes five minutes for a deployment and seconds for its endpoint: the name is free again.
    endpoint.put_endpoint()
    endpoint.put_deployment(BLUE)
    assert endpoint.get(BLUE).properties["provisioningState"] == "Succeeded"
    lifted.set()
    for _ in range(3):
        endpoint.settle()
    assert endpoint.get(BLUE).status == 200
    assert list(endpoint.scoring.deployed) == [("fraud-dev", "blue")]


def test_both_deletions_go_on_after_a_kill_in_between(endpoint):
    endpoint.put_deployment(BLUE)
    endpoint.put_deployment(GREEN)
    endpoint.scoring.gate = asyncio.Event()
    answers = [endpoint.delete(BLUE), endpoint.delete(ENDPOINT)]
    endpoint.restart()
    endpoint.settle()
    assert [endpoint.poll(answer).body["status"] for answer in answers] == ["Succeeded"] * 2
    assert endpoint.plane.store.under(ENDPOINT) == []
    assert endpoint.scoring.deployed == {}
    endpoint.put_endpoint()
    assert endpoint.get(ENDPOINT).properties["provisioningState"] == "Succeeded"


def test_a_refused_deletion_of_a_deployment_does_not_keep_its_endpoint(endpoint):
    endpoint.put_deployment(BLUE)
    endpoint.put_endpoint(traffic={"blue": 100})
    answers = [endpoint.request("DELETE", BLUE), endpoint.request("DELETE", ENDPOINT)]
    endpoint.settle()
    assert [endpoint.poll(answer).body["status"] for answer in answers] == ["Failed", "Succeeded"]
    assert endpoint.get(ENDPOINT).status == 404


def test_a_running_operation_shows_updating(endpoint):
    endpoint.scoring.gate = asyncio.Event()
    answer = endpoint.put_deployment()
    poll = endpoint.poll(answer)
    assert (poll.status, poll.body["status"], poll.body["endTime"]) == (200, "Updating", "0001-01-01T00:00:00+00:00")
    assert poll.headers["Retry-After"] == "0.1"
    endpoint.scoring.gate.set()
    endpoint.settle()


def test_deleting_under_traffic_is_accepted_and_fails_in_the_poll(arm):
    arm.make_serving_endpoint()
    answer = arm.delete(BLUE)
    assert answer.status == 202
    error = arm.poll(answer).body["error"]
    assert error["code"] == "InferencingClientCallFailed"
    assert error["message"] == (
        "\"Can't delete deployment [blue] with non-zero traffic weight, Current traffic [90]. "
        'Remove the traffic for this deployment on endpoint [fraud-dev] and try again"'
    )
    assert error["additionalInfo"][0]["info"]["state"] == "Failed"
    assert arm.get(BLUE).properties["provisioningState"] == "Failed"
    assert ("fraud-dev", "blue") in arm.scoring.deployed

    arm.put_endpoint(traffic={"green": 100})
    assert arm.poll(arm.delete(BLUE)).body["status"] == "Succeeded"
    assert arm.get(BLUE).status == 404
    assert arm.get(ENDPOINT).properties["traffic"] == {"green": 100}


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ({"instanceType": "Standard_F4s_v2"}, "instanceType of a deployment cannot be changed"),
        ({"egressPublicNetworkAccess": "disabled"}, "egressPublicNetworkAccess of a deployment cannot be changed"),
        ({"scaleSettings": {"scaleType": "TargetUtilization"}}, "supports scaleType Default only"),
        ({"endpointComputeType": None}, "endpointComputeType must be Managed"),
        ({"model": f"{WORKSPACE}/models/none/versions/1"}, "which does not exist"),
        ({"requestSettings": {"requestTimeout": "soon"}}, "is not an ISO 8601 duration"),
        ({"livenessProbe": {"failureThreshold": 0}}, "livenessProbe.failureThreshold"),
    ],
)
@pytest.mark.proves(
    "onlineEndpoints/deployments",
    refuses=[
        "properties.instanceType",
        "properties.egressPublicNetworkAccess",
        "properties.scaleSettings",
        "properties.endpointComputeType",
        "properties.model",
        "properties.requestSettings.requestTimeout",
        "properties.livenessProbe",
    ],
)
def test_what_breaks_a_rule_is_refused_at_once(endpoint, properties, text):
    endpoint.put_deployment()
    answer = endpoint.put_deployment(**properties)
    assert answer.status == 400
    assert text in answer.error["message"]
    assert endpoint.get(BLUE).properties["provisioningState"] == "Succeeded"


@pytest.mark.parametrize("capacity", [0, -1, 51, 1.5, "2", True])
@pytest.mark.proves("onlineEndpoints/deployments", refuses=["sku.capacity"])
def test_an_impossible_count_is_refused(endpoint, capacity):
    assert "capacity from 1 to 50" in endpoint.put_deployment(capacity=capacity).error["message"]


@pytest.mark.proves("onlineEndpoints/deployments", refuses=["properties.model"])
def test_registries_are_not_emulated(endpoint):
    assert endpoint.put_deployment(model="azureml://registries/azureml/models/m/versions/1").code == "NotEmulated"


@pytest.mark.proves(
    "onlineEndpoints/deployments",
    honours=["properties.containerResourceRequirements"],
    refuses=["properties.endpointComputeType"],
)
@pytest.mark.proves("workspaces/computes", honours=["properties.computeType"])
def test_a_kubernetes_deployment_needs_a_kubernetes_endpoint_and_has_its_recorded_defaults(arm):
    arm.make_workspace()
    compute = f"{WORKSPACE}/computes/k8s"
    arm.put(compute, {"location": "westeurope", "properties": {"computeType": "Kubernetes"}})
    arm.put_endpoint(compute=compute)
    assert arm.put_deployment().code == "BadRequest"
    resources = {"containerResourceRequests": {"cpu": "300m", "memory": "200Mi", "gpu": "1"}}
    arm.put_deployment(endpointComputeType="Kubernetes", containerResourceRequirements=resources)
    shown = arm.get(BLUE)
    assert (shown.body["kind"], "sku" in shown.body) == ("K8S", False)
    assert shown.properties["scaleSettings"]["scaleType"] == "TargetUtilization"
    assert shown.properties["requestSettings"]["requestTimeout"] == "PT0S"
    assert shown.properties["containerResourceRequirements"] == {
        "containerResourceRequests": {"cpu": "0.3", "memory": "0.195Gi", "gpu": "1"},
        "containerResourceLimits": {"cpu": None, "memory": None, "gpu": "1"},
    }
    assert arm.scoring.deployed["fraud-dev", "blue"].instance_count == 1


def test_the_service_of_2022_shows_its_defaults_only_at_the_end(endpoint):
    body = {"location": "westeurope", "properties": MANAGED, "sku": {"name": "Default", "capacity": 1}}
    first = endpoint.put(BLUE, body, version="2022-02-01-preview").properties
    assert (first["provisioningState"], first["livenessProbe"]) == ("Updating", None)
    assert first["requestSettings"]["requestTimeout"] == "PT0S"
    shown = endpoint.get(BLUE, version="2022-02-01-preview").properties
    assert shown["livenessProbe"]["failureThreshold"] == 30
    assert (shown["requestSettings"]["requestTimeout"], shown["environmentVariables"]) == ("PT5S", {})
    assert (shown["privateNetworkConnection"], "dataCollector" in shown) == (False, False)


@pytest.mark.proves("onlineEndpoints/deployments", refuses=["properties.codeConfiguration"])
@pytest.mark.parametrize("kind", ["model and environment", "model", "environment", "nothing"])
def test_a_custom_model_without_code_and_inference_config_is_refused_and_leaves_nothing(endpoint, kind):
    references = publish(endpoint)
    asked = {"model": references["model"] if "model" in kind else None}
    asked["environmentId"] = references["environmentId"] if "environment" in kind else None
    refused = endpoint.put_deployment(**asked)
    assert (refused.status, refused.code, refused.error["message"]) == (
        400,
        "BadRequest",
        "The request is invalid.",
    )
    (detail,) = refused.error["details"]
    assert (detail["code"], detail["message"]) == (
        "MissingDriverProgram",
        "Could not find driver program in the request.",
    )
    assert endpoint.get(BLUE).status == 404
    assert endpoint.get(f"{ENDPOINT}/deployments").body["value"] == []


def test_an_update_that_takes_the_code_away_is_refused_and_changes_nothing(endpoint):
    references = publish(endpoint)
    assert endpoint.put_deployment(**references).status == 201
    before = endpoint.get(BLUE).body
    refused = endpoint.put_deployment(**(references | {"codeConfiguration": None}))
    assert refused.error["details"][0]["code"] == "MissingDriverProgram"
    assert endpoint.get(BLUE).body == before


@pytest.mark.parametrize("model_type", ["mlflow_model", "triton_model"])
def test_models_that_bring_their_code_need_none(endpoint, model_type):
    references = publish(endpoint)
    path = f"{WORKSPACE}/models/own/versions/1"
    uri = endpoint.get(references["model"]).properties["modelUri"]
    endpoint.put(path, {"properties": {"modelUri": uri, "modelType": model_type}})
    assert endpoint.put_deployment(model=path, environmentId=None).status == 201


def test_an_environment_that_names_what_it_runs_needs_no_code(endpoint):
    references = publish(endpoint)
    path, route = f"{WORKSPACE}/environments/own/versions/1", {"path": "/", "port": 8080}
    routes = {name: route for name in ("livenessRoute", "readinessRoute", "scoringRoute")}
    endpoint.put(path, {"properties": {"image": "own:1", "inferenceConfig": routes}})
    assert endpoint.put_deployment(model=references["model"], environmentId=path).status == 201


def test_files_that_are_gone_fail_the_deployment(endpoint):
    references = publish(endpoint)
    endpoint.plane.blobs.delete_account("stacc1")
    poll = endpoint.poll(endpoint.put_deployment(**references))
    assert poll.body["error"]["code"] == "BadArgument"


@pytest.mark.proves("onlineEndpoints", honours=["identity"])
@pytest.mark.proves("*", honours=["identity"])
@pytest.mark.proves("roleAssignments", honours=["properties.principalId", "properties.roleDefinitionId"])
@pytest.mark.proves(
    "MachineLearningServices/workspaces", honours=["properties.storageAccount", "properties.containerRegistry"]
)
def test_a_user_assigned_identity_needs_its_roles(arm):
    arm.make_workspace()
    principal = arm.put(IDENTITY, {"location": "westeurope"}).properties["principalId"]
    block = {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}
    sent = {"location": "westeurope", "identity": block, "properties": {"authMode": "Key"}}
    arm.put(ENDPOINT, sent)
    shown = arm.get(ENDPOINT).body["identity"]["userAssignedIdentities"]
    assert shown[IDENTITY]["principalId"] == principal

    poll = arm.poll(arm.put_deployment())
    assert poll.body["error"]["code"] == "BadArgument"
    assert "incorrect role assignments on resource" in poll.body["error"]["message"]
    assert "Storage Blob Data Reader" in poll.body["error"]["message"]
    assert "AcrPull" in poll.body["error"]["message"]

    assert arm.grant(principal, STORAGE, "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1").status == 201
    assert arm.grant(principal, GROUP, "7f951dda-4ed3-4680-a7ca-43fe172d538d").status == 201
    arm.delete(BLUE)
    assert arm.poll(arm.put_deployment()).body["status"] == "Succeeded"


@pytest.mark.proves("*", refuses=["identity"])
def test_an_identity_that_does_not_exist_is_refused(arm):
    arm.make_workspace()
    block = {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}
    answer = arm.put(ENDPOINT, {"location": "westeurope", "identity": block, "properties": {"authMode": "Key"}})
    assert answer.code == "FailedIdentityOperation"


@pytest.mark.proves("MachineLearningServices/workspaces", honours=["properties.managedNetwork.isolationMode"])
def test_a_managed_network_must_be_ready(arm):
    arm.make_workspace(managedNetwork={"isolationMode": "AllowOnlyApprovedOutbound"})
    arm.put_endpoint()
    assert arm.put_deployment().code == "WorkspaceManagedNetworkNotReady"
    answer = arm.post(f"{WORKSPACE}/provisionManagedNetwork", {"includeSpark": False})
    assert answer.status == 202
    assert arm.poll(answer, "Location").body == {"status": "Active", "sparkReady": False}
    assert arm.put_deployment().status == 201


@pytest.mark.proves("MachineLearningServices/workspaces", honours=["properties.provisionNetworkNow"])
def test_provision_network_now_or_a_compute_make_the_network_ready(arm):
    arm.make_workspace(managedNetwork={"isolationMode": "AllowInternetOutbound"}, provisionNetworkNow=True)
    assert arm.get(WORKSPACE).properties["managedNetwork"]["status"]["status"] == "Active"


@pytest.mark.proves("workspaces/computes", honours=["properties.computeType"])
def test_a_compute_provisions_the_network(arm):
    arm.make_workspace(managedNetwork={"isolationMode": "AllowInternetOutbound"})
    cluster = {"computeType": "AmlCompute", "properties": {"vmSize": "Standard_DS3_v2"}}
    answer = arm.put(f"{WORKSPACE}/computes/build", {"location": "westeurope", "properties": cluster})
    assert (answer.status, answer.headers["Retry-After"]) == (201, "1")
    assert arm.poll(answer).body["status"] == "Succeeded"
    assert arm.get(WORKSPACE).properties["managedNetwork"]["status"]["status"] == "Active"


@pytest.mark.proves(
    "onlineEndpoints/deployments", honours=["getLogs/containerType", "getLogs/tail"], refuses=["getLogs/containerType"]
)
def test_logs_name_the_container(endpoint):
    endpoint.put_deployment()
    answer = endpoint.post(f"{BLUE}/getLogs", {"tail": 50, "containerType": "StorageInitializer"})
    assert answer.body == {"content": "StorageInitializer of fraud-dev/blue, last 50"}
    assert endpoint.post(f"{BLUE}/getLogs", {"containerType": "Other"}).status == 400
    assert endpoint.get(f"{BLUE}/skus").body["value"][0]["capacity"]["maximum"] == 50

"""What recordings of the real service show of online endpoints, sentence by sentence, over HTTP against a local Azure.

The replay of whole recordings is in tests/localazure/conformance; here is what no excerpt holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from localazure import identity
from tests.localazure.arm.recorded_client import (
    ACCOUNTS,
    FIRST,
    HERE,
    KUBERNETES,
    NEW,
    OLD,
    STORAGE,
    SYSTEM,
    UAI,
    WORKSPACE,
    Client,
    start,
)
from tests.localazure.platform_bodies import MANAGED, OWN_SERVER
from tests.waiting import HANGS

pytestmark = pytest.mark.integration

PROBE = {"failureThreshold": 30, "successThreshold": 1, "timeout": "PT2S", "period": "PT10S", "initialDelay": "PT10S"}


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    yield from start(tmp_path_factory.mktemp("facts"))


def endpoint(azure: Client, name: str, version: str = OLD, **properties: Any) -> str:
    path = f"{WORKSPACE}/onlineEndpoints/{name}"
    azure.done("PUT", path, HERE | SYSTEM | {"properties": {"authMode": "AMLToken"} | properties}, version)
    return path


def deployment(azure: Client, path: str, version: str = OLD, **properties: Any) -> Any:
    required = MANAGED | {"instanceType": "Standard_F4s_v2"}
    body = HERE | {"properties": required | properties, "sku": {"name": "Default", "capacity": 1}}
    return azure.done("PUT", path, body, version).json()


# Long-running operations


def test_each_call_has_its_own_headers(azure):
    path = f"{WORKSPACE}/onlineEndpoints/lro-one"
    put = azure.done("PUT", path, HERE | SYSTEM | {"properties": {"authMode": "Key"}}, OLD)
    assert put.status_code == 201
    assert "/mfeOperationsStatus/oe:" in put.headers["Azure-AsyncOperation"]
    assert put.headers["Location"] == f"{azure.https}{path}?api-version={OLD}"
    assert put.headers["x-ms-async-operation-timeout"] == "PT30M"
    for method, suffix, body in (("PATCH", "", {"tags": {}}), ("POST", "/regenerateKeys", {"keyType": "Primary"})):
        answer = azure.done(method, path + suffix, body, FIRST)
        assert (answer.status_code, answer.text) == (202, "null")
        assert "/mfeOperationResults/" in answer.headers["Location"]
        assert "Azure-AsyncOperation" not in answer.headers
        assert answer.headers.get("x-ms-async-operation-timeout") == ("PT30M" if method == "PATCH" else None)
    gone = azure.done("DELETE", path, None, OLD)
    assert (gone.status_code, gone.text) == (202, "null")
    status, result = gone.headers["Azure-AsyncOperation"], gone.headers["Location"]
    assert result == status.replace("mfeOperationsStatus", "mfeOperationResults")
    ended = azure.get(result)
    assert (ended.status_code, ended.json()["status"]) == (200, "Succeeded")
    assert "/mfeOperationResults/" in ended.json()["id"]
    assert azure.done("DELETE", WORKSPACE + "/onlineEndpoints/none").status_code == 204


def test_an_unknown_operation_is_the_services_own_404(azure):
    guid = "00000000-0000-4000-8000-000000000099"
    scope = f"/subscriptions/{identity.SUBSCRIPTION_ID}/providers/Microsoft.MachineLearningServices/locations/westus"
    answer = azure.get(f"{scope}/mfeOperationResults/oe:{guid}:{guid}", FIRST)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (404, "NotFound")
    assert error["details"][0]["code"] == "OperationNotFound"
    assert error["details"][0]["message"] == f"There is no operation with id {guid}"
    assert [info["type"] for info in error["additionalInfo"]] == [
        *("ComponentName", "Correlation", "Environment", "Location", "Time")
    ]
    assert "target" not in error


# Online endpoints


def test_an_endpoint_is_made_from_little(azure):
    path = f"{WORKSPACE}/onlineEndpoints/minimal"
    made = azure.done("PUT", path, HERE | SYSTEM | {"properties": {"authMode": "Key"}}, OLD).json()
    assert list(made) == ["id", "name", "type", "properties", "systemData", "tags", "location", "kind", "identity"]
    properties = made["properties"]
    assert (made["tags"], properties["traffic"], properties["mirrorTraffic"]) == ({}, {}, {})
    assert (properties["description"], properties["compute"], properties["scoringUri"]) == (None, None, None)
    assert (properties["provisioningState"], properties["publicNetworkAccess"]) == ("Creating", "Enabled")
    assert properties["properties"]["azureml.onlineendpointid"] == path.lower()
    assert set(made["systemData"]) == {"createdAt", "createdBy", "lastModifiedAt"}
    assert set(made["identity"]) == {"type", "principalId", "tenantId"}
    first = azure.shown(path, FIRST)["properties"]
    assert not {"mirrorTraffic", "publicNetworkAccess"} & set(first)


def test_an_endpoint_can_have_an_identity_of_its_own(azure):
    path = f"{WORKSPACE}/onlineEndpoints/with-uai"
    asked = {"identity": {"type": "UserAssigned", "userAssignedIdentities": {UAI: {}}}}
    made = azure.done("PUT", path, HERE | asked | {"properties": {"authMode": "Key"}}, OLD).json()
    [(name, found)] = made["identity"]["userAssignedIdentities"].items()
    assert (made["identity"]["type"], made["identity"]["principalId"]) == ("UserAssigned", None)
    assert made["identity"]["tenantId"] == identity.TENANT_ID
    assert (name, set(found)) == (UAI, {"principalId", "clientId"})
    [name] = azure.shown(path, "2021-03-01-preview")["identity"]["userAssignedIdentities"]
    assert name == UAI.replace("resourceGroups", "resourcegroups")


def test_an_endpoint_put_merges_and_answers_the_old_state(azure):
    path = endpoint(azure, "merging", description="some description", publicNetworkAccess="disabled")
    deployment(azure, f"{path}/deployments/green")
    tagged = {"tags": {"a": "1", "b": "2"}}
    azure.done("PUT", path, HERE | tagged | {"properties": {"authMode": "AMLToken", "traffic": {}}}, OLD)
    changed = {"tags": {"a": "3"}, "properties": {"authMode": "Key", "traffic": {"green": 100}, "mirrorTraffic": {}}}
    answer = azure.done("PUT", path, HERE | changed, OLD)
    old = answer.json()
    assert (answer.status_code, old["tags"], old["properties"]["traffic"]) == (201, {"a": "1", "b": "2"}, {})
    assert old["properties"]["provisioningState"] == "Updating"
    shown = azure.shown(path, OLD)
    assert (shown["tags"], shown["properties"]["traffic"]) == ({"a": "3"}, {"green": 100})
    assert (shown["properties"]["description"], shown["properties"]["authMode"]) == ("some description", "AMLToken")
    assert shown["properties"]["publicNetworkAccess"] == "Disabled"
    bag = shown["properties"]["properties"]
    assert bag["AzureAsyncOperationUri"] == answer.headers["Azure-AsyncOperation"]
    azure.done("PUT", path, HERE | {"tags": {}, "properties": {"authMode": "Key", "traffic": {}}}, OLD)
    shown = azure.shown(path, OLD)
    assert (shown["tags"], shown["properties"]["traffic"]) == ({}, {})


def test_lists_are_newest_first_and_have_no_next_link(azure):
    paths = [endpoint(azure, f"listed-{number}") for number in range(3)]
    listed = azure.shown(f"{WORKSPACE}/onlineEndpoints", OLD)
    assert list(listed) == ["value"]
    assert [item["id"] for item in listed["value"]][:3] == paths[::-1]
    assert listed["value"][0] == azure.shown(paths[2], OLD)
    assert azure.shown(f"{paths[0]}/deployments", OLD) == {"value": []}
    for name in ("one", "two"):
        deployment(azure, f"{paths[0]}/deployments/{name}")
    assert [d["name"] for d in azure.shown(f"{paths[0]}/deployments", OLD)["value"]] == ["two", "one"]
    assert azure.shown(paths[0].replace("listed-0", "LISTED-0"), OLD)["name"] == "listed-0"


# Online deployments


def test_a_deployment_put_replaces_but_for_request_settings(azure):
    path = endpoint(azure, "replacing") + "/deployments/dep1"
    made = deployment(azure, path, description="first", requestSettings={"maxConcurrentRequestsPerInstance": 3})
    assert (made["properties"]["provisioningState"], made["properties"]["livenessProbe"]) == ("Updating", None)
    assert made["sku"] == {"name": "Default", "tier": "Standard", "capacity": 1}
    changed = deployment(azure, path, requestSettings={"requestTimeout": "PT9S"}, egressPublicNetworkAccess="enabled")
    properties = changed["properties"]
    assert (properties["description"], properties["provisioningState"]) == (None, "Updating")
    expected = {"maxQueueWait": "PT0S", "requestTimeout": "PT9S", "maxConcurrentRequestsPerInstance": 3}
    assert properties["requestSettings"] == expected
    assert (properties["livenessProbe"], properties["readinessProbe"]) == (PROBE, PROBE)
    assert properties["egressPublicNetworkAccess"] == "Enabled"
    again = azure.done(
        "PUT", path, HERE | {"properties": {"endpointComputeType": "Managed", "environmentId": OWN_SERVER}}, OLD
    )
    assert (again.status_code, "Azure-AsyncOperation" in again.headers) == (201, True)
    shown = azure.shown(path, OLD)
    assert (shown["properties"]["instanceType"], shown["sku"]["capacity"]) == ("Standard_F4s_v2", 1)
    assert shown["properties"]["environmentVariables"] == {}


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ({"cpu": "300m", "memory": "0.1Gi"}, {"cpu": "0.3", "memory": "0.100Gi", "gpu": None}),
        ({"cpu": "1", "memory": "200Mi"}, {"cpu": "1", "memory": "0.195Gi", "gpu": None}),
        ({}, {"cpu": "0.1", "memory": "0.500Gi", "gpu": None}),
        ({"gpu": "1"}, {"cpu": "0.1", "memory": "0.500Gi", "gpu": "1"}),
    ],
)
def test_kubernetes_quantities_are_normalised(azure, asked, answered):
    path = f"{WORKSPACE}/onlineEndpoints/k8s-quantities"
    azure.done("PUT", path, HERE | SYSTEM | {"properties": {"authMode": "Key", "compute": KUBERNETES}}, OLD)
    assert (azure.shown(path, OLD)["kind"], azure.shown(path, OLD)["properties"]["compute"]) == ("K8S", KUBERNETES)
    resources = {"containerResourceRequirements": {"containerResourceRequests": asked}}
    body = HERE | {"properties": {"endpointComputeType": "Kubernetes"} | resources, "sku": {"name": "Default"}}
    made = azure.done("PUT", f"{path}/deployments/dep1", body, OLD).json()
    requirements = made["properties"]["containerResourceRequirements"]
    assert requirements["containerResourceRequests"] == answered
    assert requirements["containerResourceLimits"] == {"cpu": None, "memory": None, "gpu": answered["gpu"]}
    assert ("sku" in made, made["kind"]) == (False, "K8S")
    assert made["properties"]["scaleSettings"]["targetUtilizationPercentage"] == 70
    settings = {"maxQueueWait": "PT0.5S", "requestTimeout": "PT0S", "maxConcurrentRequestsPerInstance": 1}
    assert made["properties"]["requestSettings"] == settings


def test_a_kubernetes_deployment_of_fixed_size_has_a_sku(azure):
    path = f"{WORKSPACE}/onlineEndpoints/k8s-fixed"
    azure.done("PUT", path, HERE | SYSTEM | {"properties": {"authMode": "Key", "compute": KUBERNETES}}, OLD)
    properties = {"endpointComputeType": "Kubernetes", "scaleSettings": {"scaleType": "Default"}}
    body = HERE | {"properties": properties | {"instanceType": "gpu"}, "sku": {"name": "Default", "capacity": 1}}
    made = azure.done("PUT", f"{path}/deployments/dep1", body, OLD).json()
    assert made["sku"] == {"name": "Default", "tier": "Standard", "capacity": 1}
    del body["properties"]["instanceType"]
    changed = azure.done("PUT", f"{path}/deployments/dep1", body, OLD).json()
    assert changed["properties"]["instanceType"] == "gpu"


def test_since_2024_the_answer_to_a_create_is_sparse_and_variables_are_added(azure):
    code, model = f"{WORKSPACE}/codes/online/versions/1", f"{WORKSPACE}/models/work-online-model/versions/1"
    azure.done("PUT", STORAGE.replace("Microsoft", "microsoft"), HERE | {"sku": {"name": "Standard_LRS"}}, ACCOUNTS)
    uri = f"{azure.https}/stacc1/azureml/Online"
    headers = {"x-ms-version": "2023-11-03", "x-ms-blob-type": "BlockBlob"}
    azure._session.put(f"{uri}/score.py", data="", headers=headers, timeout=HANGS)
    azure.done("PUT", code, {"properties": {"codeUri": uri}})
    azure.done("PUT", model, {"properties": {"modelUri": uri}})
    path = f"{WORKSPACE}/onlineEndpoints/sparse"
    made = azure.done("PUT", path, HERE | SYSTEM | {"properties": {"authMode": "Key"}}).json()
    assert made["systemData"] == {}
    assert not {"location", "identity"} & set(made)
    assert "azureml.onlineendpointid" not in made["properties"]["properties"]
    sent = {"model": model, "codeConfiguration": {"codeId": code, "scoringScript": "score.py"}}
    first = deployment(azure, f"{path}/deployments/dep1", NEW, **sent)["properties"]
    assert (first["provisioningState"], first["livenessProbe"]) == ("Creating", PROBE)
    assert (first["requestSettings"]["requestTimeout"], first["dataCollector"]) == ("PT5S", None)
    assert "privateNetworkConnection" not in first
    assert azure.shown(f"{path}/deployments/dep1")["properties"]["environmentVariables"] == {
        "AZUREML_MODEL_DIR": "/var/azureml-app/azureml-models/work-online-model/1",
        "AZUREML_ENTRY_SCRIPT": "score.py",
        "AML_APP_ROOT": "/var/azureml-app/Online",
    }


def test_keys_tokens_and_skus(azure):
    path = endpoint(azure, "tokens", authMode="AADToken")
    assert azure.call("POST", f"{path}/listKeys").json() == {"primaryKey": None, "secondaryKey": None}
    token = azure.call("POST", f"{path}/token").json()
    assert set(token) == {"accessToken", "tokenType", "expiryTimeUtc", "refreshAfterTimeUtc"}
    assert token["expiryTimeUtc"] - token["refreshAfterTimeUtc"] == 12 * 3600
    deployment(azure, f"{path}/deployments/dep1")
    [sku] = azure.shown(f"{path}/deployments/dep1/skus")["value"]
    assert sku["resourceType"] == "Microsoft.MachineLearning.Services/endpoints/deployments"
    assert sku["capacity"] == {"minimum": 1, "maximum": 50, "default": 3, "scaleType": "Automatic"}


def test_a_deployment_with_traffic_fails_to_be_deleted_and_an_endpoint_takes_its_own(azure):
    path = endpoint(azure, "busy")
    deployment(azure, f"{path}/deployments/dep1")
    azure.done("PUT", path, HERE | {"properties": {"authMode": "AMLToken", "traffic": {"dep1": 100}}}, OLD)
    answer = azure.call("DELETE", f"{path}/deployments/dep1", None, OLD)
    poll = azure.wait(answer).json()
    assert (answer.status_code, poll["status"], next(iter(poll))) == (202, "Failed", "error")
    assert poll["error"]["code"] == "InferencingClientCallFailed"
    assert re.match(r'^"Can\'t delete deployment \[dep1\] with non-zero traffic weight', poll["error"]["message"])
    shown = azure.shown(f"{path}/deployments/dep1", OLD)["properties"]
    assert shown["provisioningState"] == "Failed"
    assert shown["properties"]["AzureAsyncOperationUri"] == answer.headers["Azure-AsyncOperation"]
    assert azure.shown(path, OLD)["properties"]["traffic"] == {"dep1": 100}
    assert azure.done("DELETE", path, None, OLD).status_code == 202
    gone = azure.get(path, OLD)
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "ResourceNotFound")
    assert gone.headers["x-ms-failure-cause"] == "gateway"

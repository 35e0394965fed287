"""Unmodified clients against a running server: MLClient, DefaultAzureCredential, azure-storage-blob."""

import base64
import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from localazure import identity
from tests.localazure.arm.conftest import GROUP, IDENTITY, LOCATION, REGISTRY, STORAGE, SUBSCRIPTION, VAULT, WORKSPACE
from tests.localazure.routed_plane import RoutedPlane
from tests.waiting import HANGS

pytestmark = pytest.mark.integration

ROLES = {STORAGE: "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1", REGISTRY: "7f951dda-4ed3-4680-a7ca-43fe172d538d"}


def make_platform(azure):
    """Group, storage, vault, registry, identity with its roles, workspace."""
    vault = {"tenantId": identity.TENANT_ID, "sku": {"family": "A", "name": "standard"}}
    bodies = {
        GROUP: {"location": LOCATION},
        STORAGE: {"location": LOCATION, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"},
        VAULT: {"location": LOCATION, "properties": vault},
        REGISTRY: {"location": LOCATION, "sku": {"name": "Premium"}},
        IDENTITY: {"location": LOCATION},
    }
    for path, body in bodies.items():
        assert azure.request("PUT", path, body).status_code in (200, 201), path
    principal = azure.request("GET", IDENTITY).json()["properties"]["principalId"]
    for scope, role in ROLES.items():
        definition = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}"
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        body = {"properties": {"principalId": principal, "roleDefinitionId": definition}}
        assert azure.request("PUT", path, body).status_code == 201
    references = {"storageAccount": STORAGE, "keyVault": VAULT, "containerRegistry": REGISTRY}
    body = {"location": LOCATION, "identity": {"type": "SystemAssigned"}, "properties": references}
    assert azure.request("PUT", WORKSPACE, body).status_code == 202


@pytest.mark.proves(
    "onlineEndpoints",
    honours=["properties.traffic", "identity", "tags", "regenerateKeys/keyType"],
    refuses=["properties.traffic"],
    client="MLClient",
)
@pytest.mark.proves(
    "onlineEndpoints/deployments",
    honours=["properties.model", "properties.codeConfiguration", "properties.environmentId", "getLogs/tail"],
    client="MLClient",
)
@pytest.mark.proves(
    "onlineEndpoints", drives=["get", "list", "PUT", "DELETE", "listKeys", "regenerateKeys"], client="MLClient"
)
@pytest.mark.proves("onlineEndpoints/deployments", drives=["get", "PUT", "DELETE", "getLogs"], client="MLClient")
def test_mlclient_and_default_credential_work_unmodified(start_local_azure, tmp_path):
    azure = start_local_azure()
    make_platform(azure)
    datastore = azure.request("GET", f"{WORKSPACE}/datastores/workspaceblobstore").json()["properties"]
    model = azure.home / "blobs" / "stacc1" / datastore["containerName"] / "sluice" / "fraud" / "model.txt"
    model.parent.mkdir(parents=True)
    model.write_text("model")
    code = tmp_path / "code"
    code.mkdir()
    (code / "score.py").write_text("def init():\n    pass\n\n\ndef run(data):\n    return [1]\n")

    script = Path(__file__).parent / "ml_client_session.py"
    command = [sys.executable, str(script), identity.SUBSCRIPTION_ID, "rg1", "ws1", IDENTITY, str(code)]
    done = subprocess.run(command, env=azure.environment(), capture_output=True, text=True, timeout=HANGS, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    # The client prints dots while it polls, without line ends.
    seen = json.loads(done.stdout.partition("SEEN ")[2])

    print(f"MLClient: endpoint created in {seen.pop('create_seconds'):.2f} s")
    assert seen == {
        "location": LOCATION,
        "created": ["Succeeded", f"{azure.https}/endpoints/fraud-dev/score"],
        "keys": [True, 1],
        "blue": "Succeeded",
        "green": "Succeeded",
        "traffic": {"blue": 90, "green": 10},
        "tags": {"a": "b"},
        "logs": "InferenceServer of fraud-dev/blue, last 5",
        "renewed": True,
        "bad_traffic": [400, "BadRequest"],
        "delete_under_traffic": "InferencingClientCallFailed",
        "blue_afterwards": "Failed",
        "gone": "ResourceNotFound",
    }
    assert azure.plane.deployed == {}
    assert [call for call in azure.plane.calls if call.startswith("deploy")] == [
        "deploy fraud-dev/blue",
        "deploy fraud-dev/green",
    ]


@pytest.mark.proves("onlineEndpoints", honours=["properties.authMode", "regenerateKeys/keyType"], client="MLClient")
@pytest.mark.proves("onlineEndpoints/deployments", honours=["sku.capacity", "getLogs/containerType"], client="MLClient")
@pytest.mark.proves("batchEndpoints", honours=["properties.defaults.deploymentName"], client="MLClient")
@pytest.mark.proves(
    "Resources/deployments", honours=["properties.template", "properties.parameters"], client="MLClient"
)
@pytest.mark.proves("data plane", honours=["score"], client="MLClient")
@pytest.mark.proves(
    "MachineLearningServices/workspaces",
    drives=["get", "list", "PUT", "PATCH", "DELETE", "listKeys"],
    client="MLClient",
)
@pytest.mark.proves("models/versions", drives=["get", "PUT"], client="MLClient")
@pytest.mark.proves("workspaces/models", drives=["list"], client="MLClient")
@pytest.mark.proves("codes/versions", drives=["PUT", "list"], client="MLClient")
@pytest.mark.proves("environments/versions", drives=["PUT"], client="MLClient")
@pytest.mark.proves("data/versions", drives=["PUT", "list"], client="MLClient")
@pytest.mark.proves("workspaces/datastores", drives=["list", "get"], client="MLClient")
@pytest.mark.proves("workspaces/computes", drives=["PUT"], client="MLClient")
@pytest.mark.proves("batchEndpoints", drives=["get", "list", "PUT", "DELETE"], client="MLClient")
@pytest.mark.proves("batchEndpoints/deployments", drives=["PUT", "DELETE"], client="MLClient")
@pytest.mark.proves("workspaces/jobs", drives=["get", "list"], client="MLClient")
@pytest.mark.proves("Resources/deployments", drives=["PUT"], client="MLClient")
def test_mlclient_does_everything_else_unmodified(start_local_azure, tmp_path):
    plane = RoutedPlane()
    plane.answer = [1, 2]
    azure = start_local_azure(plane)
    assert azure.request("PUT", GROUP, {"location": LOCATION}).status_code == 201
    for folder in ("model", "code"):
        (tmp_path / folder).mkdir()
    (tmp_path / "model" / "weights.txt").write_text("weights")
    (tmp_path / "code" / "score.py").write_text("def init():\n    pass\n\n\ndef run(data):\n    return [1]\n")
    (tmp_path / "request.json").write_text('{"data": [1]}')

    script = Path(__file__).parent / "ml_client_everything.py"
    command = [sys.executable, str(script), identity.SUBSCRIPTION_ID, "rg1", str(tmp_path)]
    done = subprocess.run(command, env=azure.environment(), capture_output=True, text=True, timeout=HANGS, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.partition("SEEN ")[2]) == {
        "workspace": ["team", LOCATION, "b"],
        "changed workspace": ["changed", "d"],
        "workspaces": ["team"],
        "workspace keys": True,
        "model": ["local", "1", True],
        "latest model": "1",
        "data": ["rows", ["1"]],
        "environment": "1",
        "models": ["local"],
        "datastores": [f"workspace{name}" for name in ("artifactstore", "blobstore", "filestore", "workingdirectory")],
        "download": ["weights.txt"],
        "batch endpoint": ["Succeeded", ["nightly", "jobs"]],
        "batch deployment": "Succeeded",
        "default": "first",
        "job": True,
        "jobs": [[True], [True]],
        "workspace job": True,
        "job list": [True],
        "batch endpoints": [],
        "token": ["Bearer", 2, True],
        "inline deployment": "Succeeded",
        "answer": "[1, 2]",
        "logs": ["Instance status:", "Instance status:"],
        "scaled": 2,
        "deployments": [],
        "rotated": [True, False],
        "entra": True,
        "registry": [501, "NotEmulated"],
        "in the end": [],
    }
    assert "scale tokens/inline 2" in plane.calls
    assert [call for call in plane.calls if call.startswith("deploy")] == ["deploy tokens/inline"]


def test_metadata_has_the_form_that_each_client_reads(start_local_azure):
    azure = start_local_azure()
    old, new = (azure.request("GET", "/metadata/endpoints", version=v).json() for v in ("2019-05-01", "2022-09-01"))
    assert isinstance(old, list)
    assert old[0]["suffixes"]["storage"]
    assert new["resourceManager"] == azure.https
    assert new["authentication"]["audiences"]
    assert new["microsoftGraphResourceId"]


def test_the_token_endpoints_issue_tokens_with_the_callers_claims(start_local_azure):
    import requests

    azure = start_local_azure()
    discovery = requests.get(
        f"{azure.https}/{identity.TENANT_ID}/v2.0/.well-known/openid-configuration",
        verify=azure.trust,
        timeout=HANGS,
    ).json()
    form = {"grant_type": "client_credentials", "scope": "https://x/.default", "client_id": "c", "client_secret": "s"}
    answer = requests.post(discovery["token_endpoint"], data=form, verify=azure.trust, timeout=HANGS).json()
    assert answer["token_type"] == "Bearer"
    payload = answer["access_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert (claims["aud"], claims["tid"], claims["oid"]) == ("https://x", identity.TENANT_ID, identity.CALLER_OBJECT_ID)
    bare = requests.get(f"{azure.http}/msi/token?resource=https://x", timeout=HANGS)
    assert bare.status_code == 401


def test_only_local_names_are_answered(start_local_azure):
    import requests

    azure = start_local_azure()
    answer = requests.get(f"{azure.http}/_local/health", headers={"Host": "evil.example"}, timeout=HANGS)
    assert answer.status_code == 421
    assert requests.get(f"{azure.http}/_local/health", timeout=HANGS).json()["status"] == "ok"


def test_a_body_beyond_the_limit_is_refused(start_local_azure):
    azure = start_local_azure()
    answer = azure.request("PUT", GROUP, {"location": "x" * (5 << 20)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "RequestContentTooLarge")

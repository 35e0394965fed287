"""A batch job from invoke to output, over HTTP, against a whole local Azure with real processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localazure.batch.runner import BatchRunner
from localazure.scoring.environments import EnvironmentCache
from localazure.scoring.plane import ScoringPlane
from tests.localazure.conftest import LocalAzure
from tests.localazure.platform_bodies import HERE, PLATFORM, WORKSPACE
from tests.waiting import HANGS, wait_until
from toolchain.uv import find_uv

pytestmark = pytest.mark.integration

ENDPOINT = f"{WORKSPACE}/batchEndpoints/nightly"
SCRIPT = """
def run(mini_batch):
    rows = []
    for path in mini_batch:
        with open(path) as file:
            rows.append(int(file.read()) * 2)
    return rows
"""


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SLUICE_UV", str(find_uv(os.environ)))
    environments = EnvironmentCache(tmp_path / "environments")
    jobs = BatchRunner(tmp_path / "home" / "batch", environments)
    running = LocalAzure(tmp_path / "home", ScoringPlane(tmp_path / "home", environments), jobs)
    yield running
    running.close()


def put(azure: LocalAzure, path: str, body: dict) -> None:
    answer = azure.request("PUT", path, body)
    assert answer.status_code in (200, 201, 202), answer.text

    def state() -> str:
        properties = azure.request("GET", path).json().get("properties", {})
        return str(properties.get("provisioningState", "Succeeded"))

    wait_until(lambda: state() == "Succeeded", f"{path} is not ready")


def blob(azure: LocalAzure, method: str, path: str, text: str | None = None, query: str = ""):
    import requests  # slow to import

    headers = {"Authorization": "Bearer x", "x-ms-version": "2023-11-03", "x-ms-blob-type": "BlockBlob"}
    url = f"{azure.https}/stacc1/{path}{query}"
    return requests.request(method, url, data=text, headers=headers, verify=azure.trust, timeout=HANGS)


def test_an_invoked_batch_endpoint_scores_its_input_and_writes_blobs(azure: LocalAzure) -> None:
    import requests  # slow to import

    for path, body in PLATFORM:
        put(azure, path, body)
    assert blob(azure, "PUT", "given", query="?restype=container").status_code == 201
    for name, text in {"code/score.py": SCRIPT, "rows/a.txt": "4", "rows/b.txt": "21"}.items():
        assert blob(azure, "PUT", f"given/{name}", text).status_code == 201
    code, environment = f"{WORKSPACE}/codes/c/versions/1", f"{WORKSPACE}/environments/e/versions/1"
    put(azure, code, {"properties": {"codeUri": f"{azure.https}/stacc1/given/code"}})
    put(azure, environment, {"properties": {"condaFile": "dependencies:\n- python\n"}})
    put(azure, ENDPOINT, HERE | {"properties": {"authMode": "AADToken"}})
    deployment = {
        "codeConfiguration": {"codeId": code, "scoringScript": "score.py"},
        "environmentId": environment,
        "miniBatchSize": 1,
    }
    put(azure, f"{ENDPOINT}/deployments/first", HERE | {"properties": deployment})
    put(azure, ENDPOINT, HERE | {"properties": {"defaults": {"deploymentName": "first"}}})

    scoring_uri = azure.request("GET", ENDPOINT).json()["properties"]["scoringUri"]
    token = requests.get(
        f"{azure.http}/msi/token?resource=https://ml.azure.com",
        headers={"X-IDENTITY-HEADER": "local"},
        timeout=HANGS,
    ).json()["access_token"]
    rows = {"rows": {"uri": f"{azure.https}/stacc1/given/rows", "jobInputType": "UriFolder"}}
    job = requests.post(
        scoring_uri,
        json={"properties": {"inputData": rows}},
        headers={"Authorization": f"Bearer {token}"},
        verify=azure.trust,
        timeout=HANGS,
    ).json()
    assert job["properties"]["status"] == "Preparing"

    def shown() -> dict:
        return azure.request("GET", f"{WORKSPACE}/jobs/{job['name']}").json()["properties"]

    wait_until(lambda: shown()["status"] in ("Completed", "Failed"), "the job does not end")
    assert shown()["status"] == "Completed", shown()
    container = azure.request("GET", f"{WORKSPACE}/datastores/workspaceblobstore").json()["properties"]["containerName"]
    answer = blob(azure, "GET", f"{container}/azureml/{job['name']}/score/predictions.csv")
    assert (answer.status_code, answer.text) == (200, "8\n42\n")

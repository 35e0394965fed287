"""kill -9 at any moment of batch jobs: they end after a restart, with one whole result each, and no process is left."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.localazure.platform_bodies import WORKSPACE
from tests.waiting import HANGS, wait_until

pytestmark = pytest.mark.integration

HERE = {"location": "westeurope"}
ENDPOINT = f"{WORKSPACE}/batchEndpoints/nightly"
BLOB = {"x-ms-version": "2021-12-02", "x-ms-blob-type": "BlockBlob"}
JOBS = 8
ROUNDS = 4
SCRIPT = """
import subprocess, time
def run(mini_batch):
    subprocess.Popen(["sleep", "600"])
    time.sleep(0.1)
    return [open(path).read() for path in mini_batch]
"""
ROWS = sorted(str(number) for number in range(12))


def drivers(home: Path) -> list[int]:
    """Living processes of this home's batch jobs, what they started included."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            place = (folder / "cwd").readlink()
        except OSError:
            continue
        if command and (str(home / "batch").encode() in command or place.is_relative_to(home / "batch")):
            found.append(int(folder.name))
    return found


def create_dependencies(azure: Any) -> None:
    azure.make_workspace()
    assert azure.request("PUT", f"{azure.http}/stacc1/given?restype=container", **BLOB).status_code == 201
    files = {"code/score.py": SCRIPT} | {f"rows/{row}.txt": row for row in ROWS}
    for name, text in files.items():
        answer = azure.session.put(f"{azure.http}/stacc1/given/{name}", data=text, headers=BLOB, timeout=HANGS)
        assert answer.status_code == 201
    code, environment = f"{WORKSPACE}/codes/c/versions/1", f"{WORKSPACE}/environments/e/versions/1"
    deployment = {
        "codeConfiguration": {"codeId": code, "scoringScript": "score.py"},
        "environmentId": environment,
        "miniBatchSize": 2,
        "maxConcurrencyPerInstance": 2,
    }
    for path, body in {
        code: {"properties": {"codeUri": f"{azure.https}/stacc1/given/code"}},
        environment: {"properties": {"condaFile": "dependencies:\n- python\n"}},
        ENDPOINT: HERE | {"properties": {"authMode": "AADToken"}},
        f"{ENDPOINT}/deployments/first": HERE | {"properties": deployment},
    }.items():
        while (answer := azure.request("PUT", path, body)).status_code == 409:
            time.sleep(0.05)  # the operation before it is still running
        assert answer.status_code in (200, 201), answer.text


def invoke(azure: Any) -> str:
    token = azure.session.get(
        f"{azure.http}/msi/token", params={"resource": "https://ml.azure.com"}, headers={"X-IDENTITY-HEADER": "local"}
    ).json()["access_token"]
    answer = azure.session.post(
        f"{azure.http}/endpoints/nightly/jobs",
        json={"properties": {"inputData": {"rows": {"uri": f"{azure.https}/stacc1/given/rows"}}}},
        headers={"Authorization": f"Bearer {token}", "azureml-model-deployment": "first"},
        timeout=HANGS,
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["name"])


def status(azure: Any, job: str) -> str:
    return str(azure.request("GET", f"{WORKSPACE}/jobs/{job}").json()["properties"]["status"])


def ended(azure: Any, jobs: list[str]) -> dict[str, str]:
    ends = {"Completed", "Failed", "Canceled"}
    wait_until(lambda: {status(azure, job) for job in jobs} <= ends, "jobs do not end", look_seconds=0.1)
    return {job: status(azure, job) for job in jobs}


def test_jobs_end_once_however_often_the_server_is_killed(azure: Any) -> None:
    create_dependencies(azure)
    moments = random.Random(7)
    jobs = [invoke(azure) for _ in range(JOBS)]
    for _ in range(ROUNDS):
        time.sleep(moments.uniform(0.1, 2.0))  # whatever is going on then: what follows holds at any moment
        azure.kill()
        azure.start()
    canceled = jobs.pop()
    azure.request("POST", f"{WORKSPACE}/jobs/{canceled}/cancel")
    assert set(ended(azure, jobs).values()) == {"Completed"}
    assert ended(azure, [canceled])[canceled] in ("Canceled", "Completed")
    shown = azure.request("GET", f"{WORKSPACE}/datastores/workspaceblobstore").json()["properties"]
    for job in jobs:
        place = f"{azure.http}/stacc1/{shown['containerName']}/azureml/{job}/score/predictions.csv"
        assert sorted(azure.session.get(place, headers=BLOB, timeout=HANGS).text.split()) == ROWS
    wait_until(lambda: not drivers(azure.home), "processes are left")
    assert not [path for path in (azure.home / "blobs").glob("*/.uploads/*/*") if path.is_file()]
    assert "Traceback" not in azure.log()


def test_a_workspace_that_is_deleted_takes_its_jobs_along(azure: Any) -> None:
    create_dependencies(azure)
    jobs = [invoke(azure) for _ in range(3)]
    wait_until(lambda: any(status(azure, job) == "Running" for job in jobs))
    wait_until(lambda: drivers(azure.home))
    assert azure.wait(azure.request("DELETE", WORKSPACE))["status"] == "Succeeded"
    wait_until(lambda: not drivers(azure.home), "processes are left")
    assert azure.request("GET", f"{azure.http}/_local/health").status_code == 200
    assert "Traceback" not in azure.log()

"""Batch jobs whose input or output lies where it may not, or is written by a hostile script."""

import asyncio
import os
from pathlib import Path

import pytest

from localazure.batch.specification import BatchResult
from tests.localazure.arm.test_batch import DATA, WORKSPACE, endpoint, invoke, job_of, runnable, served, wait_for_job

__all__ = ["endpoint", "runnable", "served"]  # fixtures

HERE = "https://localhost:1/stacc1"


def outcome(arm, **asked):
    status, answer, _ = invoke(arm, **asked)
    assert status == 201
    wait_for_job(arm, answer["name"])
    shown = job_of(arm, answer["name"])
    return shown["status"], shown["properties"].get("localazure.error", "")


@pytest.mark.parametrize(
    "uri",
    [
        "azureml://datastores/workspaceblobstore/paths/../../../../../../etc/passwd",
        "azureml://datastores/workspaceblobstore/paths//etc/passwd",
        "azureml://datastores/../paths/x",
        "azureml://datastores/none/paths/x",
        "azureml://datastores/workspacefilestore/paths/x",
        "azureml://subscriptions/s/resourcegroups/g/workspaces/../datastores/workspaceblobstore/paths/x",
        "file:///etc/passwd",
        "/etc/passwd",
        f"{HERE}/../../../../etc/passwd",
        f"{HERE}/given/../../../../etc/passwd",
        f"{HERE}/.uploads/given",
        f"{HERE}/given",
        f"{HERE}/none/rows",
        "https://localhost:1/elsewhere/given/rows",
        f"{HERE}/given/rows/" + "a/" * 600,
        f"{HERE}/given/" + "a" * 300,
        "x" * 5000,
        "",
    ],
)
def test_an_input_that_cannot_be_had_fails_the_job_with_a_reason(runnable, uri):
    status, error = outcome(runnable, inputData={"rows": {"uri": uri}})
    assert status == "Failed"
    assert not error.startswith("InternalServerError"), error
    assert runnable.batch.jobs == []


@pytest.mark.parametrize(
    "uri",
    [
        "azureml://datastores/workspaceblobstore/paths/../../../../../../tmp/x",
        f"{HERE}/given/../../../x",
        f"{HERE}/none/x",
        f"{HERE}/.uploads/x",
        "file:///tmp/x",
    ],
)
def test_an_output_that_cannot_be_written_fails_the_job_and_leaves_no_upload(runnable, uri):
    status, error = outcome(runnable, inputData=DATA, outputData={"o": {"uri": uri}})
    assert status == "Failed"
    assert not error.startswith("InternalServerError"), error
    assert [path for path in (runnable.home / "blobs").rglob(".uploads/*/*") if path.is_file()] == []


def written_by(runnable, tmp_path, write):
    """The job's outcome when its script leaves what `write` makes in the folder of the output."""
    output = tmp_path / "output"
    output.mkdir()
    write(output)

    async def run(spec, started):
        started()
        return BatchResult(output, 0)

    runnable.batch.run = run
    return outcome(runnable, inputData=DATA)


def odd_name(output: Path) -> None:
    (Path(os.fsdecode(bytes(output) + b"/\xff\xfe"))).write_text("x")


def backslash(output: Path) -> None:
    (output / "a\\b").write_text("x")


@pytest.mark.parametrize("write", [odd_name, backslash])
def test_names_that_no_blob_can_have_fail_the_job(runnable, tmp_path, write):
    status, error = written_by(runnable, tmp_path, write)
    assert status == "Failed"
    assert not error.startswith("InternalServerError"), error


def test_what_is_no_file_is_no_output(runnable, tmp_path):
    def write(output: Path) -> None:
        os.mkfifo(output / "pipe")
        (output / "loop").symlink_to(output)
        (output / "device").symlink_to("/dev/zero")
        (output / "gone").symlink_to("/none")
        (output / "good.csv").write_text("1")

    assert written_by(runnable, tmp_path, write) == ("Completed", "")


def test_a_cancelled_job_stays_cancelled_whatever_ends_later(runnable):
    runnable.batch.gate = asyncio.Event()
    _, answer, _ = invoke(runnable, inputData=DATA)
    runnable.settle()
    assert runnable.post(f"{WORKSPACE}/jobs/{answer['name']}/cancel").status == 200
    runnable.batch.gate.set()
    runnable.settle()
    runnable.restart()
    runnable.settle()
    assert job_of(runnable, answer["name"])["status"] == "Canceled"
    assert runnable.batch.jobs == []  # of the restarted server


def test_a_job_goes_on_when_its_endpoint_is_deleted(runnable):
    runnable.batch.gate = asyncio.Event()
    _, answer, _ = invoke(runnable, inputData=DATA)
    runnable.settle()
    held, runnable.batch.gate = runnable.batch.gate, None
    assert runnable.delete(f"{WORKSPACE}/batchEndpoints/nightly").status == 202
    held.set()
    wait_for_job(runnable, answer["name"])
    assert job_of(runnable, answer["name"])["status"] == "Completed"

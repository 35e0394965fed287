"""Runs the job of an invoked batch deployment: finds its files, runs its script, stores its output as blobs.

A job that cannot run ends Failed with the reason; a job is Completed only if its script ran over its input. The run
history of clients (logs and output of a job by way of its child runs) is not emulated: a job names its output.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localazure.arm.control_plane import ControlPlane
from localazure.arm.namespaces.machine_learning.assets.files import blob_place, local_path
from localazure.arm.namespaces.machine_learning.durations import seconds_of
from localazure.arm.namespaces.machine_learning.workspace.datastores import DEFAULT
from localazure.arm.namespaces.machine_learning.workspace.workspaces import workspace_id_of
from localazure.arm.operations import DISK_FULL_SECONDS
from localazure.batch.specification import BatchSpec
from localazure.disk import disk_full, is_full
from localazure.errors import ArmError
from localazure.resource import Resource
from localazure.scoring.specification import DeploymentFailed
from localazure.storage.errors import BlobError

log = logging.getLogger(__name__)

TERMINAL = ("Completed", "Failed", "Canceled")


def job_status(job: Resource) -> str:
    """The status of a job. A job that an earlier version of this program stored has none; it counts as finished."""
    return str(job.private.get("status", "Failed"))


async def run_job(plane: ControlPlane, job_id: str) -> None:
    """Run a stored job to its end. Idempotent: after a restart it starts from the beginning."""
    job = plane.store.get(job_id)
    if job is None or job_status(job) in TERMINAL:
        return
    until_running, until_end = plane.timing.job_seconds
    await asyncio.sleep(until_running)
    try:
        spec = batch_spec(plane, job)
        result = await plane.batch.run(spec, lambda: _set(plane, job_id, "Running"))
        await asyncio.sleep(until_end - until_running)
        place = await _publish(plane, job, result.output)
    except (DeploymentFailed, ArmError, BlobError) as failed:
        status, facts = "Failed", {"localazure.error": f"{failed.code}: {failed.message}"}
    except OSError as failed:
        status, facts = "Failed", {"localazure.error": f"InternalServerError: {failed}"}
    except Exception as failed:
        if is_full(failed):
            text = disk_full().message
        else:
            log.exception("the run of %s crashed", job_id)
            text = "the local Azure failed; see its log."
        status, facts = "Failed", {"localazure.error": f"InternalServerError: {text}"}
    else:
        status = "Completed"
        facts = {"localazure.output": place, "localazure.failed_inputs": str(result.failed_inputs)}
    await _end(plane, job_id, status, facts)


async def _end(plane: ControlPlane, job_id: str, status: str, facts: Mapping[str, str]) -> None:
    """A job whose end cannot be written keeps its status until there is space on the disk."""
    while True:
        try:
            return _set(plane, job_id, status, facts)
        except Exception as exc:
            if not is_full(exc):
                raise
            log.error("the end of %s waits for space on the disk", job_id)
        await asyncio.sleep(DISK_FULL_SECONDS)


def _set(plane: ControlPlane, job_id: str, status: str, facts: Mapping[str, str] | None = None) -> None:
    job = plane.store.get(job_id)
    if job is not None and job_status(job) not in TERMINAL:
        job.private["status"] = status
        job.properties["properties"] |= dict(facts or {})
        plane.store.save(job)


def batch_spec(plane: ControlPlane, job: Resource) -> BatchSpec:
    """The job's specification, from the deployment at the time of the invoke. Raises DeploymentFailed or ArmError."""
    deployment, sent = job.private["deployment_properties"], job.private["sent"]
    workspace = plane.store.get(workspace_id_of(job.resource_id))
    assert workspace is not None  # a deleted workspace takes its jobs along
    code = deployment.get("codeConfiguration") or {}
    if not code.get("codeId") or not code.get("scoringScript"):
        raise DeploymentFailed("NotEmulated", "The local Azure runs batch deployments with a scoring script only.")
    environment = _asset(plane, deployment.get("environmentId"), "environment")
    model = _asset(plane, (deployment.get("model") or {}).get("assetId"), "model", needed=False)
    code_version = _asset(plane, code["codeId"], "code")
    assert environment is not None
    assert code_version is not None
    retries, resources = deployment["retrySettings"], deployment["resources"]
    asked = sent.get("compute") or {}
    output_file = str(sent.get("outputFileName") or deployment["outputFileName"])
    if Path(output_file).name != output_file or output_file in ("", ".", ".."):
        raise DeploymentFailed("UserError", f"outputFileName must be the name of a file, got {output_file!r}.")
    return BatchSpec(
        job=job.name,
        conda_file=environment.private.get("condaFile"),
        image=environment.properties.get("image"),
        code_folder=_files(plane, workspace, code_version.properties["codeUri"]),
        scoring_script=str(code["scoringScript"]),
        model=_files(plane, workspace, model.properties["modelUri"]) if model else None,
        inputs=_inputs(plane, workspace, sent.get("inputData") or {}),
        mini_batch_size=_whole("miniBatchSize", sent.get("miniBatchSize", deployment["miniBatchSize"]), 1),
        max_retries=_whole("retrySettings.maxRetries", retries["maxRetries"], 0),
        mini_batch_timeout_seconds=seconds_of(retries["timeout"]),
        error_threshold=_whole("errorThreshold", sent.get("errorThreshold", deployment["errorThreshold"]), -1),
        workers=_whole("maxConcurrencyPerInstance", deployment["maxConcurrencyPerInstance"], 1)
        * _whole("instanceCount", asked.get("instanceCount") or resources["instanceCount"], 1),
        append_row=deployment["outputAction"] == "AppendRow",
        output_file_name=output_file,
        logging_level=str(deployment["loggingLevel"]),
        environment_variables={name: str(value) for name, value in deployment["environmentVariables"].items()},
    )


def _whole(field: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or value < least:
        raise DeploymentFailed("UserError", f"{field} must be a whole number of at least {least}, got {value!r}.")
    return int(value)


def _asset(plane: ControlPlane, asset_id: Any, kind: str, *, needed: bool = True) -> Resource | None:
    if not asset_id and not needed:
        return None
    asset = plane.store.get(str(asset_id).removeprefix("azureml:")) if asset_id else None
    if asset is None:
        raise DeploymentFailed(
            "ResourceNotFound", f"The {kind} {asset_id or '(none)'} of the deployment does not exist."
        )
    return asset


def _files(plane: ControlPlane, workspace: Resource, uri: Any) -> Path:
    path = local_path(plane, workspace, str(uri))
    if path is None:
        raise DeploymentFailed("NotEmulated", f"The local Azure cannot read {uri}.")
    if not path.exists():
        raise DeploymentFailed("ResourceNotFound", f"There are no files at {uri}.")
    return path


def _inputs(plane: ControlPlane, workspace: Resource, sent: Mapping[str, Any]) -> tuple[Path, ...]:
    """The files of every input; folders in the order of names."""
    found: list[Path] = []
    for value in sent.values():
        uri = str(value.get("uri") or value.get("assetId") or "")
        asset = plane.store.get(uri.removeprefix("azureml:"))
        path = _files(plane, workspace, asset.properties["dataUri"] if asset and "dataUri" in asset.properties else uri)
        found += sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]
    if not found:
        raise DeploymentFailed("UserError", "The job has no input files.")
    return tuple(found)


def output_uri(job_name: str, sent: Mapping[str, Any]) -> str:
    """The location of the output: as requested, or else the documented default."""
    asked = sent.get("outputDataset") or {}
    for value in (sent.get("outputData") or {}).values():
        if isinstance(value, dict) and value.get("uri"):
            return str(value["uri"]).rstrip("/")
    datastore = str(asked.get("datastoreId") or DEFAULT).rsplit("/", 1)[-1]
    path = str(asked.get("path") or f"azureml/{job_name}/score").strip("/")
    return f"azureml://datastores/{datastore}/paths/{path}"


async def _publish(plane: ControlPlane, job: Resource, folder: Path) -> str:
    """Store the output files as blobs; returns their location."""
    workspace = plane.store.get(workspace_id_of(job.resource_id))
    assert workspace is not None
    uri = output_uri(job.name, job.private["sent"])
    place = blob_place(plane, workspace, uri)
    if place is None:
        raise DeploymentFailed("NotEmulated", f"The local Azure cannot write to {uri}.")
    account, container, prefix = place
    for file in await asyncio.to_thread(_files_below, folder):
        name = f"{prefix}/{file.relative_to(folder).as_posix()}"
        if not name.isascii() and name != name.encode(errors="replace").decode():
            raise DeploymentFailed("UserError", f"The script wrote a file whose name is not UTF-8: {name!a}.")
        upload = plane.blobs.new_upload(account, container)
        try:
            digest = await asyncio.to_thread(_copy, file, upload)
            plane.blobs.commit_upload(account, container, name, upload, upload.stat().st_size, digest, {})
        except BaseException:
            upload.unlink(missing_ok=True)
            raise
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return uri


def _files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _copy(source: Path, target: Path) -> str:
    """Copies a file; returns its MD5 in the blob service's format."""
    shutil.copyfile(source, target)
    with target.open("rb") as content:
        return base64.b64encode(
            hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).digest()
        ).decode()

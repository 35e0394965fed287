"""Jobs of a workspace, which invoked batch deployments create.

They run (see `runs`), and their status is that of the real run. Jobs cannot be submitted in any other way.

Both forms of a job are recorded: the answer to an invoke and, in part, the job in the workspace.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn

from localazure.arm.behaviour import Action, Behaviour
from localazure.arm.control_plane import ControlPlane, new_guid
from localazure.arm.namespaces.machine_learning.batch.runs import TERMINAL, job_status, run_job
from localazure.arm.namespaces.machine_learning.durations import seconds_of
from localazure.arm.namespaces.machine_learning.workspace.workspaces import workspace_id_of
from localazure.arm.reply import Reply, Request
from localazure.arm.resource_body import Shape, envelope
from localazure.arm.timing import time_text
from localazure.errors import NotEmulated
from localazure.resource import Resource
from localazure.resource_id import ResourceId

TYPE = "Microsoft.MachineLearningServices/workspaces/jobs"
BATCH_TYPE = "Microsoft.MachineLearningServices/workspaces/batchEndpoints/deployments/jobs"


class Jobs(Behaviour):
    """A job that an invoked batch endpoint created: its script runs here, without a cluster."""

    tracked = False

    def __init__(self, plane: ControlPlane, shape: Shape) -> None:
        super().__init__(plane, shape)
        self._runs: dict[str, asyncio.Task[None]] = {}
        """The running jobs of this process, by the job's key."""

    def created(self, resource: Resource) -> None:
        """Run a job in the background."""
        run = self.plane.run_in_background(run_job(self.plane, resource.id))
        self._runs[resource.key] = run
        run.add_done_callback(lambda _: self._runs.pop(resource.key, None))

    def restore(self) -> None:
        """Restart the jobs that an earlier process left unfinished."""
        for job in self.store.of_type(self.shape.arm):
            if job_status(job) not in TERMINAL:
                self.created(job)

    def removed(self, resource: Resource) -> None:
        self._end_run(resource)

    def _end_run(self, job: Resource) -> None:
        run = self._runs.pop(job.key, None)
        if run is not None:
            run.cancel()

    def put(self, request: Request) -> NoReturn:
        raise NotEmulated("Submitting a job")

    def read(self, resource: Resource, request: Request) -> dict[str, Any]:
        properties = resource.properties | {"status": job_status(resource)}
        return resource.body | {"properties": properties}

    def list_children(self, parent_id: str, request: Request) -> Reply:
        reply = super().list_children(parent_id, request)
        reply.body["value"].reverse()
        return reply

    def _cancel(self, request: Request, job: Resource) -> Reply:
        if job_status(job) not in TERMINAL:
            job.private["status"] = "Canceled"
            self.store.save(job)
            self._end_run(job)  # only now: with a full disk, neither happens
        return Reply(200)

    actions: ClassVar[Mapping[str, Action]] = {"cancel": _cancel}


def create_job(plane: ControlPlane, deployment: Resource, sent: dict[str, Any], caller: str) -> dict[str, Any]:
    """Store the job of one invoke; returns the data plane's answer."""
    name = f"batchjob-{new_guid()}"
    workspace_id = workspace_id_of(deployment.resource_id)
    endpoint_name = deployment.resource_id.names[-2]
    created = plane.clock()
    now = time_text(created)
    who = {"createdAt": now, "createdBy": caller, "lastModifiedAt": now, "lastModifiedBy": caller}
    answer = _answer(plane, deployment, name, sent)
    answer["systemData"] = who
    properties = {
        "jobType": "Pipeline",
        "displayName": answer["properties"]["name"],
        "experimentName": (sent.get("properties") or {}).get("experimentName") or endpoint_name,
        "description": f"Pipeline submission for endpoint: {endpoint_name}, deployment: {deployment.name}.",
        "tags": answer["properties"]["tags"],
        "properties": dict(answer["properties"]["properties"]),
        "services": {kind: _service(point) for kind, point in answer["properties"]["interactionEndpoints"].items()},
        # Recorded: the job is a pipeline, and the workspace shows none of its steps.
        **dict.fromkeys(
            ("computeId", "componentId", "identity", "settings", "jobs", "inputs", "outputs", "sourceJobId")
        ),
        "isArchived": False,
        "status": "Preparing",
    }
    job_id = f"{workspace_id}/jobs/{name}"
    created_by = {"createdAt": now, "createdBy": caller, "createdByType": "User"}  # recorded: no more
    body = envelope(job_id, TYPE, properties=properties, systemData=created_by)
    private = {"created": created, "deployment": deployment.key, "endpoint": ResourceId(deployment.key).parent}
    private |= {"answer": answer, "status": "Preparing", "sent": sent, "deployment_properties": deployment.properties}
    job = Resource(id=job_id, body=body, private=private)
    plane.store.save(job)
    plane.behaviour(TYPE).created(job)
    return answer


def batch_jobs(plane: ControlPlane, workspace_id: str, owner_id: str) -> list[dict[str, Any]]:
    """The jobs of a batch endpoint or deployment in the data plane's order, newest first."""
    owner = owner_id.lower()
    found = []
    for job in reversed(plane.store.children(workspace_id, TYPE)):
        if owner in (job.private.get("endpoint"), job.private.get("deployment")):
            answer = job.private["answer"]
            found.append(answer | {"properties": answer["properties"] | {"status": job_status(job)}})
    return found


def run_details(job: Resource) -> dict[str, Any]:
    """The run history's view of a job."""
    bag, status = job.properties["properties"], job_status(job)
    code, _, message = str(bag.get("localazure.error", "")).partition(": ")
    return {
        "runId": job.name,
        "status": status,
        "startTimeUtc": job.body["systemData"]["createdAt"],
        "error": {"error": {"code": code, "message": message}} if status == "Failed" else None,
        "warnings": [],
        "tags": job.properties["tags"],
        "properties": bag,
        "logFiles": {},
    }


def _answer(plane: ControlPlane, deployment: Resource, name: str, sent: dict[str, Any]) -> dict[str, Any]:
    shown, workspace_id = deployment.properties, workspace_id_of(deployment.resource_id)
    group, workspace = deployment.resource_id.resource_group, workspace_id.rsplit("/", 1)[-1]
    scope = f"/subscriptions/{deployment.resource_id.subscription}/resourcegroups/{group}/workspaces/{workspace}"
    host = plane.base_url.removeprefix("https://")
    compute = sent.get("compute") or {}
    output = sent.get("outputDataset") or {}
    properties = {
        "provisioningState": "Succeeded",
        "inputData": {key: _input(value) for key, value in (sent.get("inputData") or {}).items()},
        "compute": {
            "target": shown.get("compute"),
            "instanceCount": compute.get("instanceCount"),
            "isLocal": bool(compute.get("isLocal", False)),
            "location": None,
            "instanceType": None,
            "properties": None,
        },
        "output": {"datastoreId": output.get("datastoreId"), "path": output.get("path")},
        "retrySettings": shown["retrySettings"],
        "status": "Preparing",
        "interactionEndpoints": {
            "Tracking": _interaction("Tracking", f"azureml://{host}/mlflow/v1.0{workspace_id}?"),
            "Studio": _interaction("Studio", f"{plane.base_url}/runs/{name}?wsid={scope}"),
        },
        "tags": {
            "outputType": "output_data",
            "inputType": "input_data",
            "azureml.batchrun": "true",
            "azureml.deploymentname": deployment.name,
            "azureml.jobtype": "azureml.batchjob",
        },
        "properties": {
            "azureml.pipelineid": new_guid(),
            "azureml.runsource": "azureml.PipelineRun",
            "runSource": "Unavailable",
            "runType": "HTTP",
            "azureml.parameters": _parameters(shown, sent),
            "azureml.continue_on_step_failure": "False",
            "azureml.continue_on_failed_optional_input": "False",
            "azureml.pipelineComponent": "pipelinerun",
        },
        "name": f"local_job_{secrets.token_hex(4)}",
    }
    return envelope(f"{deployment.id}/jobs/{name}", BATCH_TYPE, properties=properties)


def _input(sent: dict[str, Any]) -> dict[str, Any]:
    kind = str(sent.get("jobInputType", "UriFolder"))
    if "uri" not in sent:
        return {"description": None, **sent}
    return {"description": None, "uri": sent["uri"], "mode": sent.get("mode", "ReadOnlyMount"), "jobInputType": kind}


def _interaction(kind: str, endpoint: str) -> dict[str, Any]:
    return {"jobEndpointType": kind, "port": None, "endpoint": endpoint, "properties": None}


def _service(point: dict[str, Any]) -> dict[str, Any]:
    """A job's service in the workspace's form; the invoke's answer has another form (both recorded)."""
    shown = {"jobServiceType": point["jobEndpointType"], "port": point["port"], "endpoint": point["endpoint"]}
    return shown | dict.fromkeys(("status", "errorMessage", "properties", "nodes"))


def _parameters(shown: dict[str, Any], sent: dict[str, Any]) -> str:
    retries = shown["retrySettings"]
    nodes = (sent.get("compute") or {}).get("instanceCount") or shown["resources"]["instanceCount"]
    values = {
        "run_max_try": retries["maxRetries"],
        "run_invocation_timeout": int(seconds_of(retries["timeout"])),
        "mini_batch_size": sent.get("miniBatchSize", shown["miniBatchSize"]),
        "error_threshold": sent.get("errorThreshold", shown["errorThreshold"]),
        "logging_level": str(shown["loggingLevel"]).upper(),
        "process_count_per_node": shown["maxConcurrencyPerInstance"],
        "legacy_model_job": False,
        "NodeCount": nodes,
        "append_row_file_name": sent.get("outputFileName", shown["outputFileName"]),
    }
    return json.dumps({key: str(value) for key, value in values.items()}, separators=(",", ":"))

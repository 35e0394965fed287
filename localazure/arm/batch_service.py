"""The data plane of batch endpoints over HTTP: invoke, list and read jobs, and the service discovery for it.

It stores jobs, which then run (see `namespaces.machine_learning.jobs`).
"""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from localazure import identity
from localazure.arm.control_plane import ControlPlane
from localazure.arm.namespaces.machine_learning.batch.endpoints import DEPLOYMENTS
from localazure.arm.namespaces.machine_learning.batch.jobs import batch_jobs, create_job, run_details
from localazure.arm.namespaces.machine_learning.workspace.workspaces import workspace_id_of
from localazure.arm.timing import time_text
from localazure.errors import ArmError, BadRequest, NotEmulated, NotFound, Unauthorized, data_plane_body
from localazure.requests import read_body, read_json
from localazure.resource import Resource
from localazure.resource_id import ResourceId, split_path

_ENDPOINTS = "Microsoft.MachineLearningServices/workspaces/batchEndpoints"
_MANAGEMENT = "/mferp/managementfrontend"
_RUN_HISTORY = "/history/v1.0"
_RUN_DETAILS = re.compile(r"(?P<workspace>/.+)/runs/(?P<run>[^/]+)/details", re.IGNORECASE)
_DATA_VERSION = "2020-09-01-dataplanepreview"  # recorded
# Recorded: the services that the discovery names. Here all of them are this host, and most of them are not emulated.
_SERVICES = (
    *("api", "catalog", "experimentation", "gallery", "history", "hyperdrive", "labeling", "modelmanagement"),
    *("pipelines", "studio"),
)


class BatchService:
    """Handlers over one control plane."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/discovery", self._discovery),
            web.post("/endpoints/{endpoint}/jobs", self._invoke),
            web.get(_MANAGEMENT + "/{path:.*}", self._read),
            web.get(_RUN_HISTORY + "/{path:.*}", self._run),
            web.get("/registrymanagement/{path:.*}", self._registries),
            # Generic assets, MLflow ...: a container of a storage account cannot have such a name.
            web.route("*", r"/{service:[a-z]+}/{version:v\d+\.\d+}/{path:.*}", self._other_services),
            web.route("*", "/{service:genericasset}/subscriptions/{path:.*}", self._other_services),
        ]

    async def _discovery(self, request: web.Request) -> web.Response:
        base = self._plane.base_url
        return web.json_response(dict.fromkeys(_SERVICES, base))

    async def _registries(self, request: web.Request) -> web.Response:
        error = NotEmulated("A registry of models and environments")
        return web.json_response(error.body(), status=error.status)

    async def _other_services(self, request: web.Request) -> web.Response:
        error = NotEmulated(f"The workspace's service {request.match_info['service']}")
        return web.json_response(error.body(), status=error.status)

    async def _invoke(self, request: web.Request) -> web.Response:
        location, headers = "", {}
        try:
            self._check_caller(request)
            endpoint = self._endpoint(request.match_info["endpoint"])
            location = str(endpoint.body["location"])
            deployment = self._deployment(endpoint, request.headers.get("azureml-model-deployment"))
            headers["azureml-model-deployment"] = deployment.name
            sent = _properties(await read_body(request))
            self._check_output(endpoint, sent)
            answer = create_job(self._plane, deployment, sent, identity.CALLER_NAME)
        except NotFound as error:
            time = time_text(self._plane.clock())
            body = data_plane_body(error, "NotFoundError", location, time)
            return web.json_response(body, status=error.status, headers=headers)
        except ArmError as error:
            return web.json_response(error.body(), status=error.status)
        headers["Location"] = f"{self._plane.base_url}{_MANAGEMENT}{deployment.id}?api-version={_DATA_VERSION}"
        return web.json_response(answer, status=201, headers=headers)

    async def _read(self, request: web.Request) -> web.Response:
        """`.../batchEndpoints/{e}[/deployments/{d}]/jobs[/{name}]` with an ARM path in front."""
        try:
            self._check_caller(request)
            segments = split_path(request.match_info["path"])
            name = None if segments[-1].lower() == "jobs" else segments.pop()
            collection = segments.pop() if segments else ""
            owner_id = ResourceId("/" + "/".join(segments))
            owner = self._plane.store.get(owner_id.text)
            if owner is None or collection.lower() != "jobs" or "/batchendpoints" not in owner_id.type:
                raise NotFound.resource(owner_id.relative, owner_id.resource_group)
            jobs = batch_jobs(self._plane, workspace_id_of(owner_id), owner_id.text)
            if name is None:
                return web.json_response({"value": jobs})
            job = next((job for job in jobs if job["name"] == name), None)
            if job is None:
                raise NotFound("UserError", f"There is no job with name: {name}")
        except ArmError as error:
            return web.json_response(error.body(), status=error.status)
        return web.json_response(job)

    async def _run(self, request: web.Request) -> web.Response:
        """The details of a job's run, which `jobs.stream` of azure-ai-ml asks for; the rest of the run history is not
        emulated. Not recorded: it returns the fields of the client's model that are known here."""
        try:
            self._check_caller(request)
            segments = split_path(request.match_info["path"])
            asked = _RUN_DETAILS.fullmatch("/" + "/".join(segments))
            if asked is None:
                raise NotEmulated(f"The run history's {segments[-1][:64]}")
            job = self._plane.store.get(f"{asked['workspace']}/jobs/{asked['run']}")
            if job is None:
                raise NotFound("UserError", f"There is no run with id {asked['run'][:64]}")
        except ArmError as error:
            return web.json_response(error.body(), status=error.status)
        return web.json_response(run_details(job))

    def _check_caller(self, request: web.Request) -> None:
        """Accepts any token of this installation; its audience is not checked."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        claims = identity.decode_token(token.strip(), self._plane.token_secret, self._plane.clock())
        if scheme.lower() != "bearer" or claims is None:
            raise Unauthorized

    def _endpoint(self, name: str) -> Resource:
        for endpoint in self._plane.store.of_type(_ENDPOINTS):
            if endpoint.name.lower() == name.lower():
                return endpoint
        raise NotFound("NotFound", f"There is no batch endpoint with name: {name[:64]}")

    def _deployment(self, endpoint: Resource, asked: str | None) -> Resource:
        name = asked or endpoint.properties["defaults"]["deploymentName"]
        if not name:
            # Not recorded; the wording is ours.
            raise BadRequest("BadRequest", f"Batch endpoint {endpoint.name} has no default deployment; name one.")
        for deployment in self._plane.store.children(endpoint.id, DEPLOYMENTS):
            if deployment.name.lower() == name.lower():
                return deployment
        raise NotFound("NotFound", f"Batch endpoint {endpoint.name} has no deployment {name[:64]}.")

    def _check_output(self, endpoint: Resource, sent: dict[str, Any]) -> None:
        datastore = (sent.get("outputDataset") or {}).get("datastoreId")
        if isinstance(datastore, str) and self._plane.store.get(datastore.removeprefix("azureml:")) is None:
            # Status, code and wording as recorded.
            raise NotFound("UserError", f"Could not find datastore: {datastore.rsplit('/', 1)[-1]}.")


def _properties(raw: bytes) -> dict[str, Any]:
    body = read_json(raw)
    properties = body.get("properties") if isinstance(body, dict) else None
    if not isinstance(properties, dict):
        raise BadRequest("BadRequest", "The request needs an object `properties`.")
    for field in ("inputData", "outputData", "compute", "outputDataset", "properties"):
        value = properties.get(field) or {}
        holds = field in ("inputData", "outputData")
        if not isinstance(value, dict) or (holds and not all(isinstance(v, dict) for v in value.values())):
            raise BadRequest("BadRequest", f"properties.{field} must be an object.")
    return properties

"""Asset versions of a workspace: codes, models, data. All synchronous, with the recorded status codes.

Environments are in `environments`, containers of all assets in `containers`. Not emulated: registries.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Mapping
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from localazure.arm.behaviour import Action, Behaviour
from localazure.arm.control_plane import new_guid
from localazure.arm.namespaces.machine_learning.assets.containers import (
    missing_container,
    shown_by_view,
    without_modifier,
)
from localazure.arm.namespaces.machine_learning.assets.files import local_path
from localazure.arm.namespaces.machine_learning.workspace.workspaces import workspace_id_of
from localazure.arm.reply import Reply, Request, with_location
from localazure.errors import BadRequest, NotFound
from localazure.resource import Resource
from localazure.resource_id import ResourceId
from localazure.scoring.specification import DeploymentFailed
from localazure.storage.signatures import container_signature

_UPLOAD_SECONDS = 24 * 3600
_NEXT = "$skipToken"
_MODEL_VERSION = re.compile("[1-9][0-9]*")


class AssetVersions(Behaviour):
    """One version of an asset."""

    tracked = False
    required: ClassVar[tuple[str, ...]] = ()
    immutable: ClassVar[tuple[str, ...]] = ()
    defaults: ClassVar[Mapping[str, Any]] = {}

    def require_parent(self, resource_id: ResourceId, verb: str = "write") -> Resource | None:
        if verb != "write":
            return super().require_parent(resource_id, verb)
        container_id = ResourceId(resource_id.parent)
        container = self.store.get(container_id.text)
        if container is None:
            kind = self.plane.behaviour(container_id.type)
            request = Request("PUT", container_id, "", {}, {}, "")
            kind.put(request)
            container = self.store.get(container_id.text)
        return container

    def find(self, resource_id: ResourceId, verb: str) -> Resource:
        version = self.store.get(resource_id.text)
        if version is None:
            container_id = ResourceId(resource_id.parent)
            if self.store.get(container_id.text) is None:
                self.plane.behaviour(container_id.type).require_parent(container_id, verb)
                raise missing_container(container_id, resource_id.name)
            raise self.missing(resource_id)
        return version

    def missing(self, version_id: ResourceId) -> NotFound:
        """The 404 of a version whose container exists."""
        return NotFound.resource(version_id.relative, version_id.resource_group)

    def check(self, request: Request, existing: Resource | None) -> None:
        sent = request.sent_properties
        for field in self.required:
            if not isinstance(sent.get(field), str) or not sent[field]:
                raise BadRequest("UserError", f"properties.{field} is required and must be a string.")
        for field in self.immutable:
            before = existing.properties.get(field) if existing else None
            if before is not None and self.stored(field, sent.get(field)) != before:
                # The recorded wording of this rule, though for another asset.
                kind = self.shape.arm.split("/")[-2].removesuffix("s")
                raise BadRequest(
                    "UserError",
                    f'Failed to update {kind} {request.id.names[-2]} since field "{field}" is '
                    "immutable, try specifying a new version.",
                )

    def stored(self, field: str, value: Any) -> Any:
        """A field in the form to which the service normalises it."""
        return value

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        properties = _asset_defaults() | dict(self.defaults) | super().properties(request, existing)
        if existing is not None:
            properties["isAnonymous"] = existing.properties["isAnonymous"]
        for field in list(properties):
            properties[field] = self.stored(field, properties[field])
        return properties

    def body(self, request: Request, existing: Resource | None, resource: Resource, location: str) -> dict[str, Any]:
        body = super().body(request, existing, resource, location)
        body["systemData"] = self.system_data(existing, request.caller, with_types=True)
        return body

    def put(self, request: Request) -> Reply:
        with self.store.transaction():  # a refusal also undoes the creation of the version's container
            reply = super().put(request)
        return with_location(reply, self.plane.base_url, request)

    def list_children(self, parent_id: str, request: Request) -> Reply:
        container_id = ResourceId(parent_id)
        if self.store.get(parent_id) is None:
            self.plane.behaviour(container_id.type).find(container_id, "read")
        query = request.query
        versions = shown_by_view(self.store.children(parent_id, self.shape.arm), request)
        if wanted := query.get("version"):
            versions = [version for version in versions if version.name == wanted]
        if "createdtime desc" in query.get("$orderBy", "").lower():
            versions.reverse()
        start = int(query[_NEXT]) if query.get(_NEXT, "").isdecimal() else 0
        end = start + int(query["$top"]) if query.get("$top", "").isdecimal() else len(versions)
        answer: dict[str, Any] = {"value": [self.read(version, request) for version in versions[start:end]]}
        if start < end < len(versions):
            # The presence of a nextLink is recorded; its content is opaque.
            more = urlencode({**query, _NEXT: str(end)}, quote_via=quote)
            answer["nextLink"] = f"{self.plane.base_url}{parent_id}/versions?{more}"
        return Reply(200, answer)

    def read(self, resource: Resource, request: Request) -> dict[str, Any]:
        return self.plane.machine_learning(request.api_version).asset_view(resource.body)


class CodeVersions(AssetVersions):
    """A folder of code in blob storage."""

    honoured: ClassVar[Mapping[str, str]] = {
        "properties.codeUri": "the folder that deployments run",
        "properties.properties": "hash_sha256: the version is found by it in any container",
    }
    refused: ClassVar[Mapping[str, str]] = {"properties.codeUri": "missing, or different from before"}

    required = ("codeUri",)
    immutable = ("codeUri",)

    def act(self, action: str, request: Request) -> Reply | Awaitable[Reply]:
        if action.lower() == "startpendingupload":
            # Called before the version exists: the answer states where to upload its files.
            return self._start_pending_upload(request, None)
        return super().act(action, request)

    def list_children(self, parent_id: str, request: Request) -> Reply:
        wanted = request.query.get("hash")
        if wanted is None:
            return super().list_children(parent_id, request)
        # Recorded: matches in any code container of the workspace.
        workspace = workspace_id_of(ResourceId(parent_id)).lower() + "/"
        versions = [version for version in self.store.of_type(self.shape.arm) if version.key.startswith(workspace)]
        found = [
            self.read(v, request)
            for v in versions
            if (v.properties.get("properties") or {}).get("hash_sha256") == wanted
        ]
        return Reply(200, {"value": found})

    def _start_pending_upload(self, request: Request, version: Resource | None) -> Reply:
        workspace = self.store.get(workspace_id_of(request.id))
        if workspace is None:
            raise NotFound.resource(request.id.relative, request.id.resource_group)
        account = self.store.get(str(workspace.properties["storageAccount"]))
        if account is None:
            raise NotFound("UserError", "The workspace's storage account does not exist.")
        upload = new_guid()
        container = f"{upload[:8]}-b-{new_guid()}"
        self.plane.blobs.create_container(account.name, container)
        uri = f"{account.properties['primaryEndpoints']['blob']}{container}"
        until = self.plane.clock() + _UPLOAD_SECONDS
        signature = container_signature(account.name, container, account.private["keys"][0], until, "rcwl")
        answer = {
            "blobReferenceForConsumption": {
                "blobUri": uri,
                "storageAccountArmId": account.id,
                "credential": {"credentialType": "SAS", "sasUri": f"{uri}?{signature}"},
            },
            "pendingUploadId": upload,
            "pendingUploadType": "None",  # as recorded, regardless of the request
        }
        return Reply(200, answer)

    actions: ClassVar[Mapping[str, Action]] = {"startPendingUpload": _start_pending_upload}


class ModelVersions(AssetVersions):
    """A model's files."""

    honoured: ClassVar[Mapping[str, str]] = {
        "properties.modelUri": "the files that deployments get",
        "properties.modelType": "mlflow_model: flavors are read from the MLmodel file",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "name": "not a positive whole number, which a model's version must be",
        "properties.modelUri": "missing, or different from before",
    }

    required = ("modelUri",)
    immutable = ("modelUri",)
    # azure-ai-ml needs `flavors` to be an object.
    defaults: ClassVar[Mapping[str, Any]] = {
        "flavors": {},
        "modelType": "custom_model",
        "jobName": None,
        "stage": "Development",
    }

    def check(self, request: Request, existing: Resource | None) -> None:
        """Reported, not recorded: a model's version is a positive integer (Azure/azureml-examples#2725,
        Azure/MachineLearningNotebooks#289), and every recorded one is. The code, the wording, the refusal of leading
        zeros and the missing upper limit are our own."""
        if existing is None and not _MODEL_VERSION.fullmatch(request.id.name):
            raise BadRequest(
                "UserError", f"The version of a model must be a positive whole number, got {request.id.name[:80]!r}."
            )
        super().check(request, existing)

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        properties = super().properties(request, existing)
        if properties["modelType"] == "mlflow_model" and not properties["flavors"]:
            properties["flavors"] = self._flavors(request, str(properties["modelUri"]))
        return properties

    def _flavors(self, request: Request, uri: str) -> dict[str, Any]:
        """Recorded: the service fills them in from the model's MLmodel file; none if the file is unreadable."""
        workspace = self.store.get(workspace_id_of(request.id))
        try:
            folder = local_path(self.plane, workspace, uri) if workspace else None
            text = (folder / "MLmodel").read_text(encoding="utf-8") if folder else ""
        except (DeploymentFailed, OSError, UnicodeDecodeError):
            return {}
        import yaml  # not needed to start

        try:
            document = json.loads(json.dumps(yaml.safe_load(text), default=str, allow_nan=False))
        except (TypeError, ValueError, RecursionError, yaml.YAMLError):  # YAML has values that JSON cannot express
            return {}
        flavors = document.get("flavors") if isinstance(document, dict) else None
        return {str(name): {"data": data} for name, data in flavors.items()} if isinstance(flavors, dict) else {}

    def stored(self, field: str, value: Any) -> Any:
        if field == "modelUri" and isinstance(value, str):
            return re.sub("/resourcegroups/", "/resourceGroups/", value, count=1, flags=re.IGNORECASE)
        return value


class DataVersions(AssetVersions):
    """A data asset."""

    refused: ClassVar[Mapping[str, str]] = {"properties.dataUri": "missing"}
    required = ("dataUri",)
    # Recorded of data, and only there.
    defaults: ClassVar[Mapping[str, Any]] = {"tags": None, "properties": None}

    def body(self, request: Request, existing: Resource | None, resource: Resource, location: str) -> dict[str, Any]:
        return without_modifier(super().body(request, existing, resource, location))

    def created(self, resource: Resource) -> None:
        container = self.store.get(resource.resource_id.parent)
        if container is not None and "dataType" not in container.properties and resource.properties.get("dataType"):
            container.properties["dataType"] = resource.properties["dataType"]
            self.store.save(container)


def _asset_defaults() -> dict[str, Any]:
    return {"description": None, "tags": {}, "properties": {}, "isArchived": False, "isAnonymous": False}

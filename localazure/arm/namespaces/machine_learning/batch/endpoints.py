"""Batch endpoints: create, the recorded update, delete. Their data plane is `localazure.arm.batch_service`.

Recorded of an update: tags apply and show at once, `defaults` apply when the operation has ended, and the description
never changes. An update of tags alone may need no operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from localazure.arm.namespaces.machine_learning.endpoint_resource import BatchResource, read_choice
from localazure.arm.namespaces.machine_learning.names import check_name
from localazure.arm.operations import Commit, Operation
from localazure.arm.reply import Reply, Request
from localazure.arm.tags import read_tags
from localazure.arm.timing import time_text
from localazure.errors import BadRequest, OperationFailed
from localazure.resource import Resource

DEPLOYMENTS = "Microsoft.MachineLearningServices/workspaces/batchEndpoints/deployments"
# Both verbatim, from reports: ansible-collections/azure PR 2231, Azure/azure-rest-api-specs#40149 (in _check_identity).
_NAME_TAKEN = (
    "The specified endpoint name '{name}' is not available. Endpoint names must be unique within the region. "
    "Please choose a different name and try again."
)
_INTERNAL_ERROR = (  # verbatim, recorded
    "InternalServerError: Internal error. Please see troubleshooting guide, available here: "
    "https://aka.ms/oe-tsg#error-internalservererror"
)


class BatchEndpoints(BatchResource):
    """A batch endpoint; invoked, it runs a job."""

    honoured: ClassVar[Mapping[str, str]] = {
        "properties.defaults.deploymentName": "where an invoke goes that names no deployment",
        "tags": "alone, without deployments: changed at once, without an operation",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "name": "not 3 to 32 letters, digits and single -, or taken by another endpoint (`--taken-endpoint-name`)",
        "identity": "user-assigned",
        "properties.authMode": "other than AADToken and Key; with Key the operation fails, as recorded",
        "properties.defaults.deploymentName": "names nothing that exists",
    }
    unkept: ClassVar[Mapping[str, str]] = {
        "kind": "",
        "sku": "",
        "properties.keys": "there is no key authentication",
    }

    noun = "a batch endpoint"

    def put(self, request: Request) -> Reply:
        existing, workspace, location = self.admit(request)
        self._check_identity(request.body.get("identity"))
        sent = request.sent_properties
        default = self._read_default(sent, existing)
        if existing is not None:
            return self._update(request, existing, default)
        resource = self._create(request, workspace, location)
        with self.store.transaction():
            operation = self.begin(request, resource, "put", {"default": default})
            self.store.save(resource)
        return self.accepted(operation, "PUT batch", self.read(resource, request))

    def _read_default(self, sent: dict[str, Any], existing: Resource | None) -> str | None:
        """The requested default deployment. Raises BadRequest when it does not exist (our wording)."""
        name = (sent.get("defaults") or {}).get("deploymentName")
        if name is None:
            return None
        known = {item.name.lower() for item in self.store.children(existing.id, DEPLOYMENTS)} if existing else set()
        if not isinstance(name, str) or name.lower() not in known:
            raise BadRequest("BadRequest", f"defaults.deploymentName names {name!r}, which does not exist.")
        return name

    def _create(self, request: Request, workspace: Resource, location: str) -> Resource:
        sent, name = request.sent_properties, request.id.name
        check_name("an endpoint", name)
        if self.store.has_named(self.shape.arm, name) or name.lower() in self.plane.options.taken_endpoint_names:
            raise BadRequest("UserError", _NAME_TAKEN.format(name=name))
        resource = Resource(id=self.canonical_id(request.id, workspace), body={})
        auth_mode = read_choice("authMode", sent.get("authMode"), ("AADToken", "Key"), "AADToken")
        api = self.plane.machine_learning(request.api_version)
        bag = dict(sent.get("properties") or {}) | api.batch_endpoint_marks(resource.id)
        properties = {
            "description": sent.get("description"),
            "properties": bag,
            "scoringUri": None,
            "swaggerUri": None,
            "authMode": auth_mode,
            "defaults": {"deploymentName": None},
            "provisioningState": "Creating",
        }
        resource.body = self.resource_body(request, None, resource, properties, location)
        asked = request.body.get("identity")
        if asked is not None:
            resource.body["identity"] = self.plane.identities.resolve(asked, None)
        elif api.unset_identity is not None:
            resource.body["identity"] = api.unset_identity
        return resource

    def _check_identity(self, sent: Any) -> None:
        asked = str(sent.get("type", "")) if isinstance(sent, dict) else ""
        kinds = [kind.strip() for kind in asked.split(",")]
        if "userassigned" in [kind.lower() for kind in kinds]:
            raise BadRequest(
                "CannotSetResourceIdentity",
                f"Resource type '{self.shape.arm}' does not support creation of '{', '.join(kinds)}' resource "
                "identity. The supported types are 'SystemAssigned'.",
            )

    def _update(self, request: Request, existing: Resource, default: str | None) -> Reply:
        tags = request.body.get("tags")
        has_deployments = bool(self.store.children(existing.id, DEPLOYMENTS))
        existing.body["tags"] = existing.body["tags"] if tags is None else read_tags(tags)
        if "defaults" not in request.sent_properties and not has_deployments:
            self.store.save(existing)
            return Reply(200, self.read(existing, request))
        with self.store.transaction():
            operation = self.begin(request, existing, "put", {"default": default}, update=True)
            existing.properties["provisioningState"] = "Updating"
            existing.body["systemData"]["lastModifiedAt"] = time_text(self.plane.clock())
            self.store.save(existing)
        return self.accepted(operation, "PUT batch", self.read(existing, request))

    async def finish_put(self, operation: Operation) -> Commit:
        created = self.store.get(operation.target)
        if created is not None and created.properties["authMode"] == "Key":
            raise self._keys_refused(operation, created)

        def commit() -> None:
            endpoint = self.store.get(operation.target)
            if endpoint is None:
                return
            if operation.payload.get("default") is not None:
                endpoint.properties["defaults"] = {"deploymentName": operation.payload["default"]}
            if "tags" in operation.payload:
                endpoint.body["tags"] = operation.payload["tags"]
            uri = f"{self.plane.base_url}/endpoints/{endpoint.name}/jobs"
            endpoint.properties.update({"scoringUri": uri, "provisioningState": "Succeeded"})
            self.store.save(endpoint)

        return commit

    def _keys_refused(self, operation: Operation, endpoint: Resource) -> OperationFailed:
        """Recorded in 2022 (azure-powershell, New-AzMLWorkspaceBatchEndpoint): accepted, then an internal error."""
        failure = OperationFailed("", _INTERNAL_ERROR)
        failure.commit = self.commit_state(operation, "Failed", touch=True)
        info = {
            "id": operation.id.rsplit(":", 1)[-1],
            "operationType": "OnlineEndpoint",
            "state": "Failed",
            "createdTime": time_text(operation.started),
            "endTime": time_text(self.plane.clock()),
            "error": {"message": _INTERNAL_ERROR},
            "resourceLocation": f"/modelmanagement/v1.0{endpoint.resource_id.parent}/onlineEndpoints/{endpoint.name}",
            "operationLog": "",
            "parentRequestId": operation.id.rsplit(":", 1)[-1],
        }
        details = [{"type": "MmsOperation", "info": info}]
        failure.error = {"message": _INTERNAL_ERROR, "details": [], "additionalInfo": details}
        return failure

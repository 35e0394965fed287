"""The recorded `mfe` protocol, which endpoints and their deployments share, online and batch."""

from __future__ import annotations

from typing import Any, ClassVar

from localazure.arm.behaviour import Behaviour
from localazure.arm.long_running import MFE
from localazure.arm.namespaces.machine_learning.workspace.workspaces import workspace_id_of
from localazure.arm.operations import Commit, Operation
from localazure.arm.reply import Reply, Request
from localazure.arm.resource_body import envelope
from localazure.arm.tags import read_tags
from localazure.arm.timing import time_text
from localazure.errors import BadRequest, Conflict, NotEmulated
from localazure.resource import Resource
from localazure.resource_id import ResourceId

OPERATION_URI = "AzureAsyncOperationUri"


class EndpointResource(Behaviour):
    """An endpoint or a deployment."""

    noun: ClassVar[str]
    patchable: ClassVar[frozenset[str]] = frozenset({"tags"})

    def endpoint_id(self, resource_id: ResourceId) -> str:
        """The endpoint that a request is about."""
        return resource_id.ancestor(2)

    def refuse_while_busy(self, resource_id: ResourceId, *, deleting: bool = False) -> None:
        """One operation at a time on an endpoint and its deployments.

        A conflict is documented (for Kubernetes endpoints); its wording is ours. An endpoint can be deleted while its
        deployments are being deleted: Microsoft's published example scripts do both without waiting between them
        (Azure/azureml-examples, cli/deploy-*.sh).
        """
        endpoint_id = self.endpoint_id(resource_id)
        running = self.store.running_operations(endpoint_id)
        if deleting and resource_id.text.lower() == endpoint_id.lower():
            running = [one for one in running if one["kind"] != f"{self.shape.arm}/deployments.delete"]
        if running:
            raise Conflict(
                "Conflict",
                f"Another operation is running on {running[0]['target']}. Operations on one endpoint and its "
                "deployments run one at a time; try again when it has ended.",
            )

    def list_children(self, parent_id: str, request: Request) -> Reply:
        reply = super().list_children(parent_id, request)
        reply.body["value"].reverse()  # recorded: newest first
        return reply

    def admit(self, request: Request) -> tuple[Resource | None, Resource, str]:
        """The first step of every PUT: the stored resource, its parent and its location. Raises if it is busy."""
        existing = self.store.get(request.id.text)
        parent = self.require_parent(request.id)
        assert parent is not None  # all of these types have a parent
        self.refuse_while_busy(request.id)
        return existing, parent, self.location_of(request, existing)

    def resource_body(
        self,
        request: Request,
        existing: Resource | None,
        resource: Resource,
        properties: dict[str, Any],
        location: str,
        **more: Any,
    ) -> dict[str, Any]:
        """A body as all of these types have it; `more` stands behind the location."""
        return envelope(
            resource.id,
            self.shape.arm,
            properties=properties,
            systemData=self.system_data(existing, request.caller),
            tags=read_tags(request.body.get("tags")),
            location=location,
            **more,
        )

    def begin(
        self,
        request: Request,
        resource: Resource,
        verb: str,
        payload: dict[str, Any] | None = None,
        *,
        update: bool = False,
    ) -> Operation:
        """Start an operation and record it on the resource; call it in the transaction that saves the resource."""
        workspace = self.store.get(workspace_id_of(resource.resource_id))
        assert workspace is not None  # parents have been checked
        api = self.plane.machine_learning(request.api_version)
        prefix = f"{api.operation_prefix(self.shape.arm)}:{workspace.properties['workspaceId']}:"
        operation = self.start(
            request, resource, verb, MFE, prefix=prefix, payload=payload, update=update, signed=api.signs_operation_urls
        )
        bag = resource.properties.setdefault("properties", {})
        if self.plane.options.name_last_writer:
            resource.body["systemData"] |= {"lastModifiedBy": request.caller, "lastModifiedByType": "User"}
        if api.names_operation(self.shape.arm):
            bag[OPERATION_URI] = self.plane.long_running.unsigned_status_url(operation)
        return operation

    def delete(self, request: Request) -> Reply:
        resource = self.store.get(request.id.text)
        if resource is None:
            return Reply(204)  # not recorded; azure-ai-ml takes it for done
        self.refuse_while_busy(request.id, deleting=True)
        with self.store.transaction():
            resource.properties["provisioningState"] = "Deleting"
            operation = self.begin(request, resource, "delete")
            self.store.save(resource)
        deletion = self.plane.machine_learning(request.api_version).deletion(self.shape.arm)
        return self.accepted(operation, deletion)

    def patch(self, request: Request) -> Reply:
        """Recorded for tags."""
        resource = self.find(request.id, "write")
        unknown = sorted(set(request.body) - self.patchable)
        if unknown:
            raise NotEmulated(f"PATCH of {', '.join(unknown)} of {self.noun}")
        self.refuse_while_busy(request.id)
        with self.store.transaction():
            operation = self.begin(request, resource, "put", self.patch_payload(request, resource), update=True)
            resource.properties["provisioningState"] = "Updating"
            self.store.save(resource)
        return self.accepted(operation, "PATCH")

    def patch_payload(self, request: Request, resource: Resource) -> dict[str, Any]:
        """The payload of a PATCH for `finish_put`; may change the resource."""
        return {"tags": read_tags(request.body.get("tags"))}

    def commit_state(self, operation: Operation, state: str, *, touch: bool = False) -> Commit:
        """Store the final provisioning state of the operation's target."""

        def commit() -> None:
            resource = self.store.get(operation.target)
            if resource is not None:
                resource.properties["provisioningState"] = state
                if touch:
                    resource.body["systemData"]["lastModifiedAt"] = time_text(self.plane.clock())
                self.store.save(resource)

        return commit


class BatchResource(EndpointResource):
    """A batch endpoint or a deployment of one."""

    def list_children(self, parent_id: str, request: Request) -> Reply:
        reply = super().list_children(parent_id, request)
        if self.plane.machine_learning(request.api_version).lists_oldest_batch_first:
            reply.body["value"].reverse()
        return reply


def read_choice(field: str, sent: Any, choices: tuple[str, ...], default: str) -> str:
    """One of `choices` in the service's spelling: clients send `disabled`, it answers `Disabled` (recorded)."""
    if sent is None:
        return default
    for choice in choices:
        if isinstance(sent, str) and sent.lower() == choice.lower():
            return choice
    raise BadRequest("BadRequest", f"properties.{field} must be one of {', '.join(choices)}, got {sent!r}.")

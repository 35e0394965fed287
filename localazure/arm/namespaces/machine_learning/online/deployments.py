"""Online deployments: create, replace, delete, logs, and the calls to the data plane.

A PUT replaces (an omitted description is cleared) and its answer already shows the new values. Data collection is
stored without effect.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from localazure.arm.behaviour import Action
from localazure.arm.control_plane import ControlPlane
from localazure.arm.namespaces.machine_learning.endpoint_resource import EndpointResource, read_choice
from localazure.arm.namespaces.machine_learning.names import check_name
from localazure.arm.namespaces.machine_learning.online import fields
from localazure.arm.namespaces.machine_learning.online.assembly import (
    ROLES_MISSING,
    Assembly,
    check_driver,
    check_numbers,
    check_references,
)
from localazure.arm.namespaces.machine_learning.online.deployment_properties import (
    DEFAULT_SIZE,
    deployment_properties,
    given,
    undefaulted_properties,
)
from localazure.arm.namespaces.machine_learning.online.kubernetes import KIND, instance_count, is_kubernetes
from localazure.arm.namespaces.machine_learning.online.skus import MAX_INSTANCES
from localazure.arm.namespaces.machine_learning.online.traffic import refused_deletion
from localazure.arm.namespaces.machine_learning.workspace.workspaces import network_is_ready, workspace_id_of
from localazure.arm.operations import Commit, Operation
from localazure.arm.quota import check_quota
from localazure.arm.reply import Reply, Request
from localazure.arm.resource_body import Shape
from localazure.arm.tags import read_tags
from localazure.arm.vm_sizes import find_size
from localazure.errors import BadRequest, OperationFailed, inferencing_refusal, validation_text
from localazure.resource import Resource
from localazure.scoring.specification import DeploymentFailed, DeploymentSpec

log = logging.getLogger(__name__)

_ENDPOINT_FAILED = (  # verbatim, from users' reports
    "This endpoint has not been created successfully or is in deleting provisioning state. "
    "Please recreate endpoint and then try again to create deployment."
)
_CONTAINERS = ("InferenceServer", "StorageInitializer", "ModelDataCollector")
_DEFAULT_TAIL = 5000


class OnlineDeployments(EndpointResource):
    """An online deployment; on Kubernetes in the recorded form, without a cluster."""

    noun = "an online deployment"
    patchable = frozenset({"tags", "sku"})
    honoured = fields.DEPLOYMENT_HONOURED
    refused = fields.DEPLOYMENT_REFUSED
    unkept = fields.DEPLOYMENT_UNKEPT

    def __init__(self, plane: ControlPlane, shape: Shape) -> None:
        super().__init__(plane, shape)
        self._running: dict[tuple[str, str], DeploymentSpec] = {}
        """The deployments that run in this process's data plane, by endpoint and name; empty after a start."""

    # PUT

    def put(self, request: Request) -> Reply:
        existing, endpoint, location = self.admit(request)
        self._check(request, existing, endpoint)
        resource = existing or Resource(id=self.canonical_id(request.id, endpoint), body={})
        resource.body = self._body(request, existing, resource, location)
        check_numbers(resource.properties)
        self._check_quota(resource)
        with self.store.transaction():
            operation = self.begin(request, resource, "put", update=existing is not None)
            self.store.save(resource)
        answer = self.read(resource, request)
        if existing is None:
            undefaulted = undefaulted_properties(request.sent_properties)
            answer = self.plane.machine_learning(request.api_version).created_deployment(answer, undefaulted)
        return self.accepted(operation, "PUT", answer)

    def read(self, resource: Resource, request: Request) -> dict[str, Any]:
        return self.plane.machine_learning(request.api_version).deployment_view(resource.body)

    def _check_quota(self, resource: Resource) -> None:
        if self.plane.options.quota and resource.body["kind"] == "Managed":
            size, count = resource.properties["instanceType"], instance_count(resource.body)
            check_quota(self.plane.options.quota, self.store.of_type(self.shape.arm), resource.id, size, count)

    def _check(self, request: Request, existing: Resource | None, endpoint: Resource) -> None:
        sent, name = request.sent_properties, request.id.name
        if existing is None:
            check_name("a deployment", name)
        elif existing.properties["provisioningState"] == "Failed" and not existing.private.get("succeeded"):
            raise inferencing_refusal(
                # Verbatim, from users' reports.
                f"Specified deployment [{existing.name}] failed during initial provisioning and is in an unrecoverable "
                "state. Delete and re-create."
            )
        if endpoint.properties["scoringUri"] is None:
            raise inferencing_refusal(_ENDPOINT_FAILED)
        wanted = "Kubernetes" if endpoint.properties.get("compute") else "Managed"
        if str(sent.get("endpointComputeType", "")).lower() != wanted.lower():
            raise BadRequest(
                "BadRequest",
                f"endpointComputeType must be {wanted} on this endpoint, got {sent.get('endpointComputeType')!r}.",
            )
        scale = (sent.get("scaleSettings") or {}).get("scaleType", "Default")
        if wanted == "Managed" and str(scale).lower() != "default":
            # The rule is documented, the wording is ours.
            raise BadRequest("BadRequest", f"A managed deployment supports scaleType Default only, got {scale!r}.")
        self._check_capacity(request)
        self._check_immutable(sent, existing)
        check_references(self.store, sent)
        if wanted == "Managed":
            if existing is None:  # the size of an existing deployment cannot change
                self._check_size(str(sent.get("instanceType") or DEFAULT_SIZE))
            check_driver(self.store, sent)
        workspace = self.store.get(workspace_id_of(request.id))
        assert workspace is not None
        if not network_is_ready(workspace):
            raise BadRequest(
                "WorkspaceManagedNetworkNotReady",
                f"The managed network of workspace {workspace.name} is not provisioned. Provision it "
                "(provisionNetworkNow when the workspace is created, or the action provisionManagedNetwork) or create "
                "a compute first.",
            )

    def _check_size(self, size: str) -> None:
        if find_size(size) is None and size.lower() not in self.plane.options.vm_sizes:
            # The documented error VmSize shows that the service validates the size; the wording is ours.
            text = (
                f"{size} is not a VM size that the local Azure knows for managed online endpoints. If Azure has it, "
                f"restart the local Azure with: sluice local start --vm-size {size}"
            )
            raise inferencing_refusal(validation_text("VmSize", text))

    def _check_capacity(self, request: Request) -> None:
        sku = request.body.get("sku")
        if sku is None:
            return
        capacity: Any = sku.get("capacity", 1) if isinstance(sku, dict) else None
        whole = type(capacity) is int or (isinstance(capacity, float) and capacity.is_integer())
        # Everything in the sku of a PATCH is optional (documented).
        named = isinstance(sku, dict) and (sku.get("name") or request.method == "PATCH")
        if not named or not whole or not 1 <= capacity <= MAX_INSTANCES:
            raise BadRequest("BadRequest", f"sku needs a name and a capacity from 1 to {MAX_INSTANCES}, got {sku!r}.")

    def _check_immutable(self, sent: dict[str, Any], existing: Resource | None) -> None:
        for field in ("instanceType", "egressPublicNetworkAccess"):
            before = existing.properties.get(field) if existing else None
            if before is not None and sent.get(field) is not None and str(sent[field]).lower() != str(before).lower():
                # Documented as immutable, the wording is ours.
                raise BadRequest(
                    "BadRequest", f"{field} of a deployment cannot be changed from {before} to {sent[field]}."
                )

    def _body(self, request: Request, existing: Resource | None, resource: Resource, location: str) -> dict[str, Any]:
        state = self.plane.machine_learning(request.api_version).deployment_state(creates=existing is None)
        before = existing.properties if existing else {}
        properties = deployment_properties(request.sent_properties, before, state)
        kind = KIND if is_kubernetes(request.sent_properties) else "Managed"
        body = self.resource_body(request, existing, resource, properties, location, kind=kind)
        if properties["scaleSettings"]["scaleType"] == "Default":
            sku_before = existing.body.get("sku") if existing else None
            sku = {"tier": "Standard"} | (sku_before or {"name": "Default", "capacity": 1})
            sku |= given(request.body.get("sku"))
            body["sku"] = {"name": sku["name"], "tier": sku["tier"], "capacity": int(sku["capacity"])}
        return body

    def patch_payload(self, request: Request, resource: Resource) -> dict[str, Any]:
        self._check_capacity(request)
        if "tags" in request.body:
            resource.body["tags"] = read_tags(request.body.get("tags"))
        capacity = (request.body.get("sku") or {}).get("capacity")
        if capacity is not None and "sku" in resource.body:
            resource.body["sku"]["capacity"] = int(capacity)
            self._check_quota(resource)
        return {}

    # Operations

    async def finish_put(self, operation: Operation) -> Commit | None:
        deployment = self.store.get(operation.target)
        if deployment is None:
            return None
        assembly = Assembly(self.plane, deployment)
        try:
            if missing := assembly.missing_roles():
                raise DeploymentFailed("BadArgument", f"{ROLES_MISSING} ({missing})")
            await self._run(assembly.specification())
        except DeploymentFailed as failed:
            failure = OperationFailed(failed.code, failed.message)
            failure.commit = self.commit_state(operation, "Failed")
            raise failure from failed

        def commit() -> None:
            current = self.store.get(operation.target)
            if current is not None:
                current.properties["provisioningState"] = "Succeeded"
                if self.plane.machine_learning(operation.api_version).adds_variables:
                    current.properties["environmentVariables"] |= assembly.added_variables()
                current.private["succeeded"] = True
                self.store.save(current)

        return commit

    async def _run(self, spec: DeploymentSpec) -> None:
        """Apply `spec` to the data plane; only scales if nothing but the number of instances differs."""
        key = (spec.endpoint, spec.deployment)
        running = self._running.get(key)
        if running is not None and _same_but_count(running, spec):
            if running.instance_count != spec.instance_count:
                await self.plane.scoring.scale(spec.endpoint, spec.deployment, spec.instance_count)
        else:
            self._running.pop(key, None)
            await self.plane.scoring.deploy(spec)
        self._running[key] = spec

    async def finish_delete(self, operation: Operation) -> Commit | None:
        deployment = self.store.get(operation.target)
        if deployment is None:
            return None
        endpoint = self.store.get(self.endpoint_id(deployment.resource_id))
        weights = endpoint.properties["traffic"] if endpoint else {}
        weight = next((value for name, value in weights.items() if name.lower() == deployment.name.lower()), 0)
        if weight and endpoint is not None:
            failure = refused_deletion(operation, deployment, endpoint, weight, self.plane.clock())
            failure.commit = self.commit_state(operation, "Failed", touch=True)
            raise failure
        return await super().finish_delete(operation)

    async def before_delete(self, resource: Resource) -> None:
        endpoint_name = _endpoint_name(resource)
        self._running.pop((endpoint_name, resource.name), None)
        await self.plane.scoring.remove(endpoint_name, resource.name)

    def restore(self) -> None:
        """Restart the deployments that ran before; a running operation starts its own deployment."""
        for deployment in self.store.of_type(self.shape.arm):
            busy = self.store.running_operations(deployment.id)
            if deployment.private.get("succeeded") and not busy:
                self.plane.run_in_background(self._redeploy(deployment))

    async def _redeploy(self, deployment: Resource) -> None:
        try:
            await self._run(Assembly(self.plane, deployment).specification())
        except DeploymentFailed as failed:
            # The provisioning state stays: the deployment is unhealthy now, and requests to it fail.
            log.error("%s did not start again: %s", deployment.id, failed)

    # Logs, skus

    async def _get_logs(self, request: Request, deployment: Resource) -> Reply:
        container = read_choice("containerType", request.body.get("containerType"), _CONTAINERS, _CONTAINERS[0])
        tail = request.body.get("tail")
        lines = (
            int(tail) if isinstance(tail, int | float) and not isinstance(tail, bool) and tail > 0 else _DEFAULT_TAIL
        )
        try:
            content = await self.plane.scoring.logs(_endpoint_name(deployment), deployment.name, container, lines)
        except KeyError:
            content = ""
        return Reply(200, {"content": content})

    actions: ClassVar[Mapping[str, Action]] = {"getLogs": _get_logs}


def _endpoint_name(deployment: Resource) -> str:
    return deployment.resource_id.names[-2]


def _same_but_count(one: DeploymentSpec, other: DeploymentSpec) -> bool:
    return replace(one, instance_count=other.instance_count) == other

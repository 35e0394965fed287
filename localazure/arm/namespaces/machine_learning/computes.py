"""Computes of a workspace: clusters are stored, nothing runs on them. Making one provisions the managed network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from localazure.arm.behaviour import Behaviour
from localazure.arm.errors import BadRequest, NotEmulated
from localazure.arm.namespaces.machine_learning.workspaces import make_network_ready, workspace_id_of
from localazure.arm.reply import Request
from localazure.arm.store import Resource


class Computes(Behaviour):
    """An AmlCompute cluster or an attached Kubernetes cluster, stored only; other kinds are not emulated."""

    honoured: ClassVar[Mapping[str, str]] = {
        "properties.computeType": "any compute provisions the workspace's managed network; an attached Kubernetes "
        "cluster can carry endpoints",
    }
    unkept: ClassVar[Mapping[str, str]] = {"properties.computeLocation": "follows from `location`"}
    refused: ClassVar[Mapping[str, str]] = {
        "properties.computeType": "missing; other than AmlCompute and Kubernetes (501)",
        "properties.properties.vmSize": "missing for an AmlCompute",
    }

    def check(self, request: Request, existing: Resource | None) -> None:
        kind = request.sent_properties.get("computeType")
        if not kind:
            raise BadRequest("UserError", "properties.computeType of a compute is required.")
        if kind == "Kubernetes":
            return
        if kind != "AmlCompute":
            raise NotEmulated(f"A compute of type {kind}")
        if not (request.sent_properties.get("properties") or {}).get("vmSize") and existing is None:
            raise BadRequest("UserError", "properties.properties.vmSize of an AmlCompute is required.")

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        properties = super().properties(request, existing)
        if properties["computeType"] == "Kubernetes":
            return properties | {"computeLocation": request.body.get("location"), "provisioningErrors": None}
        inner = properties["properties"] = properties.get("properties") or {}
        scale = {"minNodeCount": 0, "maxNodeCount": 1, "nodeIdleTimeBeforeScaleDown": "PT120S"}
        inner["scaleSettings"] = scale | (inner.get("scaleSettings") or {})
        inner.setdefault("osType", "Linux")
        inner.setdefault("vmPriority", "Dedicated")
        inner |= {"currentNodeCount": 0, "targetNodeCount": 0, "allocationState": "Steady", "errors": None}
        return properties | {"computeLocation": request.body.get("location"), "provisioningErrors": None}

    def provisioned(self, resource: Resource) -> None:
        workspace = self.store.get(workspace_id_of(resource.resource_id))
        if workspace is not None:
            # Documented: the managed network is made with the first compute, if not by hand before.
            make_network_ready(workspace)
            self.store.save(workspace)

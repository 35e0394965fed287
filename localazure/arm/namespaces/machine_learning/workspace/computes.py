"""Computes of a workspace: clusters are stored, nothing runs on them. Creating one provisions the managed network.

Their form and protocol are recorded (azure-powershell, New-AzMLWorkspaceCompute 2022, Get-AzMLWorkspaceCompute 2024).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from localazure.arm.behaviour import Behaviour
from localazure.arm.long_running import COMPUTE
from localazure.arm.namespaces.machine_learning.durations import seconds_of
from localazure.arm.namespaces.machine_learning.workspace.workspaces import make_network_ready, workspace_id_of
from localazure.arm.reply import Reply, Request
from localazure.arm.timing import time_text
from localazure.durations import write_duration
from localazure.errors import BadRequest, NotEmulated
from localazure.resource import Resource

_PENDING = ("Creating", "Updating")
_STATES = ("preparing", "running", "idle", "unusable", "leaving", "preempted")


class Computes(Behaviour):
    """An AmlCompute cluster or an attached Kubernetes cluster, stored only; other kinds are not emulated."""

    patchable: ClassVar[frozenset[str]] = frozenset({"properties.properties.scaleSettings"})
    honoured: ClassVar[Mapping[str, str]] = {
        "properties.computeType": "any compute provisions the workspace's managed network; an attached Kubernetes "
        "cluster can carry endpoints",
    }
    unkept: ClassVar[Mapping[str, str]] = {"properties.computeLocation": "follows from `location`"}
    refused: ClassVar[Mapping[str, str]] = {
        "properties.computeType": "missing; other than AmlCompute and Kubernetes (501)",
        "properties.properties.vmSize": "missing for an AmlCompute; another one than before",
    }

    def check(self, request: Request, existing: Resource | None) -> None:
        kind = request.sent_properties.get("computeType")
        if not kind:
            raise BadRequest("UserError", "properties.computeType of a compute is required.")
        if kind == "Kubernetes":
            return
        if kind != "AmlCompute":
            raise NotEmulated(f"A compute of type {kind}")
        size = (request.sent_properties.get("properties") or {}).get("vmSize")
        if not size and existing is None:
            raise BadRequest("UserError", "properties.properties.vmSize of an AmlCompute is required.")
        before = (existing.properties.get("properties") or {}).get("vmSize") if existing is not None else None
        if size and before and size.lower() != before.lower():
            # The rule is from memory, the wording is ours.
            raise BadRequest("UserError", f"The VM size of a compute cannot be changed, from {before} to {size}.")

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        sent = super().properties(request, existing)
        now = time_text(self.plane.clock())
        before = existing.properties if existing else {}
        attached = sent["computeType"] == "Kubernetes"
        properties = {"disableLocalAuth": False, "description": None, "resourceId": None} | sent
        properties |= {
            "createdOn": before.get("createdOn", now),
            "modifiedOn": now,
            "computeLocation": request.body.get("location"),
            "provisioningErrors": None,
            "provisioningWarnings": {},
            "isAttachedCompute": attached,
        }
        if not attached:
            properties["properties"] = _cluster(sent.get("properties") or {}, before.get("properties") or {}, now)
        return properties

    def read(self, resource: Resource, request: Request) -> dict[str, Any]:
        """Recorded: while a cluster is created, its node counts are absent rather than 0."""
        body = self.plane.machine_learning(request.api_version).compute_view(resource.body)
        properties = body["properties"]
        if properties["computeType"] != "AmlCompute" or properties.get("provisioningState") not in _PENDING:
            return body
        group, workspace = resource.resource_id.resource_group_id, resource.resource_id.names[0]
        cluster = properties["properties"] | dict.fromkeys(
            ("currentNodeCount", "targetNodeCount", "nodeStateCounts", "allocationState")
        )
        for name in ("allocationStateTransitionTime", "propertyBag"):
            cluster.pop(name, None)
        cluster["scaleSettings"] = cluster["scaleSettings"] | {"nodeIdleTimeBeforeScaleDown": None}
        cluster["remoteLoginPortPublicAccess"] = "NotSpecified"
        batch = f"{group}/providers/Microsoft.BatchAI/workspaces/{workspace}/clusters/{resource.name}"
        body["properties"] = properties | {"resourceId": batch, "properties": cluster}
        return body

    def patch(self, request: Request) -> Reply:
        """Recorded: scale settings of a cluster."""
        compute = self.find(request.id, "write")
        if self.store.is_busy(compute.id):
            raise self.busy(compute)
        inner = request.sent_properties.get("properties")
        others = [*(set(request.body) - {"properties"}), *(set(request.sent_properties) - {"properties"})]
        others += sorted(set(inner) - {"scaleSettings"}) if isinstance(inner, dict) else ["properties"]
        if others or compute.properties["computeType"] != "AmlCompute":
            raise NotEmulated(f"PATCH of {', '.join(others)} of a compute")
        changes = inner.get("scaleSettings") if isinstance(inner, dict) else None
        cluster = compute.properties["properties"]
        cluster["scaleSettings"] = _scale(changes if isinstance(changes, dict) else {}, cluster["scaleSettings"])
        compute.properties.update(modifiedOn=time_text(self.plane.clock()), provisioningState="Updating")
        with self.store.transaction():
            self.store.save(compute)
            operation = self.start(request, compute, "put", COMPUTE, update=True)
        return self.accepted(operation, "PATCH", self.read(compute, request))

    def provisioned(self, resource: Resource) -> None:
        workspace = self.store.get(workspace_id_of(resource.resource_id))
        if workspace is not None:
            # Documented: the first compute creates the managed network, unless the user provisioned it before.
            make_network_ready(workspace)
            self.store.save(workspace)


def _cluster(sent: dict[str, Any], before: dict[str, Any], now: str) -> dict[str, Any]:
    """A cluster's own properties with those that the service adds."""
    defaults: dict[str, Any] = {
        "vmPriority": "Dedicated",
        "subnet": None,
        "osType": "Linux",
        "virtualMachineImage": None,
        "isolatedNetwork": False,
        "enableNodePublicIp": True,
        "remoteLoginPortPublicAccess": "NotSpecified",
        "propertyBag": {},
    }
    given = {name: value for name, value in sent.items() if value is not None}
    cluster = defaults | given | {"scaleSettings": _scale(given.get("scaleSettings") or {}, {})}
    cluster.setdefault("vmSize", before.get("vmSize"))
    if cluster["remoteLoginPortPublicAccess"] == "NotSpecified":
        cluster["remoteLoginPortPublicAccess"] = "Enabled" if cluster["enableNodePublicIp"] else "Disabled"
    return cluster | {
        "currentNodeCount": 0,
        "targetNodeCount": 0,
        "nodeStateCounts": {f"{state}NodeCount": 0 for state in _STATES},
        "allocationState": "Steady",
        "allocationStateTransitionTime": now,
        "errors": None,
        "enableBatchPrivateLink": False,
    }


def _scale(sent: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    defaults = {"minNodeCount": 0, "maxNodeCount": 1, "nodeIdleTimeBeforeScaleDown": "PT2M"}
    scale = defaults | before | {name: value for name, value in sent.items() if value is not None}
    return scale | {"nodeIdleTimeBeforeScaleDown": _duration(scale["nodeIdleTimeBeforeScaleDown"])}


def _duration(sent: Any) -> Any:
    """Recorded: PT120S comes back as PT2M."""
    try:
        return write_duration(int(seconds_of(sent)))
    except BadRequest:
        return sent

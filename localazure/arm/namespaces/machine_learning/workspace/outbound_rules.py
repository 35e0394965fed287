"""Outbound rules of a workspace's managed network as separate resources; they are stored in the workspace's body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from localazure.arm.behaviour import Behaviour
from localazure.arm.control_plane import ControlPlane
from localazure.arm.long_running import WORKSPACE
from localazure.arm.namespaces.machine_learning.workspace.managed_network import (
    REQUIRED,
    activate,
    complete_rule,
    is_ready,
)
from localazure.arm.namespaces.machine_learning.workspace.workspaces import workspace_id_of
from localazure.arm.operations import Commit, Operation
from localazure.arm.reply import Reply, Request
from localazure.arm.resource_body import Shape, envelope
from localazure.errors import BadRequest, NotFound
from localazure.resource import Resource
from localazure.resource_id import ResourceId

TYPE = "Microsoft.MachineLearningServices/workspaces/outboundRules"


class OutboundRules(Behaviour):
    """A rule of a workspace's managed network; nothing is isolated."""

    honoured: ClassVar[Mapping[str, str]] = {"properties.type": "decides what the service adds to the destination"}
    refused: ClassVar[Mapping[str, str]] = {
        "name": "a rule that the workspace requires",
        "properties.type": "unknown",
        "properties.destination": "not of the form that the type has",
    }
    tracked = False

    def __init__(self, plane: ControlPlane, shape: Shape) -> None:
        super().__init__(plane, shape)
        plane.operations.handle(f"{shape.arm}.change", self._finish_change)

    # Reading

    def get(self, request: Request) -> Reply:
        return Reply(200, self._shown(self._workspace(request.id), request.id.name))

    def list_children(self, parent_id: str, request: Request) -> Reply:
        workspace = self.store.get(parent_id)
        rules = [self._listed(workspace, name) for name in _rules(workspace)] if workspace else []
        return Reply(200, {"value": rules})

    def _workspace(self, rule_id: ResourceId) -> Resource:
        workspace = self.store.get(workspace_id_of(rule_id))
        if workspace is None:
            self.require_parent(rule_id, "read")
            raise NotFound.resource(rule_id.relative, rule_id.resource_group)
        return workspace

    def _listed(self, workspace: Resource, name: str) -> dict[str, Any]:
        rule_id = f"{workspace.id}/outboundRules/{name}"
        return envelope(rule_id, TYPE, properties=_rules(workspace)[name], systemData=None)

    def _shown(self, workspace: Resource, asked: str) -> dict[str, Any]:
        for name in _rules(workspace):
            if name.lower() == asked.lower():
                # Recorded: a single rule has empty tags and location; in a list it has neither.
                return {"tags": None, "location": None} | self._listed(workspace, name)
        # Not recorded: ARM's own 404.
        rule_id = ResourceId(f"{workspace.id}/outboundRules/{asked}")
        raise NotFound.resource(rule_id.relative, rule_id.resource_group)

    # Writing

    def put(self, request: Request) -> Reply:
        workspace = self._workspace(request.id)
        if workspace.properties["managedNetwork"]["isolationMode"] == "Disabled":
            # It is documented that a rule requires a network; the wording is ours.
            raise BadRequest("BadRequest", f"Workspace {workspace.name} has no managed network; set its isolationMode.")
        before = _named(workspace, request.id.name)
        if before is not None and before["category"] == REQUIRED:
            raise _is_required(request.id.name)
        rule = complete_rule(request.sent_properties, where="properties")
        operation = self._change(request, workspace, {"name": request.id.name, "rule": rule})
        return self.accepted(operation, "PUT outboundRule")

    def delete(self, request: Request) -> Reply:
        workspace = self._workspace(request.id)
        rule = _named(workspace, request.id.name)
        if rule is None:
            return Reply(204)  # recorded for no service
        if rule["category"] == REQUIRED:
            raise _is_required(request.id.name)
        operation = self._change(request, workspace, {"name": request.id.name, "rule": None})
        return self.accepted(operation, "DELETE")

    def _change(self, request: Request, workspace: Resource, payload: dict[str, Any]) -> Operation:
        if self.store.is_busy(workspace.id):
            raise self.busy(workspace)
        return self.start(request, workspace, "change", WORKSPACE, payload=payload)

    async def _finish_change(self, operation: Operation) -> Commit:
        def commit() -> None:
            workspace = self.store.get(operation.target)
            if workspace is None:
                return
            name, rule = operation.payload["name"], operation.payload["rule"]
            network = workspace.properties["managedNetwork"]
            rules = {key: value for key, value in _rules(workspace).items() if key.lower() != name.lower()}
            network["outboundRules"] = rules if rule is None else rules | {name: rule}
            if is_ready(network):
                activate(network)
            self.store.save(workspace)
            if rule is not None:
                # Recorded: the result of a deletion is the workspace, which is what Location returns.
                operation.result = self._shown(workspace, name)

        return commit


def _rules(workspace: Resource) -> dict[str, Any]:
    rules = (workspace.properties.get("managedNetwork") or {}).get("outboundRules") or {}
    assert isinstance(rules, dict)
    return rules


def _named(workspace: Resource, asked: str) -> dict[str, Any] | None:
    return next((rule for name, rule in _rules(workspace).items() if name.lower() == asked.lower()), None)


def _is_required(name: str) -> BadRequest:
    """It is documented that required rules cannot change; the wording is ours."""
    return BadRequest("BadRequest", f"The outbound rule {name} is required by the workspace and cannot be changed.")

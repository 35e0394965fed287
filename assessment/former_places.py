"""What the stack has in Azure under other names than today's: read when nothing is found under those.

The outputs of the last update say where to look. They can be wrong after failed, targeted or imported updates, so they
allow nothing; what they name and Azure has can only refuse a change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from arm_id import ArmId
from assessment.azure_reads import FORBIDDEN, Read, ReadFailure, Resource, ask, require
from assessment.live import Reads, weighed
from naming import Names
from ownership import STACK_TAG

__all__ = ["read_former_group", "read_former_workspace", "read_left_behind"]


def read_left_behind(outputs: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Return the weights of the endpoints that the stack's last update declared and that still serve, by their ids.

    The third round when nothing is found under the names of this update: with another team or stack name, what serves
    is in another group. In another subscription it cannot be read, and only the engine's protection remains.
    """
    endpoints = outputs.get("endpoints")
    questions: dict[str, Read] = {}
    for summary in endpoints.values() if isinstance(endpoints, Mapping) else ():
        if isinstance(summary, Mapping) and (place := _endpoint_id(endpoint_id := str(summary.get("id")))):
            reads = Reads(place.resource_group, place.names["workspaces"])
            reads.endpoint(endpoint_id, place.name)
            questions |= reads.questions
    found = require(ask(questions))
    return {endpoint_id: weights for endpoint_id, endpoint in found.items() if (weights := weighed(endpoint))}


def read_former_group(outputs: Mapping[str, Any]) -> tuple[str, Resource] | None:
    """The name of the resource group that the last update put the workspace into, and the group; None if it is gone."""
    place = _workspace_of(outputs)
    if place is None:
        return None
    name = place.resource_group
    arguments = {"resourceGroupName": name}
    question = Read(what=name, function="azure-native:resources:getResourceGroup", arguments=arguments)
    group = require(ask({name: question}))[name]
    return (name, group) if group is not None else None


def read_former_workspace(names: Names, outputs: Mapping[str, Any]) -> tuple[str, Mapping[str, str]] | None:
    """Return id and tags of the workspace that the stack has under other names; None if there is none.

    That is the workspace of the last update, or the one that the stack's own name as environment gives. One that the
    caller may not read counts as absent: ARM answers 403 for one that does not exist, too, and a caller with rights in
    one group only is common.
    """
    default = replace(names, environment=None)
    places = {default.workspace_id: (default.resource_group, default.workspace)}
    last = _workspace_of(outputs)
    if last is not None and last.subscription_id.lower() == names.subscription_id.lower():
        places[str(outputs["workspace"]["id"])] = (last.resource_group, last.name)
    questions = {
        workspace_id: Read(
            what=workspace_id,
            function="azure-native:machinelearningservices:getWorkspace",
            arguments={"resourceGroupName": group, "workspaceName": name},
        )
        for workspace_id, (group, name) in places.items()
        if workspace_id.lower() != names.workspace_id.lower()
    }
    answers = {
        workspace_id: None if isinstance(answer, ReadFailure) and answer.status == FORBIDDEN else answer
        for workspace_id, answer in ask(questions).items()
    }
    for workspace_id, workspace in reversed(require(answers).items()):
        tags = (workspace or {}).get("tags") or {}
        if tags.get(STACK_TAG) == names.stack:
            return workspace_id, tags
    return None


def _workspace_of(outputs: Mapping[str, Any]) -> ArmId | None:
    workspace = outputs.get("workspace")
    try:
        return ArmId.parse(str(workspace.get("id") if isinstance(workspace, Mapping) else None))
    except ValueError:
        return None


def _endpoint_id(text: str) -> ArmId | None:
    """What an endpoint's id says; None for what is not one: an output may be anything."""
    try:
        found = ArmId.parse(text)
    except ValueError:
        return None
    return found if found.type == "microsoft.machinelearningservices/workspaces/onlineendpoints" else None

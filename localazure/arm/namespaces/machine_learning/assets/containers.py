"""Containers of assets (`models/{name}`): the properties that all versions of one asset share, and the latest version.

A container is created with its first version or by its own PUT. Not emulated: registries.
"""

from __future__ import annotations

from typing import Any

from localazure.arm.behaviour import Behaviour
from localazure.arm.reply import Reply, Request, with_location
from localazure.errors import NotFound
from localazure.resource import Resource
from localazure.resource_id import ResourceId

_ACTIVE, _ARCHIVED, _ALL = "activeonly", "archivedonly", "all"


class AssetContainers(Behaviour):
    """All versions of one asset."""

    tracked = False

    def body(self, request: Request, existing: Resource | None, resource: Resource, location: str) -> dict[str, Any]:
        body = super().body(request, existing, resource, location)
        body["systemData"] = self.system_data(existing, request.caller, with_types=True)
        return body

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        before: dict[str, Any] = {"description": None, "tags": {}, "properties": {}, "isArchived": False}
        if existing is not None:
            # A PUT of a version carries nothing about its container.
            before |= {name: value for name, value in existing.properties.items() if name != "provisioningState"}
        return before | super().properties(request, existing)

    def put(self, request: Request) -> Reply:
        return with_location(super().put(request), self.plane.base_url, request)

    def find(self, resource_id: ResourceId, verb: str) -> Resource:
        container = self.store.get(resource_id.text)
        if container is None:
            self.require_parent(resource_id, verb)
            raise missing_container(resource_id)
        return container

    def read(self, resource: Resource, request: Request) -> dict[str, Any]:
        names = self.store.child_names(resource.id, f"{self.shape.arm}/versions")
        numbers = [int(name) for name in names if name.isdecimal()]
        properties = {name: value for name, value in resource.properties.items() if name != "provisioningState"}
        # Recorded: the latest version is the last one created; the next version is the highest number plus one.
        properties |= {
            "latestVersion": names[-1] if names else None,
            "nextVersion": str(max(numbers, default=0) + 1),
        }
        return resource.body | {"properties": properties}

    def list_children(self, parent_id: str, request: Request) -> Reply:
        containers = shown_by_view(self.store.children(parent_id, self.shape.arm), request)
        return Reply(200, {"value": [self.read(container, request) for container in containers]})


class DataContainers(AssetContainers):
    """All versions of a data asset."""

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        # Recorded of data, and only there: no tags and no properties are null.
        unset = {"tags": None, "properties": None} if existing is None else {}
        return super().properties(request, existing) | unset | dict(request.sent_properties)

    def body(self, request: Request, existing: Resource | None, resource: Resource, location: str) -> dict[str, Any]:
        return without_modifier(super().body(request, existing, resource, location))


def without_modifier(body: dict[str, Any]) -> dict[str, Any]:
    """Recorded for data: systemData has the time of the last change, but not its author."""
    gone = ("lastModifiedBy", "lastModifiedByType")
    body["systemData"] = {name: value for name, value in body["systemData"].items() if name not in gone}
    return body


def shown_by_view(resources: list[Resource], request: Request) -> list[Resource]:
    """The items of a list: those not archived, unless `listViewType` requests others (documented)."""
    view = request.query.get("listViewType", _ACTIVE).lower()
    if view == _ALL:
        return resources
    return [item for item in resources if bool(item.properties.get("isArchived")) == (view == _ARCHIVED)]


def missing_container(container_id: ResourceId, version: str = "") -> NotFound:
    """404 for a container without versions, in the recorded wording where there is one."""
    kind = container_id.type.rsplit("/", 1)[-1]
    if kind == "environments":
        return missing_environment(container_id.name, version)
    singular = {"models": "Model", "codes": "Code", "data": "Data"}[kind]
    message = f"{singular} container with name: {container_id.name} not found."
    return NotFound.service(f"{singular}NotFound", message, outer="UserError")


def missing_environment(name: str, version: str) -> NotFound:
    """Verbatim, recorded without a version; users report it with one."""
    return NotFound("UserError", f"No environment exists for name: {name}, version: {version}, label: ")

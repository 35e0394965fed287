"""Builds the stored body of a resource under ARM's rules: id, location, tags, identity, properties, dates."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from localazure.arm.regions import check_region
from localazure.arm.reply import Request
from localazure.arm.roles import Identities
from localazure.arm.tags import MAX_NAME, read_tags
from localazure.arm.timing import Clock, time_text
from localazure.errors import BadRequest, Conflict
from localazure.resource import Resource
from localazure.resource_id import ResourceId

# Written by the service; like ARM, it ignores these fields in requests.
READ_ONLY = ("id", "name", "type", "systemData", "etag")


@dataclass(frozen=True)
class Shape:
    """The catalog's facts about a type: its spelling and how its PUT and DELETE end."""

    arm: str
    operation: str | None = None
    deletion: str | None = None


def envelope(resource_id: str, arm_type: str, **parts: Any) -> dict[str, Any]:
    """The body of a resource: id, name and type, then `parts` in their order.

    Parts are `properties` and what stands beside them: systemData, tags, location, kind, sku, identity, etag.
    """
    return {"id": resource_id, "name": resource_id.rpartition("/")[2], "type": arm_type, **parts}


class _Plane(Protocol):
    @property
    def clock(self) -> Clock: ...

    @property
    def identities(self) -> Identities: ...


class ResourceBody:
    """Bodies of one resource type."""

    plane: _Plane
    shape: Shape
    tracked: ClassVar[bool] = True
    """Whether it has its own location, which is then required and cannot change."""
    is_global: ClassVar[bool] = False
    """Whether that location is always `global`."""
    longest_tag_name: ClassVar[int] = MAX_NAME

    # Hooks for types

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        """`properties` as stored: the sent ones plus the service's own."""
        return copy.deepcopy(request.sent_properties)

    def tags(self, sent: Any) -> dict[str, Any]:
        """Tags as stored."""
        return read_tags(sent, max_name=self.longest_tag_name)

    def complete_body(self, resource: Resource, request: Request) -> None:
        """Set the fields that the service adds outside `properties`."""

    def read(self, resource: Resource, request: Request) -> dict[str, Any]:
        """The body of a GET, in the form of the request's api-version."""
        return resource.body

    # The parts

    def canonical_id(self, requested: ResourceId, parent: Resource | None) -> str:
        """The id as ARM stores it: the parent in its own spelling, the type in the catalog's, the name as sent."""
        base = parent.id if parent else ResourceId(requested.parent).text
        segments = self.shape.arm.split("/")
        if len(segments) == 2:
            return f"{base}/providers/{segments[0]}/{segments[1]}/{requested.name}"
        return f"{base}/{segments[-1]}/{requested.name}"

    def body(self, request: Request, existing: Resource | None, resource: Resource, location: str) -> dict[str, Any]:
        body = envelope(resource.id, self.shape.arm)
        if location:
            body["location"] = location
        kept = {key: value for key, value in request.body.items() if key not in (*READ_ONLY, "location", "properties")}
        body |= copy.deepcopy(kept)
        if self.tracked:
            body["tags"] = self.tags(request.body.get("tags"))
        resource.body = body | {"properties": self.properties(request, existing)}
        if body.get("identity") is not None:
            resource.body["identity"] = self.plane.identities.resolve(body["identity"], existing)
        self.complete_body(resource, request)
        return resource.body

    def location_of(self, request: Request, existing: Resource | None) -> str:
        sent = request.body.get("location")
        if sent is not None and not isinstance(sent, str):
            raise BadRequest("InvalidRequestContent", f"location must be a string, got {sent!r}.")
        location = (sent or "").replace(" ", "").lower()
        if not self.tracked:
            return location
        if existing is None:
            if not location:
                # Known code; the wording is from memory of ARM.
                raise BadRequest("LocationRequired", "The location property is required for this definition.")
            check_region(self.shape.arm, location, only_global=self.is_global)
            return location
        current = str(existing.body.get("location", ""))
        if location and location != current:
            # Known code; the wording is from memory of ARM.
            raise Conflict(
                "InvalidResourceLocation",
                f"The resource '{existing.name}' already exists in location '{current}' in resource group "
                f"'{existing.resource_id.resource_group}'. A resource with the same name cannot be created in location "
                f"'{location}'. Please select a new resource name.",
            )
        return current

    def mark_provisioned(self, resource: Resource) -> None:
        resource.properties["provisioningState"] = "Succeeded"

    def system_data(self, existing: Resource | None, caller: str, *, with_types: bool = False) -> dict[str, Any]:
        now = time_text(self.plane.clock())
        before = existing.body.get("systemData", {}) if existing else {}
        data = {"createdAt": before.get("createdAt", now), "createdBy": before.get("createdBy", caller)}
        if with_types:
            data["createdByType"] = "User"
        data["lastModifiedAt"] = now
        if with_types:
            data |= {"lastModifiedBy": caller, "lastModifiedByType": "User"}
        return data

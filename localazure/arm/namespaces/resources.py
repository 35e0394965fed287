"""Microsoft.Resources: resource groups, and lists of the resources in them. Deleting a group deletes its resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from localazure.arm.behaviour import Action
from localazure.arm.listing import resource_filter
from localazure.arm.patching import Patched
from localazure.arm.reply import Reply, Request
from localazure.errors import Conflict, NotEmulated, NotFound
from localazure.resource import Resource
from localazure.resource_id import RESOURCE_GROUP_TYPE, ResourceId, is_within

_SHOWN = ("id", "name", "type", "location", "tags", "kind", "sku", "identity", "managedBy", "zones")
_EXPANSIONS = {"createdtime", "changedtime", "provisioningstate"}  # all the documented ones, and all that az uses
_TAG_FILTERS = ("tagname", "tagvalue")
_FILTERS = ("location", "resourcetype", "name", "resourcegroup", *_TAG_FILTERS)


class ResourceGroups(Patched):
    """A resource group."""

    patchable: ClassVar[frozenset[str]] = frozenset({"tags", "managedBy"})

    def canonical_id(self, requested: ResourceId, parent: Resource | None) -> str:
        return f"/subscriptions/{requested.subscription}/resourceGroups/{requested.name}"

    def find(self, resource_id: ResourceId, verb: str) -> Resource:
        group = self.store.get(resource_id.text)
        if group is None:
            raise NotFound.resource_group(resource_id.name)
        return group

    def _list_groups(self, request: Request) -> Reply:
        wanted = resource_filter(request.query.get("$filter", ""), _TAG_FILTERS)
        here = request.id.key.rpartition("/")[0]
        groups = [one.body for one in self.store.of_type(RESOURCE_GROUP_TYPE) if is_within(one.key, here)]
        return Reply(200, {"value": [body for body in groups if wanted(body)]})

    def location_of(self, request: Request, existing: Resource | None) -> str:
        try:
            return super().location_of(request, existing)
        except Conflict as conflict:
            # A known code, which only groups have.
            conflict.code = "InvalidResourceGroupLocation"
            raise

    def delete(self, request: Request) -> Reply:
        # Resource Manager's specification has only 200 and 202 for this request, and az's users see this 404; other
        # resources answer 204 when they do not exist.
        self.find(request.id, "delete")
        return super().delete(request)

    def check_delete(self, resource: Resource) -> None:
        if self.store.running_operations(resource.id):
            raise Conflict("Conflict", f"Operations are running in resource group '{resource.name}'; try again later.")

    def _list_contents(self, request: Request) -> Reply:
        """All resources with a location in a group or a subscription, without properties."""
        scope = ResourceId(request.id.text.rpartition("/")[0])
        if scope.type:
            self.find(scope, "read")
        query = request.query
        expand = {part.strip().lower() for part in query.get("$expand", "").split(",") if part.strip()}
        if not expand <= _EXPANSIONS:
            raise NotEmulated(f"The expansion {query['$expand'][:100]} of a list of resources")
        text = query.get("$filter", "")
        wanted = resource_filter(text, _FILTERS)
        # Documented: such lists omit the tags.
        hidden = ("tags",) if "tagvalue" in text.lower() else ()
        shown = []
        for resource in self.store.under(scope.text):
            if "location" not in resource.body or resource.resource_id.type == RESOURCE_GROUP_TYPE:
                continue
            body = {key: resource.body[key] for key in _SHOWN if key in resource.body}
            # From memory of ARM: children come with their parents' names.
            body["name"] = "/".join(resource.resource_id.names)
            if "provisioningstate" in expand:
                body["provisioningState"] = resource.properties.get("provisioningState")
            body |= {name: value for name, value in resource.times().items() if name.lower() in expand}
            if wanted(body):
                shown.append({key: value for key, value in body.items() if key not in hidden})
        return Reply(200, {"value": shown})

    routes: ClassVar[Mapping[str, Action]] = {
        "GET /subscriptions/{subscription}/resourceGroups": _list_groups,
        "GET /subscriptions/{subscription}/resources": _list_contents,
        "GET /subscriptions/{subscription}/resourceGroups/{group}/resources": _list_contents,
    }


BEHAVIOURS = {"Microsoft.Resources/resourceGroups": ResourceGroups}

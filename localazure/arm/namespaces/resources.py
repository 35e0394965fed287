"""Microsoft.Resources: resource groups. Deleting one deletes what is in it, as in Azure."""

from __future__ import annotations

from typing import Any

from localazure.arm.behaviour import Behaviour
from localazure.arm.errors import Conflict, NotFound
from localazure.arm.reply import Reply, Request
from localazure.arm.resource_id import RESOURCE_GROUP_TYPE, ResourceId
from localazure.arm.store import Resource


class ResourceGroups(Behaviour):
    """A resource group."""

    def canonical_id(self, requested: ResourceId, parent: Resource | None) -> str:
        return f"/subscriptions/{requested.subscription}/resourceGroups/{requested.name}"

    def find(self, resource_id: ResourceId, verb: str) -> Resource:
        group = self.store.get(resource_id.text)
        if group is None:
            raise NotFound.resource_group(resource_id.name)
        return group

    def list_children(self, parent_id: str, request: Request) -> Reply:
        return Reply(200, {"value": [group.body for group in self.store.of_type(RESOURCE_GROUP_TYPE)]})

    def location_of(self, request: Request, existing: Resource | None) -> str:
        try:
            return super().location_of(request, existing)
        except Conflict as conflict:
            # Known code of its own for groups.
            conflict.code = "InvalidResourceGroupLocation"
            raise

    def check_delete(self, resource: Resource) -> None:
        if self.store.running_operations(resource.id):
            raise Conflict("Conflict", f"Operations are running in resource group '{resource.name}'; try again later.")

    def list_contents(self, group: Resource) -> list[dict[str, Any]]:
        """Top-level resources of a group, as `GET .../resourceGroups/{name}/resources` lists them."""
        shown = []
        for resource in self.store.under(group.id):
            resource_id = resource.resource_id
            is_top_level = resource_id.parent.lower() == group.key and "location" in resource.body
            if is_top_level:
                wanted = ("id", "name", "type", "location", "tags", "kind", "sku", "identity")
                shown.append({key: resource.body[key] for key in wanted if key in resource.body})
        return shown


BEHAVIOURS = {"Microsoft.Resources/resourceGroups": ResourceGroups}

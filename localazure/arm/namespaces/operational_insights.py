"""Microsoft.OperationalInsights: Log Analytics workspaces. They receive nothing and answer no queries yet.

A deleted workspace is kept for 14 days. A PUT of its name in the same group restores it, or is refused if the region
differs. `DELETE ?force=true` keeps nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from localazure.arm.behaviour import Behaviour
from localazure.arm.control_plane import new_guid
from localazure.arm.namespaces.monitor_scopes import refuse_in_scope, show_scopes
from localazure.arm.patching import Patched
from localazure.arm.purging import Purgeable
from localazure.arm.reply import Reply, Request
from localazure.arm.resource_body import Shape
from localazure.arm.timing import time_text
from localazure.errors import Conflict
from localazure.resource import Resource
from localazure.resource_id import is_within

WORKSPACES = "Microsoft.OperationalInsights/workspaces"
DELETED = "Microsoft.OperationalInsights/deletedWorkspaces"
KEPT_DAYS = 14


class LogWorkspaces(Purgeable, Patched):
    """A Log Analytics workspace; for 14 days after its deletion, unless with `?force=true`, a PUT brings it back"""

    dated = True
    purge_parameter = "force"
    patchable: ClassVar[frozenset[str]] = frozenset({"tags", "identity", "properties"})

    honoured: ClassVar[Mapping[str, str]] = {
        "name": "that of a deleted workspace of this group and region: the old one comes back, with its `customerId`",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "name": "that of a deleted workspace of this group, in another region (409); it is in a private link scope, so "
        "it cannot be deleted (409)",
    }

    def check_delete(self, resource: Resource) -> None:
        refuse_in_scope(self.store, resource)

    def read(self, resource: Resource, request: Request) -> dict[str, Any]:
        scopes = show_scopes(self.store, resource, "privateLinkScopedResources", ("resourceId", "scopeId"))
        return resource.body | {"properties": resource.properties | scopes}

    def put(self, request: Request) -> Reply:
        kept = None
        if self.store.get(request.id.text) is None:
            self.require_parent(request.id)
            kept = self.plane.deleted.find(request.id.text, WORKSPACES)
        if kept is None:
            return super().put(request)
        if self.location_of(request, None) != kept.resource.body.get("location"):
            # Code and wording from Azure/azure-cli#11916 and MicrosoftDocs/azure-docs#41719.
            raise Conflict("Conflict", f"The workspace name '{request.id.name}' is not unique", target="name")
        with self.store.transaction():
            # Recorded (azure-cli, test_monitor_log_analytics_workspace_recover): 200, and omitted fields keep their
            # values
            # from before the deletion.
            self.plane.deleted.forget(kept.resource.id, WORKSPACES)
            self.store.save(kept.resource)
            return super().put(self._completed(request, kept.resource))

    def _completed(self, request: Request, before: Resource) -> Request:
        known = {name: before.body[name] for name in ("tags", "identity") if before.body.get(name)}
        properties = before.properties | request.sent_properties
        return Request(**(vars(request) | {"body": known | request.body | {"properties": properties}}))

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        defaults: dict[str, Any] = {
            "sku": {"name": "PerGB2018"},
            "retentionInDays": 30,
            "publicNetworkAccessForIngestion": "Enabled",
            "publicNetworkAccessForQuery": "Enabled",
        }
        before = existing.properties if existing else {}
        properties = defaults | super().properties(request, existing)
        now = time_text(self.plane.clock())
        return properties | {
            "customerId": before.get("customerId") or new_guid(),
            "createdDate": before.get("createdDate") or now,
            "modifiedDate": now,
        }

    def removed(self, resource: Resource) -> None:
        self.plane.deleted.keep(resource, KEPT_DAYS)


class DeletedWorkspaces(Behaviour):
    """Deleted workspaces of a group or of the subscription that can be brought back"""

    lists_only = True
    lists_subscription = True
    tracked = False
    read_only = True

    def list_children(self, parent_id: str, request: Request) -> Reply:
        here = parent_id.lower()
        kept = [one.resource for one in self.plane.deleted.of_type(WORKSPACES)]
        return Reply(200, {"value": [one.body for one in kept if is_within(one.key, here)]})


BEHAVIOURS: dict[str, type[Behaviour]] = {WORKSPACES: LogWorkspaces, DELETED: DeletedWorkspaces}
EXTRA_SHAPES = (Shape(DELETED),)

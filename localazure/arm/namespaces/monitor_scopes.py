"""Microsoft.Insights: private link scopes of Azure Monitor, and what they lead to. Nothing is reached through them.

The limits are documented (azure-monitor, "private-link-design"); the codes and texts of these refusals are ours, as far
as nothing else is said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from localazure.arm.behaviour import Behaviour
from localazure.arm.operations import Commit, Operation
from localazure.arm.patching import Patched
from localazure.arm.reply import Request
from localazure.errors import BadRequest, Conflict
from localazure.resource import Resource
from localazure.resource_id import ResourceId
from localazure.store import Store

SCOPES = "Microsoft.Insights/privateLinkScopes"
SCOPED = f"{SCOPES}/scopedResources"
COMPONENTS = "microsoft.insights/components"
LOG_WORKSPACES = "microsoft.operationalinsights/workspaces"
PROVISIONING_SECONDS = 0.5
"""The minimum time for which a change of one resource occupies its scope: just long enough for changes that a client
starts together to overlap."""
_MODES = ("Open", "PrivateOnly")
_MODE_FIELDS = ("ingestionAccessMode", "queryAccessMode")
_SCOPES_OF_A_RESOURCE = 5
_MOST = {LOG_WORKSPACES: 300, COMPONENTS: 1000}


class PrivateLinkScopes(Patched):
    """A private link scope of Azure Monitor."""

    is_global = True
    created_status = 200  # the only one that its clients know
    patchable: ClassVar[frozenset[str]] = frozenset({"tags"})
    refused: ClassVar[Mapping[str, str]] = {
        "properties.accessModeSettings.ingestionAccessMode": "missing, or neither Open nor PrivateOnly",
        "properties.accessModeSettings.queryAccessMode": "missing, or neither Open nor PrivateOnly",
    }

    def check(self, request: Request, existing: Resource | None) -> None:
        settings = request.sent_properties.get("accessModeSettings")
        for field in _MODE_FIELDS:
            mode = settings.get(field) if isinstance(settings, dict) else None
            if mode not in _MODES:
                raise BadRequest(
                    "BadRequest",
                    f"properties.accessModeSettings.{field} must be one of {', '.join(_MODES)}, got {mode!r}.",
                )


class ScopedResources(Behaviour):
    """A Log Analytics workspace or an Application Insights component in a private link scope."""

    tracked = False
    honoured: ClassVar[Mapping[str, str]] = {
        "properties.linkedResourceId": "the linked resource shows the scope, and cannot be deleted while it is in one",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "properties.linkedResourceId": "missing, names nothing that exists or anything but a Log Analytics workspace "
        "or a component; in five scopes already; one workspace over 300 in a scope, or one component over 1,000; "
        "while another resource of the scope is being added or removed (409)",
    }

    def check(self, request: Request, existing: Resource | None) -> None:
        linked = request.sent_properties.get("linkedResourceId")
        if not isinstance(linked, str) or ResourceId(linked).type not in _MOST:
            raise BadRequest(
                "BadRequest",
                f"properties.linkedResourceId must be the id of a Log Analytics workspace or an Application Insights "
                f"component, got {linked!r}.",
            )
        if self.store.get(linked) is None:
            raise BadRequest("ResourceNotFound", f"properties.linkedResourceId names {linked}, which does not exist.")
        self._refuse_while_busy(request.id)
        others = [one for one in scoped_of(self.store, linked) if one.key != request.id.key]
        if len(others) >= _SCOPES_OF_A_RESOURCE:
            raise BadRequest("BadRequest", f"{linked} is in {len(others)} private link scopes, and 5 are the most.")
        kind = ResourceId(linked).type
        scope = request.id.parent
        same = [one for one in self.store.children(scope, SCOPED) if ResourceId(_linked(one)).type == kind]
        if len([one for one in same if one.key != request.id.key]) >= _MOST[kind]:
            raise BadRequest("BadRequest", f"{scope} has {len(same)} resources of type {kind}, and no more fit.")

    def check_delete(self, resource: Resource) -> None:
        self._refuse_while_busy(resource.resource_id)

    async def finish_put(self, operation: Operation) -> Commit | None:
        left = operation.started + PROVISIONING_SECONDS - self.plane.clock()
        await asyncio.sleep(min(max(left, 0), PROVISIONING_SECONDS))
        return await super().finish_put(operation)

    def _refuse_while_busy(self, scoped_id: ResourceId) -> None:
        """Text as users report it (hashicorp/terraform-provider-azurerm#22236); status and code are ours."""
        if self.store.running_operations(scoped_id.parent):
            raise Conflict("Conflict", "Cannot modify resource while in provisioning state: 'Provisioning'.")


def refuse_in_scope(store: Store, resource: Resource) -> None:
    """Raise while a resource that is to be deleted is in a private link scope (documented; the wording is ours)."""
    for scoped in scoped_of(store, resource.id):
        raise Conflict(
            "Conflict",
            f"{resource.id} cannot be deleted while it is in a private link scope. Remove {scoped.id} first.",
        )


def show_scopes(store: Store, resource: Resource, field: str, names: tuple[str, str]) -> dict[str, Any]:
    """The field in which a linked resource shows its scopes, by the names of a scoped resource and of its scope."""
    shown = [
        dict(zip(names, (scoped.id, scoped.resource_id.parent), strict=True))
        for scoped in scoped_of(store, resource.id)
    ]
    return {field: shown} if shown else {}


def scoped_of(store: Store, linked_id: str) -> Iterator[Resource]:
    """The scoped resources that lead to a resource."""
    return (one for one in store.of_type(SCOPED) if _linked(one).lower() == linked_id.lower())


def linked_in(store: Store, scope_id: str) -> list[Resource]:
    """The resources that a scope leads to."""
    return [found for one in store.children(scope_id, SCOPED) if (found := store.get(_linked(one)))]


def _linked(scoped: Resource) -> str:
    return str(scoped.properties["linkedResourceId"])


BEHAVIOURS: dict[str, type[Behaviour]] = {SCOPES: PrivateLinkScopes, SCOPED: ScopedResources}

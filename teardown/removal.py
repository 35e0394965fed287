"""Takes a stack down: deletes what its state holds, in the engine's order, and frees the names that Azure keeps.

Azure keeps the name of a deleted workspace for 14 days unless it is deleted with `forceToPurge=true`, the name of a
Log Analytics workspace for 14 days unless it is deleted with `force=true`, and the name of a vault for 7 to 90 days
unless it is purged, which purge protection forbids (Microsoft: concept-soft-delete; REST reference of Log Analytics;
key-vault soft-delete-overview). azure-native sends none of these, so this module deletes the first two as soon as
nothing depends on them, and the engine then finds them gone. Every step can be repeated: a second run continues where
a killed one stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from teardown.errors import NotFinished, RemovalError, StillServing
from teardown.inventory import (
    GROUP,
    LOCK,
    LOG_ANALYTICS,
    VAULT,
    WORKSPACE,
    Item,
    beside,
    dependents_of,
    items_of,
    still_serving,
    unprotected,
)

MACHINE_LEARNING_API = "2024-04-01"
OPERATIONAL_INSIGHTS_API = "2023-09-01"
KEY_VAULT_API = "2023-07-01"
RESOURCES_API = "2021-04-01"
LOCKS_API = "2020-05-01"

EventSink = Callable[[Mapping[str, Any]], None]


class Engine(Protocol):
    """The part of one stack's engine that a removal uses."""

    stack: str

    def export(self) -> dict[str, Any]:
        """The state."""

    def import_(self, state: Mapping[str, Any]) -> None:
        """Replace the state."""

    def destroy(self, *, targets: Sequence[str] = (), on_event: EventSink | None = None) -> Any:
        """Delete what is in the state."""


class Azure(Protocol):
    """The part of Resource Manager that a removal uses."""

    def get(self, resource_id: str, api_version: str) -> dict[str, Any] | None:
        """A resource, or None."""

    def get_all(self, path: str, api_version: str) -> list[dict[str, Any]]:
        """A whole list."""

    def delete(self, resource_id: str, api_version: str, **query: str) -> bool:
        """Delete and wait; return whether the resource existed."""

    def act(self, path: str, api_version: str) -> None:
        """POST and wait."""


class StackNames(Protocol):
    """The names under which Azure knows the stack."""

    @property
    def subscription_id(self) -> str:
        """The subscription."""

    @property
    def resource_group_id(self) -> str:
        """The group."""

    @property
    def given_group_id(self) -> str | None:
        """The group, if the stack uses one that it did not create; None otherwise."""

    @property
    def given_workspace_id(self) -> str | None:
        """The workspace, if the stack uses one that it did not create; None otherwise."""

    @property
    def workspace_id(self) -> str:
        """The workspace."""

    @property
    def key_vault(self) -> str:
        """The vault's name."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a removal deletes."""

    items: tuple[Item, ...] = ()
    """The resources of the state, components and providers too."""
    beside: tuple[str, ...] = ()
    """Ids of what else is in the resource group and is deleted with it."""

    def lines(self) -> list[str]:
        """Return one line for each resource that is deleted."""
        own = [f"  {item}{' (protected)' if item.protected else ''}" for item in reversed(self.items) if item.in_azure]
        return [*own, *(f"  {one} (not part of this stack, but in its resource group)" for one in self.beside)]


@dataclass
class Removal:
    """One removal of one stack."""

    engine: Engine
    azure: Azure
    names: StackNames
    location: str
    say: Callable[[str], None]
    on_event: EventSink | None = None
    refusal: type[Exception] = PermissionError
    """The errors that `azure` raises when Azure refuses a request: a vault then stays, and the removal continues."""
    taken: list[str] = field(default_factory=list)
    """The names that stay taken, one line each."""
    unpurged: bool = False
    """Whether one of these names stays taken although it could be freed."""

    def plan(self) -> Plan:
        """Read the state and Azure, and return the plan; change nothing. Raises StillServing and RemovalError."""
        items = items_of(self.engine.export())
        groups = [item for item in items if item.type == GROUP]
        foreign = [item.id for item in groups if not self._is_here(item.id)]
        if foreign:
            raise RemovalError(
                f"the state of stack {self.engine.stack} belongs to a subscription other than "
                f"{self.names.subscription_id}: {', '.join(foreign)}. Sign in to that one, or set ARM_SUBSCRIPTION_ID."
            )
        self._require_weights_of_zero(items)
        created = self.names.given_group_id is None
        if created and not groups and self.azure.get(self.names.resource_group_id, RESOURCES_API) is not None:
            raise RemovalError(
                f"{self.names.resource_group_id} exists in Azure, but the state of stack {self.engine.stack} does not "
                f"contain it. Run `sluice recover --stack {self.engine.stack}` first, then this command again."
            )
        self._require_own_locks(items, groups)
        in_groups = [one for item in groups for one in self.azure.get_all(f"{item.id}/resources", RESOURCES_API)]
        return Plan(items=tuple(items), beside=tuple(beside(items, in_groups)))

    def carry_out(self, plan: Plan) -> None:
        """Delete what the plan lists. Raises NotFinished when the state is not empty afterwards."""
        self._unprotect(plan)
        locks = [item.urn for item in plan.items if item.type == LOCK]
        if locks:
            self.say("deleting the locks of this stack")
            self.engine.destroy(targets=locks, on_event=self.on_event)
        vaults = [(item, self.azure.get(item.id, KEY_VAULT_API)) for item in plan.items if item.type == VAULT]
        self._delete(plan, WORKSPACE, MACHINE_LEARNING_API, forceToPurge="true")
        self._delete(plan, LOG_ANALYTICS, OPERATIONAL_INSIGHTS_API, force="true")
        if plan.items:
            self.say("deleting everything else")
            self.engine.destroy(on_event=self.on_event)
        for name, location in self._vaults(vaults):
            self._free_vault(name, location)
        left = [item for item in items_of(self.engine.export()) if item.in_azure]
        if left:
            raise NotFinished(
                f"stack {self.engine.stack} still has {', '.join(map(str, left))} in its state. Run this command again."
            )

    def _is_here(self, resource_id: str) -> bool:
        return resource_id.lower().startswith(f"/subscriptions/{self.names.subscription_id}/".lower())

    def _require_weights_of_zero(self, items: Sequence[Item]) -> None:
        workspaces = dict.fromkeys([*(item.id for item in items if item.type == WORKSPACE), self.names.workspace_id])
        serving = [
            line
            for workspace in {one.lower(): one for one in workspaces}.values()
            for line in still_serving(self._endpoints_in(workspace, items))
        ]
        if serving:
            stack = self.engine.stack
            lines = "".join(f"\n  {line}" for line in serving)
            raise StillServing(
                f"stack {stack} still serves; nothing was changed:{lines}\n"
                f"Set all weights to 0 in Pulumi.{stack}.yaml (sluice:rollout.<endpoint>.traffic and mirror) and run "
                f"`pulumi up --stack {stack}`, then this command again."
            )

    def _require_own_locks(self, items: Sequence[Item], groups: Sequence[Item]) -> None:
        """A lock that someone else has set would stop the removal half-way."""
        own = {item.id.lower() for item in items if item.type == LOCK}
        path = "providers/Microsoft.Authorization/locks"
        given = self.names.given_group_id
        places = [*(item.id for item in groups), *([given] if given else [])]
        found = [str(one.get("id")) for place in places for one in self.azure.get_all(f"{place}/{path}", LOCKS_API)]
        if given is not None:  # it also holds what is not this stack's
            held = {given.lower(), *(item.id.lower() for item in items)}
            found = [one for one in found if one.lower().partition(f"/{path}/".lower())[0] in held]
        others = sorted(one for one in found if one.lower() not in own)
        if others:
            lines = "".join(f"\n  {one}" for one in others)
            raise RemovalError(
                f"resources of stack {self.engine.stack} have locks that this stack did not create; nothing was "
                f"changed:{lines}\nAsk the person who set them, or run `az lock delete --ids {' '.join(others)}`, "
                "then run this command again."
            )

    def _endpoints_in(self, workspace: str, items: Sequence[Item]) -> list[dict[str, Any]]:
        """The stack's endpoints: all in its own workspace, those of the state in one that was given."""
        listed = self.azure.get_all(f"{workspace}/onlineEndpoints", MACHINE_LEARNING_API)
        if self.names.given_workspace_id is None:
            return listed
        own = {item.id.lower() for item in items}
        return [endpoint for endpoint in listed if str(endpoint.get("id")).lower() in own]

    def _unprotect(self, plan: Plan) -> None:
        protected = {item.urn for item in plan.items if item.protected}
        if protected:
            self.say(f"removing the protection from {len(protected)} of the resources listed above, in the state")
            self.engine.import_(unprotected(self.engine.export(), protected))

    def _delete(self, plan: Plan, kind: str, api_version: str, **query: str) -> None:
        """Let the engine delete what depends on a resource of this kind, then delete the resource permanently."""
        for item in plan.items:
            if item.type != kind:
                continue
            needing = [one.urn for one in dependents_of(items_of(self.engine.export()), item.urn)]
            if needing:
                self.say(f"deleting what depends on {item}")
                self.engine.destroy(targets=needing, on_event=self.on_event)
            self.say(f"deleting {item} permanently, so that its name becomes free")
            self.azure.delete(item.id, api_version, **query)

    def _vaults(self, vaults: Sequence[tuple[Item, Mapping[str, Any] | None]]) -> list[tuple[str, str]]:
        """Return name and region of the vaults that Azure may keep: those in the state, and the stack's own by name."""
        found = {
            item.id.rpartition("/")[2]: str((live or {}).get("location") or self.location) for item, live in vaults
        }
        return list({self.names.key_vault: self.location, **found}.items())

    def _free_vault(self, name: str, location: str) -> None:
        region = location.replace(" ", "").lower()
        kept_id = (
            f"/subscriptions/{self.names.subscription_id}/providers/Microsoft.KeyVault/locations/{region}"
            f"/deletedVaults/{name}"
        )
        kept = self.azure.get(kept_id, KEY_VAULT_API)
        if kept is None:
            return
        properties = kept.get("properties")
        facts = properties if isinstance(properties, Mapping) else {}
        until = str(facts.get("scheduledPurgeDate") or "an unknown day").partition("T")[0]
        if facts.get("purgeProtectionEnabled"):
            self.taken.append(f"key vault {name} until {until}: it has purge protection and cannot be freed earlier")
            return
        self.say(f"purging key vault {name}, so that its name becomes free")
        try:
            self.azure.act(f"{kept_id}/purge", KEY_VAULT_API)
        except self.refusal as error:
            self.unpurged = True
            self.taken.append(f"key vault {name} until {until}: {error}")

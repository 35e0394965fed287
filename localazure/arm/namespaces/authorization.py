"""Microsoft.Authorization: role assignments, custom roles, locks, and the names of some built-in roles.

Assignments decide what identities may pull (see `localazure.arm.roles`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from localazure import identity
from localazure.arm.behaviour import Behaviour
from localazure.arm.listing import Term, read_filter, resource_filter
from localazure.arm.permissions import ACTIONS
from localazure.arm.reply import Reply, Request
from localazure.arm.resource_body import Shape, envelope
from localazure.arm.role_conditions import parse_condition
from localazure.arm.roles import ASSIGNMENTS, BUILT_IN_ROLES, DEFINITIONS, GRANTED, USER_ASSIGNED_TYPE
from localazure.arm.timing import time_text
from localazure.errors import BadRequest, Conflict, NotEmulated, NotFound
from localazure.resource import Resource
from localazure.resource_id import is_within

_IDENTITY = ("roleDefinitionId", "principalId")


class RoleAssignments(Behaviour):
    """A role of a principal on a scope."""

    honoured: ClassVar[Mapping[str, str]] = {
        "properties.principalId": "whose right it is: an endpoint's identity, or the caller's",
        "properties.roleDefinitionId": "blob data roles and AcrPull (and what contains it) decide who may read what; "
        "other roles are stored only",
        "properties.condition": "restricts which role assignments a workload identity may write and delete",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "properties.condition": "one that is not in the subset that is read (501, as everything that is not emulated)",
        "properties.conditionVersion": "other than 2.0, with a condition",
        "properties.principalId": "missing, changed, or the same right given twice (409)",
        "properties.roleDefinitionId": "missing, changed, or the same right given twice (409)",
    }

    tracked = False

    def check(self, request: Request, existing: Resource | None) -> None:
        sent = request.sent_properties
        for field in _IDENTITY:
            if not isinstance(sent.get(field), str) or not sent[field]:
                raise BadRequest("InvalidRequestContent", f"properties.{field} is required and must be a string.")
        condition = sent.get("condition")
        if condition:
            if sent.get("conditionVersion") != "2.0":
                # The rule is documented; the wording is ours.
                raise BadRequest("InvalidRequestContent", "properties.conditionVersion must be 2.0 with a condition.")
            parse_condition(str(condition))
        if existing is not None:
            if any(str(sent[field]).lower() != str(existing.properties[field]).lower() for field in _IDENTITY):
                # Known code; the wording is from memory of ARM.
                raise BadRequest(
                    "RoleAssignmentUpdateNotPermitted",
                    "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
                )
            return
        for other in self.store.children(request.id.parent, self.shape.arm):
            if all(str(sent[field]).lower() == str(other.properties[field]).lower() for field in _IDENTITY):
                # Known code and wording, from memory of ARM.
                raise Conflict("RoleAssignmentExists", "The role assignment already exists.")

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        now = time_text(self.plane.clock())
        properties = {"principalType": "ServicePrincipal", "condition": None, "conditionVersion": None}
        properties |= super().properties(request, existing)
        caller = identity.CALLER_OBJECT_ID
        made: dict[str, Any] = {"createdOn": now, "createdBy": caller}
        if existing:
            made = {name: existing.properties.get(name) for name in made}
        return properties | {"scope": request.id.scope, **made, "updatedOn": now, "updatedBy": caller}

    def complete_body(self, resource: Resource, request: Request) -> None:
        resource.private.setdefault(GRANTED, self.plane.clock())

    def mark_provisioned(self, resource: Resource) -> None:
        """Role assignments have no provisioning state."""

    def delete(self, request: Request) -> Reply:
        """Answers with the deleted assignment, as its clients expect."""
        existing = self.store.get(request.id.text)
        reply = super().delete(request)
        return Reply(reply.status, existing.body if existing else None, reply.headers)

    def list_children(self, parent_id: str, request: Request) -> Reply:
        """At, above and below a scope; documented: `atScope()` leaves out what is below."""
        text = request.query.get("$filter", "")
        alternatives = read_filter(text)
        terms = alternatives[0]
        if len(alternatives) > 1 or not all(_is_known(term) for term in terms):
            raise NotEmulated(f"The filter {text[:200]}")
        only_above = any(term.name == "atscope" for term in terms)
        whose = [term.value for term in terms if term.value]
        here = parent_id.lower()
        shown = []
        for assignment in self.store.of_type(self.shape.arm):
            scope = str(assignment.properties["scope"]).lower()
            near = is_within(here, scope) or (not only_above and is_within(scope, here))
            if near and all(str(assignment.properties["principalId"]).lower() == principal for principal in whose):
                shown.append(assignment.body)
        return Reply(200, {"value": shown})


def _is_known(term: Term) -> bool:
    return (term.name, term.operator) in {("atscope", "call"), ("assignedto", "call"), ("principalid", "eq")}


class CallersPermissions(Behaviour):
    """What the caller may do on a scope: one entry for each of its roles"""

    tracked = False
    read_only = True
    lists_only = True
    lists_subscription = True

    def list_children(self, parent_id: str, request: Request) -> Reply:
        """The default caller may do everything; a workload identity what its roles permit, here and above."""
        entries: list[tuple[tuple[str, ...], tuple[str, ...]]] = [(("*",), ())]
        if request.caller != identity.CALLER_NAME:
            holders = {
                str(one.properties["principalId"])
                for one in self.store.of_type(USER_ASSIGNED_TYPE)
                if one.properties.get("clientId") == request.caller
            }
            held = list(self.plane.roles.held(holders, parent_id))
            custom = {role: self.plane.roles.custom(role) for role in held}
            entries = [one for role in held for one in custom[role] or [ACTIONS.get(role, ((), ()))]]
        shown = [
            {"actions": list(granted), "notActions": list(taken), "dataActions": [], "notDataActions": []}
            for granted, taken in entries
        ]
        return Reply(200, {"value": shown})


class Locks(Behaviour):
    """A lock: deleting its scope, what is below it or what contains it is refused."""

    honoured: ClassVar[Mapping[str, str]] = {"properties.level": "CanNotDelete refuses deletions (409 ScopeLocked)"}
    refused: ClassVar[Mapping[str, str]] = {"properties.level": "missing or unknown"}

    tracked = False

    def check(self, request: Request, existing: Resource | None) -> None:
        level = request.sent_properties.get("level")
        if level == "ReadOnly":
            raise NotEmulated("The lock level ReadOnly")
        if level not in ("CanNotDelete", "NotSpecified"):
            # The values are documented, code and wording are ours.
            raise BadRequest("InvalidRequestContent", f"properties.level must be CanNotDelete, got {level!r}.")

    def mark_provisioned(self, resource: Resource) -> None:
        """Locks have no provisioning state."""

    def list_children(self, parent_id: str, request: Request) -> Reply:
        """At and below a scope, as documented; `atScope()` leaves out what is below."""
        text = request.query.get("$filter", "")
        if text not in ("", "atScope()"):
            raise NotEmulated(f"The filter {text[:200]}")
        here = parent_id.lower()
        scopes = [(lock, lock.resource_id.parent.lower()) for lock in self.store.of_type(self.shape.arm)]
        shown = [lock.body for lock, scope in scopes if scope == here or (not text and is_within(scope, here))]
        return Reply(200, {"value": shown})


class RoleDefinitions(Behaviour):
    """Custom roles, and names and ids of some built-in ones; what those permit is not shown"""

    tracked = False
    in_tenant = True
    honoured: ClassVar[Mapping[str, str]] = {
        "properties.permissions": "actions and notActions decide what a workload identity may do",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "properties.roleName": "missing, or that of another role",
        "properties.assignableScopes": "not a list of at least one",
    }

    def check(self, request: Request, existing: Resource | None) -> None:
        # The rules are documented; the wording is ours, here and below.
        sent = request.sent_properties
        name = sent.get("roleName")
        if request.id.name.lower() in BUILT_IN_ROLES:
            raise BadRequest("InvalidRequestContent", f"{request.id.name} is a built-in role, which cannot be changed.")
        if not isinstance(name, str) or not name:
            raise BadRequest("InvalidRequestContent", "properties.roleName is required and must be a string.")
        scopes = sent.get("assignableScopes")
        if not isinstance(scopes, list) or not scopes:
            raise BadRequest("InvalidRequestContent", "properties.assignableScopes must name at least one scope.")
        others = [one for one in self.store.of_type(DEFINITIONS) if one.key != request.id.key]
        taken = {*BUILT_IN_ROLES.values(), *(str(one.properties["roleName"]) for one in others)}
        if name in taken:
            raise Conflict("RoleDefinitionWithSameNameExists", f"A custom role with the name '{name}' already exists.")

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        return super().properties(request, existing) | {"type": "CustomRole"}

    def delete(self, request: Request) -> Reply:
        """Answers with the deleted role, as its clients expect."""
        existing = self.store.get(request.id.text)
        reply = super().delete(request)
        return Reply(reply.status, existing.body if existing else None, reply.headers)

    def check_delete(self, resource: Resource) -> None:
        end = f"/{resource.name.lower()}"
        if any(
            str(one.properties["roleDefinitionId"]).lower().endswith(end) for one in self.store.of_type(ASSIGNMENTS)
        ):
            # Known code; the status is from memory.
            raise BadRequest("RoleDefinitionHasAssignments", "There are existing role assignments of this role.")

    def mark_provisioned(self, resource: Resource) -> None:
        """Role definitions have no provisioning state."""

    def get(self, request: Request) -> Reply:
        name = request.id.name.lower()
        if name in BUILT_IN_ROLES:
            return Reply(200, self._body(name, request))
        for custom in self.store.named(DEFINITIONS, name):
            return Reply(200, self.read(custom, request))
        # Known code; the wording is ours.
        raise NotFound("RoleDefinitionDoesNotExist", f"The local Azure knows no role with ID '{request.id.name}'.")

    def list_children(self, parent_id: str, request: Request) -> Reply:
        text = request.query.get("$filter", "")
        wanted = resource_filter(text, ("rolename", "type"))
        names = [name for name, shown in BUILT_IN_ROLES.items() if wanted({"rolename": shown, "type": "BuiltInRole"})]
        custom = [
            self.read(one, request)
            for one in self.store.of_type(DEFINITIONS)
            if wanted({"rolename": str(one.properties["roleName"]), "type": "CustomRole"})
        ]
        return Reply(200, {"value": [*(self._body(name, request) for name in names), *custom]})

    def _body(self, name: str, request: Request) -> dict[str, Any]:
        scope = f"/subscriptions/{identity.SUBSCRIPTION_ID}" if request.id.subscription else ""
        properties = {"roleName": BUILT_IN_ROLES[name], "type": "BuiltInRole", "assignableScopes": ["/"]}
        return envelope(f"{scope}/providers/{self.shape.arm}/{name}", self.shape.arm, properties=properties)


BEHAVIOURS: dict[str, type[Behaviour]] = {
    "Microsoft.Authorization/locks": Locks,
    "Microsoft.Authorization/roleAssignments": RoleAssignments,
    "Microsoft.Authorization/roleDefinitions": RoleDefinitions,
    "Microsoft.Authorization/permissions": CallersPermissions,
}
EXTRA_SHAPES = (Shape("Microsoft.Authorization/permissions"),)

"""The assignment of one role to an identity or a group, under a name that is the same in every run.

Who gets which role is decided in `roles.py`; `grants` joins its rows with the resources of this stack.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import authorization

from arm_id import ArmId
from components.placement import Scope
from naming import Names, short_hash
from roles import Holder, Place, Role, When, assignment_name, definition_id, rights_of

__all__ = ["Grant", "assign", "grants", "labelled"]


@dataclass(frozen=True, kw_only=True)
class Grant:
    """One right of an identity or a group."""

    suffix: str
    """*Required.* Ends the logical name of the assignment; unique per parent, stable for life."""
    role: Role
    """*Required.* What it may do."""
    scope: Scope
    """*Required.* On what it may do it."""


def labelled(ids: Iterable[str]) -> dict[str, Scope]:
    """Resources that were given by ARM id, each once, by a label that stays the same whatever else is given."""
    given = {one.lower(): one for one in ids}
    return {f"{ArmId.parse(key).name}-{short_hash(key)}": Scope(id=one, name=key) for key, one in sorted(given.items())}


def grants(
    holder: Holder,
    places: Mapping[Place, Scope],
    *when: When,
    several: Mapping[Place, Mapping[str, Scope]] | None = None,
) -> list[Grant]:
    """The rights of the table that a holder has on these resources, under these conditions.

    `several` has the places of which there are any number: resources by a label that stays the same for life.
    """
    found = []
    for right in rights_of(holder, *when):
        if right.place in places:
            found.append(Grant(suffix=right.suffix, role=right.role, scope=places[right.place]))
        for label, scope in (several or {}).get(right.place, {}).items():
            found.append(Grant(suffix=f"{right.suffix}-{label}", role=right.role, scope=scope))
    return found


def assign(
    grant: Grant,
    *,
    names: Names,
    prefix: str,
    holder_name: str,
    principal_id: pulumi.Input[str],
    principal_type: authorization.PrincipalType,
    parent: pulumi.Resource,
) -> authorization.RoleAssignment:
    """Assign a role; `prefix` begins the logical name of the assignment, which is a child of `parent`.

    `holder_name` is the identity's Azure name or the group's object id: it is part of the assignment's name.
    """
    return authorization.RoleAssignment(
        f"{prefix}-{grant.suffix}",
        role_assignment_name=assignment_name(
            names.resource_group_id, role=grant.role, identity_name=holder_name, scope_name=grant.scope.name
        ),
        principal_id=principal_id,
        # Without the type Azure looks the principal up in Entra, where a new identity may not have arrived yet.
        principal_type=principal_type,
        role_definition_id=definition_id(names.subscription_id, grant.role),
        scope=grant.scope.id,
        opts=pulumi.ResourceOptions(
            parent=parent,
            delete_before_replace=True,
            # Azure refuses another principal under the same name (a recreated identity has another principal id).
            replace_on_changes=["principalId"],
        ),
    )

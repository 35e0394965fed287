"""The assignment of a role to an identity of the pipeline; `roles.py` says which one it gets."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_azure_native import authorization

from roles import Holder, Place, Right, Role, When, assignment_name, definition_id, rights_of

__all__ = ["assign", "assign_all"]


def assign_all(
    holder: Holder,
    places: Mapping[Place, Mapping[str, pulumi.Input[str]]],
    *,
    names: tuple[str, str],
    principal_id: pulumi.Input[str],
    condition: str,
    parent: pulumi.Resource,
) -> None:
    """Every right of the table that the holder has on these resources, by label; "" where there is one.

    `names` are the subscription's id and the identity's name; `condition` restricts which roles it may assign itself.
    """
    subscription_id, identity_name = names
    for right in rights_of(holder, When.RESTRICTED):
        for label, scope in places.get(right.place, {}).items():
            assign(
                f"{identity_name}-{_suffix(right, label)}",
                role_id=definition_id(subscription_id, right.role),
                role=right.role,
                scope=scope,
                name_of=(f"/subscriptions/{subscription_id}", identity_name, f"{right.place}/{label}"),
                principal_id=principal_id,
                condition=condition if right.when is When.RESTRICTED else None,
                parent=parent,
            )


def assign(
    logical_name: str,
    *,
    role_id: pulumi.Input[str],
    role: Role | str,
    scope: pulumi.Input[str],
    name_of: tuple[str, str, str],
    principal_id: pulumi.Input[str],
    condition: str | None,
    parent: pulumi.Resource,
) -> None:
    """One assignment; `name_of` are subscription, identity and what it is assigned on, known before they exist."""
    above, identity_name, place = name_of
    authorization.RoleAssignment(
        logical_name,
        role_assignment_name=assignment_name(above, role=role, identity_name=identity_name, scope_name=place),
        principal_id=principal_id,
        principal_type=authorization.PrincipalType.SERVICE_PRINCIPAL,
        role_definition_id=role_id,
        scope=scope,
        condition=condition,
        condition_version="2.0" if condition else None,
        opts=pulumi.ResourceOptions(parent=parent, delete_before_replace=True, replace_on_changes=["principalId"]),
    )


def _suffix(right: Right, label: str) -> str:
    return f"{right.suffix}-{label}" if label else right.suffix

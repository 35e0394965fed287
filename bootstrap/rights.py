"""What the pipeline's identities may do outside of the group, and which roles the deploying one may assign. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from arm_id import ArmId
from naming import short_hash
from roles import GRANTED_BY_STACK, Place

__all__ = ["grant_condition", "places_outside"]

_PLACES: Mapping[str, Place | None] = {
    "microsoft.network/virtualnetworks": Place.NETWORKS_OUTSIDE,
    "microsoft.network/virtualnetworks/subnets": Place.NETWORKS_OUTSIDE,
    "microsoft.network/privatednszones": Place.ZONES_OUTSIDE,
    "microsoft.operationalinsights/workspaces": Place.LOGS_OUTSIDE,
    "microsoft.managedidentity/userassignedidentities": Place.IDENTITIES_OUTSIDE,
    "microsoft.insights/privatelinkscopes": Place.SCOPES_OUTSIDE,
    "microsoft.insights/actiongroups": None,
}
"""By type; the stack only reads where there is None, and assigns roles on every other type."""
_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"


def places_outside(ids: Iterable[str]) -> dict[Place, dict[str, str]]:
    """The ids by what the deploying identity needs there; each with a label that stays the same for life."""
    found: dict[Place, dict[str, str]] = {}
    for one in {each.lower(): each for each in ids}.values():
        parsed = ArmId.parse(one)
        label = f"{parsed.name.replace('.', '-')}-{short_hash(one.lower())}"
        for place in (Place.OUTSIDE, _PLACES.get(parsed.type, Place.GRANTS_OUTSIDE)):
            if place is not None:
                found.setdefault(place, {})[label] = one
    return found


def grant_condition(groups: Collection[str]) -> str:
    """The condition under which the deploying identity may write and delete role assignments.

    The role must be one that the stack assigns, and its holder a service principal (identities are) or one of these
    groups. The form is that of Microsoft's examples ("Examples to delegate Azure role assignment management").
    """
    return " AND ".join(
        _restriction(verb, source, groups) for verb, source in (("write", "Request"), ("delete", "Resource"))
    )


def _restriction(verb: str, source: str, groups: Collection[str]) -> str:
    attribute = f"@{source}[{_ASSIGNMENTS}:%s] ForAnyOfAnyValues:"
    role = f"{attribute % 'RoleDefinitionId'}GuidEquals {{{', '.join(sorted(GRANTED_BY_STACK))}}}"
    holder = f"{attribute % 'PrincipalType'}StringEqualsIgnoreCase {{'ServicePrincipal'}}"
    if groups:
        listed = ", ".join(sorted({group.lower() for group in groups}))
        holder = f"({holder} OR {attribute % 'PrincipalId'}GuidEquals {{{listed}}})"
    return f"((!(ActionMatches{{'{_ASSIGNMENTS}/{verb}'}})) OR ({role} AND {holder}))"

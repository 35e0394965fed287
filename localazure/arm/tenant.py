"""Answers about the one tenant, its subscriptions, and their resource providers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from localazure import identity
from localazure.catalog import RESOURCE_TYPES, by_arm_type
from localazure.errors import NotEmulated

WITHOUT_TYPES = (
    "Microsoft.AlertsManagement",
    "Microsoft.Cdn",
    "Microsoft.Consumption",
    "Microsoft.PolicyInsights",
)
"""Namespaces that managed endpoints and their surroundings need registered and of which no type is emulated."""


SUBSCRIPTIONS = {identity.SUBSCRIPTION_ID: "Local Azure", identity.HUB_SUBSCRIPTION_ID: "Local Azure (hub)"}
"""Display names by id; the first one is where stacks are."""


def subscription(subscription_id: str) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{subscription_id}",
        "subscriptionId": subscription_id,
        "tenantId": identity.TENANT_ID,
        "displayName": SUBSCRIPTIONS[subscription_id],
        "state": "Enabled",
        "authorizationSource": "RoleBased",
    }


def tenant() -> dict[str, Any]:
    return {"id": f"/tenants/{identity.TENANT_ID}", "tenantId": identity.TENANT_ID, "displayName": "Local Azure"}


def providers(types: Iterable[str], scope: str, unregistered: Collection[str]) -> list[dict[str, Any]]:
    """Every namespace with an emulated type, and those that are only registered."""
    types = list(types)
    spelled = {arm_type.partition("/")[0].lower(): arm_type.partition("/")[0] for arm_type in types}
    return [
        provider(namespace, types, scope, unregistered) for namespace in sorted([*spelled.values(), *WITHOUT_TYPES])
    ]


def provider(namespace: str, types: Iterable[str], scope: str, unregistered: Collection[str]) -> dict[str, Any]:
    """One namespace with its emulated types. Raises NotEmulated for one that is not known here.

    `unregistered` are in lower case.
    """
    own = [arm_type for arm_type in types if arm_type.lower().startswith(f"{namespace.lower()}/")]
    known = [own[0].partition("/")[0]] if own else [one for one in WITHOUT_TYPES if one.lower() == namespace.lower()]
    if not known:
        raise NotEmulated(f"The resource provider {namespace}")
    name = known[0]
    return {
        "id": f"{scope}/providers/{name}",
        "namespace": name,
        "registrationState": "NotRegistered" if name.lower() in unregistered else "Registered",
        "registrationPolicy": "RegistrationRequired",
        "resourceTypes": [
            {
                "resourceType": arm_type.partition("/")[2],
                "locations": [],
                "apiVersions": [_api_version(arm_type)],
                "capabilities": "None",
            }
            for arm_type in own
        ],
    }


def _api_version(arm_type: str) -> str:
    """Accepts any version; lists azure-native's version, or the namespace's for types that it lacks."""
    kind = by_arm_type(arm_type)
    if kind is not None:
        return kind.api_version
    namespace = arm_type.partition("/")[0]
    return max(kind.api_version for kind in RESOURCE_TYPES if kind.arm.startswith(f"{namespace}/"))

"""What a workload identity may do in Resource Manager: its role assignments, and what the built-in roles permit.

The actions of the roles are those of Microsoft's built-in role pages (documented), shortened to the providers that the
local Azure has. A role that is neither in the table nor a custom one permits nothing. The default caller is never
asked. Deny assignments and groups do not exist here; the rights that a PUT needs on resources that its body names
(assigning an identity, joining a subnet) are not checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from functools import lru_cache
from typing import Any

from localazure.arm.reply import Reply, Request
from localazure.arm.role_conditions import Attempt
from localazure.arm.roles import (
    BLOB_DATA_CONTRIBUTOR,
    BLOB_DATA_OWNER,
    BLOB_DATA_READER,
    CONTRIBUTOR,
    DATA_SCIENTIST,
    IDENTITY_OPERATOR,
    LOG_ANALYTICS_CONTRIBUTOR,
    MONITORING_CONTRIBUTOR,
    MONITORING_READER,
    NETWORK_CONTRIBUTOR,
    OWNER,
    PRIVATE_ZONE_CONTRIBUTOR,
    RBAC_ADMINISTRATOR,
    READER,
    USER_ACCESS_ADMINISTRATOR,
    Permission,
    Roles,
)
from localazure.callers import Workload
from localazure.errors import ArmError
from localazure.resource_id import ResourceId

_ML = "microsoft.machinelearningservices/workspaces"
_CONTAINERS = "microsoft.storage/storageaccounts/blobservices/containers"
# Role → what it permits, and what of it is taken away again.
ACTIONS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    OWNER: (("*",), ()),
    CONTRIBUTOR: (("*",), ("microsoft.authorization/*/delete", "microsoft.authorization/*/write")),
    READER: (("*/read",), ()),
    MONITORING_READER: (("*/read",), ()),
    NETWORK_CONTRIBUTOR: (
        (
            "microsoft.authorization/*/read",
            "microsoft.network/*",
            "microsoft.resources/deployments/*",
            "microsoft.resources/subscriptions/resourcegroups/read",
        ),
        (),
    ),
    PRIVATE_ZONE_CONTRIBUTOR: (
        (
            "microsoft.resources/deployments/*",
            "microsoft.resources/subscriptions/resourcegroups/read",
            "microsoft.network/privatednszones/*",
            "microsoft.network/virtualnetworks/read",
            "microsoft.network/virtualnetworks/join/action",
            "microsoft.authorization/*/read",
        ),
        (),
    ),
    IDENTITY_OPERATOR: (
        (
            "microsoft.managedidentity/userassignedidentities/*/read",
            "microsoft.managedidentity/userassignedidentities/*/assign/action",
            "microsoft.authorization/*/read",
            "microsoft.resources/deployments/*",
            "microsoft.resources/subscriptions/resourcegroups/read",
        ),
        (),
    ),
    LOG_ANALYTICS_CONTRIBUTOR: (
        (
            "*/read",
            "microsoft.insights/diagnosticsettings/*",
            "microsoft.operationalinsights/*",
            "microsoft.resources/deployments/*",
        ),
        (),
    ),
    # The part of its actions whose types are emulated.
    MONITORING_CONTRIBUTOR: (
        (
            "*/read",
            "microsoft.insights/components/*",
            "microsoft.insights/diagnosticsettings/*",
            "microsoft.insights/metrics/*",
            "microsoft.insights/privatelinkscopes/*",
            "microsoft.operationalinsights/workspaces/write",
        ),
        (),
    ),
    USER_ACCESS_ADMINISTRATOR: (("*/read", "microsoft.authorization/*"), ()),
    RBAC_ADMINISTRATOR: (
        (
            "*/read",
            "microsoft.authorization/roleassignments/write",
            "microsoft.authorization/roleassignments/delete",
        ),
        (),
    ),
    DATA_SCIENTIST: (
        tuple(f"{_ML}/*/{verb}" for verb in ("read", "action", "delete", "write")),
        (
            *(f"{_ML}/{verb}" for verb in ("delete", "write", "listkeys/action")),
            *(f"{_ML}/computes/*/{verb}" for verb in ("delete", "write")),
            f"{_ML}/computes/listkeys/action",
        ),
    ),
    BLOB_DATA_OWNER: ((f"{_CONTAINERS}/*",), ()),
    BLOB_DATA_CONTRIBUTOR: ((f"{_CONTAINERS}/read", f"{_CONTAINERS}/write", f"{_CONTAINERS}/delete"), ()),
    BLOB_DATA_READER: ((f"{_CONTAINERS}/read",), ()),
}
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}


def permits(role: str, action: str, custom: Iterable[Permission] = ()) -> bool:
    """Whether a role, by its GUID, permits an action such as `microsoft.insights/metrics/read`, in lower case.

    `custom` is what it permits if it is a custom one.
    """
    matches = _pattern_of(action)
    return any(
        any(map(matches, granted)) and not any(map(matches, taken))
        for granted, taken in (ACTIONS.get(role, ((), ())), *custom)
    )


def _pattern_of(action: str) -> Any:
    return lambda pattern: _compiled(pattern).fullmatch(action) is not None


@lru_cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of actions; `/*/` also stands for nothing between: `workspaces/*/write` contains `workspaces/write`."""
    words = [re.escape(word) for word in re.split(r"/\*/|\*", pattern)]
    joints = ["/(?:.*/)?" if joint == "/*/" else ".*" for joint in re.findall(r"/\*/|\*", pattern)]
    return re.compile("".join(word + joint for word, joint in zip(words, [*joints, ""], strict=True)))


def asked_of(request: Request) -> tuple[str, str]:
    """The action that a request needs, in lower case, and the scope on which; ("", scope) for what everybody may read.

    Everybody with a role somewhere in the subscription sees the subscription itself, and the operations that they
    started, which are below `locations`.
    """
    target = request.id
    reads = request.method in ("GET", "HEAD")
    if target.type:
        if reads and (not target.resource_group and "/locations/" in f"{target.key}/"):
            return "", target.text
        if target.type == "microsoft.resources/resourcegroups":
            return (
                f"microsoft.resources/subscriptions/resourcegroups/{_VERBS.get(request.method, 'action')}",
                target.text,
            )
        scope = target.text if request.method != "POST" else target.scope
        return f"{target.type}/{_VERBS.get(request.method, 'action')}", scope
    if reads:
        child = ResourceId(f"{target.text}/-")
        if child.namespace and child.type:
            return f"{child.type}/read", child.parent
        return "", target.text
    above, _, action = target.text.rpartition("/")
    on = ResourceId(above)
    kind = on.type or "microsoft.resources/subscriptions"
    return f"{kind}/{action.lower()}/action", above


class Permissions:
    """Holds the requests of workload identities against their roles."""

    def __init__(self, roles: Roles) -> None:
        self._roles = roles

    def check(self, workload: Workload, request: Request) -> None:
        """Raise ArmError 403 unless the identity's roles permit the request.

        Lists of a whole subscription are never refused; `visible` leaves out what the identity may not read.
        """
        action, scope = asked_of(request)
        if not action or (request.method == "GET" and _is_subscription(scope) and not request.id.type):
            return
        if not self._permitted({workload.object_id}, scope, self._roles.attempt(request, action)):
            # Code and wording are those that ARM's clients quote in public reports (pulumi/pulumi-azure-native#2439).
            raise ArmError(
                "AuthorizationFailed",
                f"The client '{workload.client_id}' with object id '{workload.object_id}' does not have authorization "
                f"to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently "
                "granted, please refresh your credentials.",
                status=403,
            )

    def visible(self, workload: Workload, request: Request, reply: Reply) -> Reply:
        """A list without what the identity may not read."""
        values = reply.body.get("value") if isinstance(reply.body, dict) else None
        if request.method != "GET" or not isinstance(values, list):
            return reply
        shown = [one for one in values if not _has_id(one) or self._reads(workload, str(one["id"]))]
        return Reply(reply.status, {**reply.body, "value": shown}, reply.headers)

    def _reads(self, workload: Workload, resource_id: str) -> bool:
        kind = ResourceId(resource_id).type
        if not kind:
            return True  # a subscription, a tenant, a provider
        if kind == "microsoft.resources/resourcegroups":
            kind = "microsoft.resources/subscriptions/resourcegroups"
        return self._permitted({workload.object_id}, resource_id, Attempt(f"{kind}/read"))

    def _permitted(self, principals: Set[str], scope: str, attempt: Attempt) -> bool:
        return any(
            permits(role, attempt.action, self._roles.custom(role))
            for role in self._roles.held(principals, scope, attempt)
        )


def _is_subscription(scope: str) -> bool:
    return len(scope.strip("/").split("/")) <= 2


def _has_id(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("id"), str)

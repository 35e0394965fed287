"""What a stack needs around it before an update can succeed: providers, roles, free names, ranges that do not overlap.

It only reads, with the caller's login. A check that finds nothing wrong says what it looked at.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from arm_id import ArmId
from diagnosis.finding import Finding, Health
from roles import Holder, Place, Right, Role, When, rights_of

if TYPE_CHECKING:
    from naming import Names
    from resource_manager.client import ArmClient
    from settings import Settings

PROVIDERS_API = "2021-04-01"
AUTHORIZATION_API = "2022-04-01"
IDENTITY_API = "2023-01-31"
NETWORK_API = "2024-05-01"
OPERATIONAL_INSIGHTS_API = "2023-09-01"
MACHINE_LEARNING_API = "2024-04-01"

PROVIDERS = (
    "Microsoft.AlertsManagement",
    "Microsoft.Authorization",
    "Microsoft.Cdn",
    "Microsoft.Consumption",
    "Microsoft.ContainerRegistry",
    "Microsoft.Insights",
    "Microsoft.KeyVault",
    "Microsoft.MachineLearningServices",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.OperationalInsights",
    "Microsoft.PolicyInsights",
    "Microsoft.Storage",
)
"""Azure registers few by itself, and azure-native none. The list has what the program declares, and what Microsoft's
page on managed online endpoints asks for (documented)."""

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
ROLE_FOR = {
    "Microsoft.Authorization/roleAssignments/write": "Role Based Access Control Administrator",
    "Microsoft.Network/virtualNetworks/subnets/join/action": "Network Contributor",
}
"""The role that a command grants for an action; *Contributor* for all others."""
CONTAINED_IN = {Role.CONTRIBUTOR: {OWNER}, Role.READER: {OWNER, str(Role.CONTRIBUTOR)}}
"""Other roles that are enough, by GUID."""

ASSIGNED_ON = ("storage", "vault", "registry", "application_insights")
"""Keys of `sluice:existing` on which the stack assigns roles."""
ASSIGN = "Microsoft.Authorization/roleAssignments/write"
JOIN = "Microsoft.Network/virtualNetworks/subnets/join/action"
CREATE_GROUP = "Microsoft.Resources/subscriptions/resourceGroups/write"
CREATE_ENDPOINT = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write"
CREATE_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities/write"
CREATE_WORKSPACE = "Microsoft.MachineLearningServices/workspaces/write"


def check_providers(arm: ArmClient, subscription_id: str) -> Iterator[Finding]:
    """Every resource provider that the stack needs is registered in its subscription."""
    listed = arm.get_all(f"/subscriptions/{subscription_id}/providers", PROVIDERS_API)
    states = {str(one.get("namespace")).lower(): str(one.get("registrationState")) for one in listed}
    missing = [name for name in PROVIDERS if states.get(name.lower()) != "Registered"]
    if not missing:
        yield Finding("providers", Health.GOOD, f"all {len(PROVIDERS)} resource providers are registered")
        return
    commands = " && ".join(
        f"az provider register --subscription {subscription_id} --namespace {name} --wait" for name in missing
    )
    yield Finding("providers", Health.PROBLEM, f"not registered: {', '.join(missing)}", commands)


def check_permissions(arm: ArmClient, settings: Settings, names: Names) -> Iterator[Finding]:
    """The caller may create what the stack creates, and assign roles where the stack assigns some."""
    wanted = _wanted(arm, settings, names)
    lacking = {
        scope: missing
        for scope, actions in wanted.items()
        if (missing := [action for action in actions if not _permits(_permissions(arm, scope), action)])
    }
    if not lacking:
        yield Finding("rights", Health.GOOD, f"this login may create and assign roles on {', '.join(wanted)}")
    for scope, actions in lacking.items():
        roles = {ROLE_FOR.get(one, "Contributor") for one in actions}
        commands = [
            f'az role assignment create --assignee {_object_id(arm.token)} --role "{role}" --scope {scope}'
            for role in sorted(roles)
        ]
        text = f"this login lacks {', '.join(actions)} on {scope}. Its owner can run the command"
        yield Finding("rights", Health.PROBLEM, text, " && ".join(commands))


def _wanted(arm: ArmClient, settings: Settings, names: Names) -> dict[str, tuple[str, ...]]:
    """The actions that an update needs, by scope."""
    group, subscription = names.resource_group_id, f"/subscriptions/{names.subscription_id}"
    given = settings.existing.given()
    inside: tuple[str, ...] = (CREATE_WORKSPACE, ASSIGN)
    if names.given_workspace_id is not None:
        inside = (CREATE_IDENTITY,)
        workspace = (arm.get(names.workspace_id, MACHINE_LEARNING_API) or {}).get("properties") or {}
        parts = {"storage": "storageAccount", "registry": "containerRegistry"}
        given = {key: str(workspace[name]) for key, name in parts.items() if workspace.get(name)}
    exists = names.given_group_id or arm.get(group, PROVIDERS_API) is not None
    wanted: dict[str, tuple[str, ...]] = {group: inside} if exists else {subscription: (CREATE_GROUP, *inside)}
    if names.given_workspace_id is not None:
        wanted[names.workspace_id] = (CREATE_ENDPOINT, ASSIGN)
    if settings.existing.subnet is not None:
        wanted[settings.existing.subnet] = (JOIN,)
    return wanted | {given[key]: (ASSIGN,) for key in ASSIGNED_ON if key in given}


def check_identity(arm: ArmClient, settings: Settings, names: Names) -> Iterator[Finding]:
    """A workspace identity that was given has the roles that the stack would give to its own."""
    identity_id = settings.existing.workspace_identity
    if identity_id is None:
        return
    identity = arm.get(identity_id, IDENTITY_API)
    principal = str(((identity or {}).get("properties") or {}).get("principalId") or "")
    if not principal:
        yield Finding("workspace identity", Health.PROBLEM, f"{identity_id} does not exist", None)
        return
    when = () if settings.network.mode.value == "public" else (When.PRIVATE,)
    missing = [
        (right, scope)
        for right, scope in _rights(settings, names, when)
        if not _holds(arm, principal, right.role, scope)
    ]
    if not missing:
        yield Finding("workspace identity", Health.GOOD, f"{identity_id} has all the roles that a workspace needs")
        return
    commands = dict.fromkeys(
        f"az role assignment create --assignee-object-id {principal} --assignee-principal-type ServicePrincipal "
        f"--role {right.role} --scope {scope}"
        for right, scope in missing
    )
    what = ", ".join(f"{right.role.name.lower()} on the {right.place}" for right, _ in missing)
    yield Finding("workspace identity", Health.PROBLEM, f"{identity_id} lacks {what}", " && ".join(commands))


def check_endpoint_names(arm: ArmClient, settings: Settings, names: Names) -> Iterator[Finding]:
    """No other workspace of the subscription has one of the endpoints' names in the region.

    The names of other customers cannot be asked for: no such request is documented.
    """
    wanted = {names.endpoint(key, one.name): key for key, one in settings.endpoints.items()}
    if not wanted:
        return
    workspaces = arm.get_all(
        f"/subscriptions/{names.subscription_id}/providers/Microsoft.MachineLearningServices/workspaces",
        MACHINE_LEARNING_API,
    )
    taken = [
        f"{endpoint['name']} in {workspace['id']}"
        for workspace in workspaces
        if _short(str(workspace.get("location"))) == settings.location
        and str(workspace["id"]).lower() != names.workspace_id.lower()
        for endpoint in arm.get_all(f"{workspace['id']}/onlineEndpoints", MACHINE_LEARNING_API)
        if endpoint["name"] in wanted
    ]
    if not taken:
        text = f"no other workspace of this subscription has {', '.join(wanted)} in {settings.location}"
        yield Finding("endpoint names", Health.GOOD, text)
        return
    text = f"taken in {settings.location}: {', '.join(taken)}. Set another sluice:endpoints.<key>.name"
    yield Finding("endpoint names", Health.PROBLEM, text)


def check_kept_logs(arm: ArmClient, settings: Settings, names: Names) -> Iterator[Finding]:
    """Azure keeps a deleted Log Analytics workspace for 14 days, and brings it back with its data under its name.

    In another region it is refused instead. Of deleted workspaces of Azure ML no list is documented.
    """
    if settings.existing.log_analytics is not None:
        return
    path = f"/subscriptions/{names.subscription_id}/providers/Microsoft.OperationalInsights/deletedWorkspaces"
    kept = f"/resourceGroups/{names.resource_group}/providers/Microsoft.OperationalInsights/workspaces/"
    for one in arm.get_all(path, OPERATIONAL_INSIGHTS_API):
        if not str(one.get("id")).lower().endswith(f"{kept}{names.log_analytics}".lower()):
            continue
        text = f"Azure keeps the deleted Log Analytics workspace {names.log_analytics}"
        if _short(str(one.get("location"))) == settings.location:
            yield Finding("log analytics", Health.NOTE, f"{text}: the next update brings it back with its data")
        else:
            fix = f"Set sluice:generation: {names.generation + 1} in Pulumi.{names.stack}.yaml"
            yield Finding("log analytics", Health.PROBLEM, f"{text} of {one.get('location')}. {fix}")


def check_addresses(arm: ArmClient, settings: Settings) -> Iterator[Finding]:
    """The address space overlaps that of no network to peer with, in whatever subscription it is."""
    space, peers = settings.network.address_space, settings.network.peer_with
    if space is None or not peers:
        return
    problems = [problem for one in peers if (problem := _against(arm, one, space))]
    if not problems:
        yield Finding("addresses", Health.GOOD, f"{space} overlaps none of the networks in sluice:network.peer_with")
    for problem in problems:
        yield Finding("addresses", Health.PROBLEM, problem)


def _against(arm: ArmClient, network_id: str, space: str) -> str | None:
    """What is wrong between a range and a network."""
    network = arm.get(network_id, NETWORK_API)
    if network is None:
        return f"{network_id} in sluice:network.peer_with does not exist"
    prefixes = ((network.get("properties") or {}).get("addressSpace") or {}).get("addressPrefixes") or ()
    overlap = next((str(one) for one in prefixes if ip_network(str(one)).overlaps(ip_network(space))), None)
    return f"{space} overlaps {overlap} of {network_id}: Azure refuses to peer them" if overlap else None


def _permissions(arm: ArmClient, scope: str) -> list[dict[str, Any]]:
    return arm.get_all(f"{scope}/providers/Microsoft.Authorization/permissions", AUTHORIZATION_API)


def _permits(permissions: Sequence[Mapping[str, Any]], action: str) -> bool:
    """Whether one role allows an action: its `actions` name it, and its `notActions` do not take it away."""
    return any(
        _matches(one.get("actions"), action) and not _matches(one.get("notActions"), action) for one in permissions
    )


def _matches(patterns: Sequence[str] | None, action: str) -> bool:
    return any(
        re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), action, re.IGNORECASE) for pattern in patterns or ()
    )


def _rights(settings: Settings, names: Names, when: Sequence[When]) -> Iterator[tuple[Right, str]]:
    """What a given workspace identity needs, and on what: on the group for what the stack creates itself."""
    existing = settings.existing
    group = names.resource_group_id
    scopes = {
        Place.STORAGE: existing.storage or group,
        Place.VAULT: existing.vault or group,
        Place.REGISTRY: existing.registry or group,
        Place.INSIGHTS: existing.application_insights or group,
        Place.WORKSPACE: group,
        Place.GROUP: group,
        Place.BLOB_ENDPOINT: group,
        Place.FILE_ENDPOINT: group,
    }
    for right in rights_of(Holder.WORKSPACE, *when):
        if right.place in scopes:
            yield right, scopes[right.place]
        if right.place is Place.RULE_TARGETS:
            rules = [rule.resource for rule in settings.network.outbound.values()]
            targets = [*rules, existing.storage, existing.vault, existing.registry]
            for target in dict.fromkeys(one for one in targets if one):
                if ArmId.parse(target).resource_group.lower() != names.resource_group.lower():
                    yield right, target


def _holds(arm: ArmClient, principal: str, role: Role, scope: str) -> bool:
    """Whether a principal has a role, or one that contains it, on a scope or above it."""
    listed = arm.get_all(
        f"{scope}/providers/Microsoft.Authorization/roleAssignments",
        AUTHORIZATION_API,
        {"$filter": f"principalId eq '{principal}'"},
    )
    enough = {str(role)} | CONTAINED_IN.get(role, set())
    for assignment in listed:
        properties = assignment.get("properties") or {}
        above = f"{scope}/".lower().startswith(f"{str(properties.get('scope') or '').rstrip('/')}/".lower())
        if above and str(properties.get("roleDefinitionId")).rsplit("/", 1)[-1].lower() in enough:
            return True
    return False


def _object_id(token: str) -> str:
    """The caller's object id, which its token names."""
    try:
        payload = token.split(".")[1]
        return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["oid"])
    except (IndexError, KeyError, ValueError):
        return "<object id>"


def _short(location: str) -> str:
    return location.replace(" ", "").lower()

"""What the network of a stack names and others own: networks to peer with, DNS zones, a private link scope, resources.

They may be in other subscriptions. What is absent or does not fit is refused, unless the stack uses it already: then
its owner has changed it, and an update that does not touch it, such as a way back, must not stop. What cannot be read
is left to Azure, with a warning.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network

import pulumi

from arm_id import ArmId
from assessment.azure_reads import Read, ReadFailure, Resource, ask
from assessment.live import LiveStack
from assessment.subscriptions import Subscriptions
from naming import Names
from network_plan import NetworkPlan
from problem import Problem

__all__ = ["OTHER_TENANT", "neighbour_problems"]

OTHER_TENANT = "InvalidAuthenticationTokenTenant"
"""ARM's code for a subscription whose tenant did not issue the token (as users report it)."""
FORBIDDEN = 403
"""The token was accepted, so the tenant is right."""


@dataclass(frozen=True, kw_only=True)
class _Neighbour:
    """One id in the stack file."""

    where: str
    id: str
    kind: str
    """What it must be, for people."""
    read: Read
    must_share_tenant: bool = False
    """The update writes there, or Azure ML connects to it: what another tenant owns does not work."""


def neighbour_problems(
    plan: NetworkPlan, live: LiveStack, names: Names, subscriptions: Subscriptions, *, file: str
) -> Iterator[Problem]:
    """Everything about the neighbours that Azure would refuse while it applies the update."""
    neighbours = [*_peers(plan, subscriptions), *_zones(plan, subscriptions), *_scope(plan, subscriptions)]
    neighbours += _rule_targets(plan, live, names, subscriptions)
    if not neighbours:
        return
    answers = ask({neighbour.where: neighbour.read for neighbour in neighbours})
    problems: list[tuple[_Neighbour, Problem]] = []
    for neighbour in neighbours:
        answer = answers[neighbour.where]
        if isinstance(answer, ReadFailure):
            if problem := _failure_problem(neighbour, answer, file):
                problems.append((neighbour, problem))
        elif answer is None:
            what = f"must be the id of {neighbour.kind} that exists, got {neighbour.id}"
            problems.append((neighbour, Problem(neighbour.where, what, f"Correct the id in {file}.")))
        elif overlap := _overlap(answer, plan):
            problem = _overlap_problem(neighbour, overlap, plan, file, new=not live.workspace_exists)
            problems.append((neighbour, problem))
    used = _used_ids(names, plan) if problems and live.workspace_exists else frozenset()
    for neighbour, problem in problems:
        if neighbour.id.lower() in used:
            pulumi.log.warn(f"{problem.where} {problem.what}. The stack exists and may use it, so the update goes on.")
        else:
            yield problem


def _peers(plan: NetworkPlan, subscriptions: Subscriptions) -> Iterator[_Neighbour]:
    for index, network_id in enumerate(plan.peer_with):
        place = ArmId.parse(network_id)
        arguments = {"resourceGroupName": place.resource_group, "virtualNetworkName": place.name}
        yield _Neighbour(
            where=f"sluice:network.peer_with[{index}]",
            id=network_id,
            kind="a virtual network",
            read=_read(network_id, "network:getVirtualNetwork", arguments, subscriptions),
        )


def _zones(plan: NetworkPlan, subscriptions: Subscriptions) -> Iterator[_Neighbour]:
    for zone, zone_id in (plan.zone_ids or {}).items():
        arguments = {"resourceGroupName": ArmId.parse(zone_id).resource_group, "privateZoneName": zone}
        yield _Neighbour(
            where=f"sluice:network.dns.{zone}",
            id=zone_id,
            kind="a private DNS zone",
            read=_read(zone_id, "privatedns:getPrivateZone", arguments, subscriptions),
        )


def _scope(plan: NetworkPlan, subscriptions: Subscriptions) -> Iterator[_Neighbour]:
    if plan.monitor_scope_id is not None:
        place = ArmId.parse(plan.monitor_scope_id)
        arguments = {"resourceGroupName": place.resource_group, "scopeName": place.name}
        yield _Neighbour(
            where="sluice:network.monitor_scope",
            id=plan.monitor_scope_id,
            kind="a private link scope of Azure Monitor",
            read=_read(plan.monitor_scope_id, "monitor:getPrivateLinkScope", arguments, subscriptions),
            must_share_tenant=True,
        )


def _rule_targets(
    plan: NetworkPlan, live: LiveStack, names: Names, subscriptions: Subscriptions
) -> Iterator[_Neighbour]:
    """The groups of the resources that new outbound rules lead to: azure-native cannot read a resource of any type."""
    for name, rule in plan.outbound.items():
        if rule.resource is None or name in live.outbound_rules:
            continue
        place = ArmId.parse(rule.resource)
        group_id = f"/subscriptions/{place.subscription_id}/resourceGroups/{place.resource_group}"
        if group_id.lower() == names.resource_group_id.lower():
            continue
        arguments = {"resourceGroupName": place.resource_group}
        yield _Neighbour(
            where=f"sluice:network.outbound.{name}",
            id=rule.resource,
            kind="a resource in a group",
            read=_read(rule.resource, "resources:getResourceGroup", arguments, subscriptions),
            must_share_tenant=True,
        )


def _read(what: str, function: str, arguments: Mapping[str, str], subscriptions: Subscriptions) -> Read:
    provider = subscriptions.provider(ArmId.parse(what).subscription_id)
    return Read(what=what, function=f"azure-native:{function}", arguments=arguments, provider=provider)


def _failure_problem(neighbour: _Neighbour, failure: ReadFailure, file: str) -> Problem | None:
    """What is wrong, as far as a failed read shows it; else a warning."""
    if failure.code == OTHER_TENANT and neighbour.must_share_tenant:
        what = f"must be the id of {neighbour.kind} of this tenant, got {neighbour.id}, whose subscription is another's"
        return Problem(neighbour.where, what, f"Remove it from {file}, or name a resource of this tenant.")
    if failure.code == "SubscriptionNotFound":
        what = f"must be in a subscription that exists, got {neighbour.id}"
        return Problem(neighbour.where, what, f"Correct the id in {file}.")
    if failure.status != FORBIDDEN or not neighbour.where.startswith("sluice:network.outbound."):
        pulumi.log.warn(
            f"{neighbour.where}: {neighbour.id} cannot be read, so only Azure checks it, while it applies the update: "
            f"{failure.reason}"
        )
    return None


def _overlap(network: Resource, plan: NetworkPlan) -> str | None:
    """The first range of a network that overlaps the stack's; None for what is no network."""
    space = network.get("addressSpace")
    prefixes: Collection[object] = space.get("addressPrefixes") or () if isinstance(space, Mapping) else ()
    own = ip_network(plan.address_space) if prefixes else None
    return next((str(one) for one in prefixes if own and ip_network(str(one)).overlaps(own)), None)


def _overlap_problem(neighbour: _Neighbour, overlap: str, plan: NetworkPlan, file: str, *, new: bool) -> Problem:
    what = (
        f"must not overlap the address space of this stack, got {overlap} in {neighbour.id} and {plan.address_space} "
        "here: Azure does not peer such networks"
    )
    fix = (
        f"Set address_space in {file} to a range that no other network has."
        if new
        else f"Remove it from peer_with in {file}: a stack that exists keeps its range."
    )
    return Problem(neighbour.where, what, fix)


def _used_ids(names: Names, plan: NetworkPlan) -> frozenset[str]:
    """The ids, in lower case, of what a stack that exists uses in Azure already."""
    group = {"resourceGroupName": names.resource_group}
    reads = {
        purpose: Read(
            what=names.private_endpoint(purpose),
            function="azure-native:network:getPrivateDnsZoneGroup",
            arguments={
                **group,
                "privateEndpointName": names.private_endpoint(purpose),
                "privateDnsZoneGroupName": "default",
            },
        )
        for purpose in plan.endpoint_purposes
    }
    reads["network"] = Read(
        what=names.virtual_network,
        function="azure-native:network:getVirtualNetwork",
        arguments={**group, "virtualNetworkName": names.virtual_network},
    )
    found = [answer for answer in ask(reads).values() if answer is not None and not isinstance(answer, ReadFailure)]
    peerings = (one for answer in found for one in answer.get("virtualNetworkPeerings") or ())
    zones = (one for answer in found for one in answer.get("privateDnsZoneConfigs") or ())
    ids = [one["remoteVirtualNetwork"]["id"] for one in peerings]
    # A scope that is gone shows nowhere that it was used: an existing stack cannot tell it from one that never was.
    ids += [plan.monitor_scope_id] if plan.monitor_scope_id else []
    return frozenset(str(one).lower() for one in [*ids, *(zone["privateDnsZoneId"] for zone in zones)])

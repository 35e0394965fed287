"""The network that this update declares, held against what Azure has: the stack's own, and the networks it peers with.

What is wrong with the stack file's keys alone is in `network_plan.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_network

import pulumi

from arm_id import ArmId
from assessment.azure_reads import Answer, Read, ReadFailure, ask
from assessment.live import LiveStack
from naming import Names
from network_plan import NetworkPlan, network_problems, plan_network
from platform_record import NETWORK
from private_zones import zone_names
from problem import Problem
from stack_config import Settings

__all__ = ["declared_network", "network_refusals", "undeclared_rule_warnings", "undeclared_rules"]


def declared_network(settings: Settings, live: LiveStack) -> NetworkPlan:
    """The network of the stack file, with what the stack that exists was created with."""
    return plan_network(settings.network, _facts_before(settings, live))


def network_refusals(settings: Settings, live: LiveStack, plan: NetworkPlan, subscription_id: str) -> Iterator[Problem]:
    """Everything that is wrong with the network; reads the networks of this subscription that it is peered with."""
    if settings.existing.workspace is not None:  # its network is its owner's
        return
    if _becomes_another(settings, live):  # that is refused, and the rest of the section may not be written yet
        return
    zones = zone_names(settings.cloud, plan.storage_groups)
    problems = list(network_problems(plan, zones, stack=settings.stack))
    yield from problems
    if not problems:
        yield from _peer_problems(settings, live, plan, subscription_id)


def undeclared_rules(live: LiveStack, plan: NetworkPlan) -> frozenset[str]:
    """Names of the live outbound rules that the stack file does not have: Azure ML's own, and those left behind."""
    return frozenset(name for name in live.outbound_rules if name not in plan.outbound)


def undeclared_rule_warnings(settings: Settings, live: LiveStack, plan: NetworkPlan, names: Names) -> Iterator[str]:
    """Warn of each rule that somebody declared once: Azure keeps it, because an update only adds rules."""
    if settings.existing.workspace is not None:
        return
    for name in sorted(undeclared_rules(live, plan)):
        if live.outbound_rules[name] == "UserDefined":
            yield (
                f"the workspace has the outbound rule {name}, which Pulumi.{settings.stack}.yaml does not declare, and "
                "an update never removes rules. Add it to sluice:network.outbound, or remove it from Azure: az ml "
                f"workspace outbound-rule remove --subscription {names.subscription_id} --resource-group "
                f"{names.resource_group} --workspace-name {names.workspace} --rule {name}"
            )


def _becomes_another(settings: Settings, live: LiveStack) -> bool:
    """Whether a stack that exists is to become public or private without another generation."""
    record = live.record
    if record is None or record.generation not in (None, settings.generation):
        return False
    return record.facts.get(NETWORK, settings.network.mode.value) != settings.network.mode.value


def _facts_before(settings: Settings, live: LiveStack) -> Mapping[str, str] | None:
    """What the stack that exists was created with; None for a new one and for one that gets another generation."""
    record = live.record
    if record is None or record.generation not in (None, settings.generation):
        return None
    return record.facts if record.facts.get(NETWORK) == settings.network.mode.value else None


def _peer_problems(settings: Settings, live: LiveStack, plan: NetworkPlan, subscription_id: str) -> Iterator[Problem]:
    """Networks that do not exist, and those whose ranges overlap the stack's: Azure would refuse the peering."""
    file = f"Pulumi.{settings.stack}.yaml"
    for network_id, answer in _read_peers(plan, subscription_id).items():
        where = f"sluice:network.peer_with[{plan.peer_with.index(network_id)}]"
        if answer is None:
            yield Problem(
                where, f"must name a virtual network that exists, got {network_id}", f"Correct the id in {file}."
            )
        elif isinstance(answer, ReadFailure):
            pulumi.log.warn(
                f"{where}: {network_id} cannot be read, so only Azure checks whether its ranges overlap those of this "
                f"stack: {answer.reason}"
            )
        elif overlap := _overlap(answer, plan):
            fix = (
                f"Remove it from peer_with in {file}: a stack that exists keeps its range."
                if _facts_before(settings, live)
                else f"Set address_space in {file} to a range that no other network has."
            )
            yield Problem(
                where,
                f"must not overlap the address space of this stack, got {overlap} in {network_id} and "
                f"{plan.address_space} here: Azure refuses to peer such networks",
                fix,
            )


def _read_peers(plan: NetworkPlan, subscription_id: str) -> dict[str, Answer]:
    """The networks to peer with that are in this subscription: azure-native's functions read no other one."""
    questions = {}
    for network_id in plan.peer_with:
        place = ArmId.parse(network_id)
        if place.subscription_id.lower() != subscription_id.lower():
            continue
        questions[network_id] = Read(
            what=network_id,
            function="azure-native:network:getVirtualNetwork",
            arguments={"resourceGroupName": place.resource_group, "virtualNetworkName": place.name},
        )
    return ask(questions) if questions else {}


def _overlap(network: Mapping[str, object], plan: NetworkPlan) -> str | None:
    """The first range of a network that overlaps the stack's."""
    space = network.get("addressSpace")
    prefixes = space.get("addressPrefixes") if isinstance(space, Mapping) else None
    own = ip_network(plan.address_space)
    return next((str(one) for one in prefixes or () if ip_network(str(one)).overlaps(own)), None)

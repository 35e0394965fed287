"""The network that this update declares, compared with what Azure has of it.

What is wrong with the stack file's keys alone is in `network_plan.py`, what others own in `network_neighbours.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pulumi

from arm_id import ArmId
from assessment.live import LiveStack
from assessment.network_neighbours import neighbour_problems
from assessment.subscriptions import Subscriptions
from naming import Names
from network_plan import NetworkPlan, network_problems, plan_network
from platform_record import NETWORK
from problem import Problem
from stack_config import Settings

__all__ = ["declared_network", "network_refusals", "scope_provider", "undeclared_rule_warnings", "undeclared_rules"]


def declared_network(settings: Settings, names: Names, live: LiveStack) -> NetworkPlan:
    """The network of the stack file, with what the stack that exists was created with."""
    plan = plan_network(
        settings.network, _facts_before(settings, live), subnet_id=settings.existing.subnet, cloud=settings.cloud
    )
    if plan.is_public or not settings.compute.has_batch:
        return plan
    return plan.with_batch(settings.existing.storage or names.storage_account_id)


def network_refusals(
    settings: Settings, live: LiveStack, plan: NetworkPlan, names: Names, subscriptions: Subscriptions
) -> Iterator[Problem]:
    """Everything that is wrong with the network; reads what it names and others own."""
    if settings.existing.workspace is not None:  # its network is its owner's
        return
    if _becomes_another(settings, live):  # that is refused, and the rest of the section may not be written yet
        return
    problems = list(network_problems(plan, stack=settings.stack))
    yield from problems
    if not problems:
        yield from neighbour_problems(plan, live, names, subscriptions, file=f"Pulumi.{settings.stack}.yaml")


def scope_provider(plan: NetworkPlan, subscriptions: Subscriptions) -> pulumi.ProviderResource | None:
    """What acts in the subscription of the given private link scope; None for the stack's own subscription."""
    if plan.monitor_scope_id is None:
        return None
    return subscriptions.provider(ArmId.parse(plan.monitor_scope_id).subscription_id)


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
                f"the workspace has the outbound rule {name}, which Pulumi.{settings.stack}.yaml does not declare. An "
                "update of the workspace leaves such rules in place. Add it to sluice:network.outbound, or remove it "
                f"from Azure: az ml workspace outbound-rule remove --subscription {names.subscription_id} "
                f"--resource-group {names.resource_group} --workspace-name {names.workspace} --rule {name}"
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

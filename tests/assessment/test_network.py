"""The network of a stack against what others own: absent, of another tenant, overlapping, unreadable, or in use."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from assessment.live import LiveStack
from assessment.network import declared_network, network_refusals, undeclared_rule_warnings
from assessment.subscriptions import Subscriptions
from network_plan import NetworkPlan
from platform_record import PlatformRecord
from settings import Settings, parse_settings
from tests.components.engine import SUBSCRIPTION_ID, Deployment, FakeAzure, deploy

HUB = "/subscriptions/00000000-0000-4000-8000-00000000beef/resourceGroups/rg-hub/providers"
NETWORK = f"{HUB}/Microsoft.Network/virtualNetworks/vnet-hub"
NEAR = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg-near/providers"
ZONES = NetworkPlan().zones
SCOPE = f"{HUB}/Microsoft.Insights/privateLinkScopes/ampls-hub"
DATA = f"{HUB}/Microsoft.Storage/storageAccounts/data"
FORBIDDEN = 'Status=403 Code="AuthorizationFailed" Message="The client may not read it."'
FOREIGN = 'Status=401 Code="InvalidAuthenticationTokenTenant" Message="The access token is from the wrong issuer."'


def settings(**network: Any) -> Settings:
    raw = {"team": "payments", "location": "westeurope"}
    own = {"mode": "private", "address_space": "10.1.0.0/22", **network}
    return parse_settings({**raw, "network": own}, stack="prod", today=date(2026, 1, 1))


def refusals(azure: FakeAzure, declared: Settings, **live: Any) -> tuple[list[str], Deployment]:
    found: list[str] = []
    stack = LiveStack(endpoints={}, **live)

    def check() -> None:
        plan = declared_network(declared, azure.names, stack)
        subscriptions = Subscriptions(SUBSCRIPTION_ID, cloud="public")
        found.extend(str(one) for one in network_refusals(declared, stack, plan, azure.names, subscriptions))

    deployment = deploy(check, azure, preview=True)
    return found, deployment


def space(*prefixes: str) -> Mapping[str, Any]:
    return {"addressSpace": {"addressPrefixes": list(prefixes)}}


def test_a_network_to_peer_with_exists_and_does_not_overlap(azure: FakeAzure) -> None:
    declared = settings(peer_with=[NETWORK])
    (absent,), _ = refusals(azure, declared)
    assert absent.startswith(
        f"sluice:network.peer_with[0] must be the id of a virtual network that exists, got {NETWORK}"
    )
    azure.add("getVirtualNetwork", "vnet-hub", space("10.0.0.0/16", "10.1.2.0/24"))
    (overlap,), _ = refusals(azure, declared)
    assert "must not overlap the address space of this stack, got 10.1.2.0/24 in" in overlap
    assert "Set address_space in Pulumi.prod.yaml to a range that no other network has." in overlap
    (kept,), _ = refusals(azure, declared, workspace_guid="guid")
    assert "Remove it from peer_with in Pulumi.prod.yaml" in kept
    azure.add("getVirtualNetwork", "vnet-hub", space("10.0.0.0/16"))
    assert refusals(azure, declared)[0] == []


def test_another_subscription_is_read_by_a_provider_of_its_own(azure: FakeAzure) -> None:
    azure.add("getVirtualNetwork", "vnet-hub", space("10.0.0.0/16"))
    _, hub = refusals(azure, settings(peer_with=[NETWORK]))
    (provider,) = (one for one in hub.registrations if one.type == "pulumi:providers:azure-native")
    assert provider.inputs["subscriptionId"] == "00000000-0000-4000-8000-00000000beef"
    assert provider.inputs["environment"] == "public"
    _, near = refusals(azure, settings(peer_with=[NETWORK.replace(HUB, NEAR)]))
    assert [one for one in near.registrations if one.type.startswith("pulumi:providers")] == []


def test_what_cannot_be_read_is_left_to_azure_with_a_warning(
    azure: FakeAzure, caplog: pytest.LogCaptureFixture
) -> None:
    azure.failures["azure-native:network:getVirtualNetwork"] = FORBIDDEN
    assert refusals(azure, settings(peer_with=[NETWORK]))[0] == []
    assert f"sluice:network.peer_with[0]: {NETWORK} cannot be read, so only Azure checks it" in caplog.text


def test_a_zone_of_a_hub_exists(azure: FakeAzure) -> None:
    declared = settings(dns={zone: f"{HUB}/Microsoft.Network/privateDnsZones/{zone}" for zone in ZONES})
    for zone in ZONES[1:]:
        azure.add("getPrivateZone", zone, {})
    (absent,), _ = refusals(azure, declared)
    assert absent.startswith(
        f"sluice:network.dns.{ZONES[0]} must be the id of a private DNS zone that exists, got /sub"
    )


def test_what_the_stack_uses_already_stops_no_update_when_its_owner_changes_it(
    azure: FakeAzure, caplog: pytest.LogCaptureFixture
) -> None:
    zones = {zone: f"{HUB}/Microsoft.Network/privateDnsZones/{zone}" for zone in ZONES}
    azure.add("getVirtualNetwork", "vnet-hub", space("10.1.0.0/16"))
    declared = settings(dns=zones, peer_with=[NETWORK])
    azure.add_group()
    assert len(refusals(azure, declared, workspace_guid="guid")[0]) == 1 + len(ZONES)
    peerings = [{"remoteVirtualNetwork": {"id": NETWORK.upper()}}]
    azure.add("getVirtualNetwork", azure.names.virtual_network, {"virtualNetworkPeerings": peerings})
    configs = [{"privateDnsZoneId": zone_id} for zone_id in list(zones.values())[:2]]
    azure.add("getPrivateDnsZoneGroup", azure.names.private_endpoint("workspace"), {"privateDnsZoneConfigs": configs})
    caplog.clear()
    assert len(refusals(azure, declared, workspace_guid="guid")[0]) == len(ZONES) - 2
    assert caplog.text.count("so the update goes on.") == 3


def test_a_scope_of_a_hub_exists_and_is_of_this_tenant(azure: FakeAzure) -> None:
    declared = settings(monitor_scope=SCOPE)
    (absent,), _ = refusals(azure, declared)
    assert absent.startswith(
        "sluice:network.monitor_scope must be the id of a private link scope of Azure Monitor that exi"
    )
    assert refusals(azure, declared, workspace_guid="guid")[0] == [], "its owner must not be able to stop a way back"
    azure.failures["azure-native:monitor:getPrivateLinkScope"] = FOREIGN
    (foreign,), _ = refusals(azure, declared)
    assert "must be the id of a private link scope of Azure Monitor of this tenant, got" in foreign
    azure.failures.clear()
    azure.add("getPrivateLinkScope", "ampls-hub", {})
    assert refusals(azure, declared)[0] == []


def test_a_rule_leads_to_a_resource_of_this_tenant(azure: FakeAzure, caplog: pytest.LogCaptureFixture) -> None:
    declared = settings(outbound={"data": {"resource": DATA, "subresource": "blob"}})
    azure.failures["azure-native:resources:getResourceGroup"] = FOREIGN
    twice = settings(outbound={name: {"resource": DATA, "subresource": name} for name in ("blob", "file")})
    assert len(refusals(azure, twice)[0]) == 2
    (foreign,), _ = refusals(azure, declared)
    assert foreign.startswith(
        f"sluice:network.outbound.data must be the id of a resource in a group of this tenant, got {DATA}"
    )
    assert "Remove it from Pulumi.prod.yaml, or name a resource of this tenant." in foreign
    assert refusals(azure, declared, outbound_rules={"data": "UserDefined"})[0] == []
    azure.failures["azure-native:resources:getResourceGroup"] = FORBIDDEN
    caplog.clear()
    assert refusals(azure, declared)[0] == []
    assert caplog.text == "", "who may not read the group has shown a token of its tenant"
    azure.failures["azure-native:resources:getResourceGroup"] = 'Status=404 Code="SubscriptionNotFound" Message="No."'
    (unknown,), _ = refusals(azure, declared)
    assert "must be in a subscription that exists" in unknown


def test_all_that_is_wrong_comes_at_once(azure: FakeAzure) -> None:
    zones = {zone: f"{HUB}/Microsoft.Network/privateDnsZones/{zone}" for zone in ZONES}
    declared = settings(dns=zones, peer_with=[NETWORK], monitor_scope=SCOPE)
    assert len(refusals(azure, declared)[0]) == len(ZONES) + 2


def test_a_rule_that_was_declared_once_is_named_with_the_command_that_removes_it(azure: FakeAzure) -> None:
    declared = settings(outbound={"scores": {"fqdn": "*.example.org"}})
    rules = {"scores": "UserDefined", "old": "UserDefined", "__SYS_PE": "Required"}
    record = PlatformRecord(generation=1, facts={"sluice:network": "private"})
    live = LiveStack(endpoints={}, outbound_rules=rules, record=record)
    (warning,) = undeclared_rule_warnings(declared, live, declared_network(declared, azure.names, live), azure.names)
    assert warning.startswith("the workspace has the outbound rule old, which Pulumi.prod.yaml does not declare.")
    assert f"--workspace-name {azure.names.workspace} --rule old" in warning

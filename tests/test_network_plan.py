"""The network of a stack: what a new one gets, what an existing one keeps, and every mistake in it at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from ipaddress import IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from network_config import Isolation
from network_plan import FIRST_PLAN, NetworkPlan, network_problems, plan_network
from platform_record import facts
from settings import Settings, SettingsError, parse_settings
from stack_config import Redundancy

SPACE = "10.1.0.0/22"
FIRST = facts(FIRST_PLAN, Redundancy.LRS)
ZONES = NetworkPlan().zones
HUB = "/subscriptions/hub/resourceGroups/dns/providers/Microsoft.Network/privateDnsZones"


def settings(network: Any) -> Settings:
    raw = {"team": "payments", "location": "westeurope", "network": network}
    return parse_settings(raw, stack="prod", today=date(2026, 1, 1))


def private(before: dict[str, str] | None = None, **keys: Any) -> NetworkPlan:
    return plan_network(settings({"mode": "private", **keys}).network, before)


def wrong(plan: NetworkPlan) -> list[str]:
    return [str(problem) for problem in network_problems(plan, stack="prod")]


def refused(network: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        settings(network)
    return [str(problem) for problem in caught.value.problems]


def test_a_new_private_stack_is_closed_and_divides_its_address_space() -> None:
    plan = private(address_space=SPACE)
    assert (plan.endpoint_prefix, plan.runner_prefix) == ("10.1.0.0/24", "10.1.1.0/24")
    assert (plan.isolation, plan.storage_groups, plan.is_first_layout) == (Isolation.APPROVED, ("blob", "file"), False)
    assert wrong(plan) == []


def test_a_new_private_stack_names_its_address_space() -> None:
    (problem,) = wrong(private())
    assert problem.startswith("sluice:network needs an address_space for a new private stack")
    assert "sluice:network: {mode: private, address_space: 10.90.0.0/22}" in problem


def test_a_stack_of_an_earlier_version_keeps_everything() -> None:
    assert plan_network(settings("private").network, FIRST) == FIRST_PLAN
    assert wrong(FIRST_PLAN) == []
    assert facts(plan_network(settings("private").network, FIRST), Redundancy.LRS) == FIRST


def test_a_stack_that_exists_keeps_its_layout() -> None:
    before = facts(private(address_space=SPACE), Redundancy.LRS)
    assert private(before) == private(address_space=SPACE)


@given(st.integers(8, 26), st.integers(0, 2**32 - 1))
def test_the_quarters_lie_in_the_space_and_apart(length: int, address: int) -> None:
    space = IPv4Network((address >> (32 - length) << (32 - length), length))
    plan = private(address_space=str(space))
    first, second = IPv4Network(plan.endpoint_prefix), IPv4Network(plan.runner_prefix)
    assert first.subnet_of(space)
    assert second.subnet_of(space)
    assert not first.overlaps(second)
    assert wrong(plan) == []


def test_ranges_outside_the_space_or_over_each_other_are_refused_together() -> None:
    outside, overlap = wrong(private(address_space=SPACE, endpoint_prefix="10.0.0.0/8", runner_prefix="10.1.0.0/24"))
    assert outside.startswith(
        "sluice:network.endpoint_prefix must lie in the address space 10.1.0.0/22, got 10.0.0.0/8"
    )
    assert overlap.startswith("sluice:network.runner_prefix must not overlap endpoint_prefix")


def test_a_space_whose_quarters_are_too_small_needs_both_prefixes() -> None:
    endpoint, runner = wrong(private(address_space="10.1.0.0/27"))
    assert endpoint.startswith(
        "sluice:network.endpoint_prefix must be set, because a quarter of the address space 10.1"
    )
    assert "such as 10.1.0.0/28" in runner
    assert (
        wrong(private(address_space="10.1.0.0/27", endpoint_prefix="10.1.0.0/28", runner_prefix="10.1.0.16/28")) == []
    )


def test_a_space_or_a_subnet_without_room_for_the_private_endpoints_is_refused() -> None:
    (space,) = wrong(private(address_space="10.1.0.0/28", endpoint_prefix="10.1.0.0/29", runner_prefix="10.1.0.8/29"))
    assert space.startswith("sluice:network.address_space must be a /27 or larger, got 10.1.0.0/28")
    (subnet,) = wrong(private(address_space=SPACE, endpoint_prefix="10.1.0.0/29"))
    assert subnet.startswith("sluice:network.endpoint_prefix must be a /28 or larger, got 10.1.0.0/29")


def test_rules_for_hosts_and_service_tags_need_a_network_that_approves() -> None:
    rules = {"scores": {"fqdn": "*.example.org"}, "front": {"service_tag": "AzureFrontDoor.FirstParty"}}
    assert wrong(private(address_space=SPACE, outbound=rules, firewall_sku="Basic")) == []
    host, tag, firewall = wrong(private(FIRST, outbound=rules, firewall_sku="Basic"))
    assert host.startswith("sluice:network.outbound.scores must not have fqdn with isolation: internet")
    assert tag.startswith("sluice:network.outbound.front must not have service_tag with isolation: internet")
    assert firewall.startswith("sluice:network.firewall_sku needs isolation: approved")
    blob = {"resource": f"{HUB.replace('privateDnsZones', 'x')}/y", "subresource": "blob"}
    assert wrong(private(FIRST, outbound={"data": blob})) == []


def test_a_rule_may_name_single_addresses_and_several_ports() -> None:
    tag = {"service_tag": "Sql", "ports": "1433, 11000-11999", "address_prefixes": ["203.0.113.7/32", "203.0.113.8"]}
    (rule,) = private(address_space=SPACE, outbound={"sql": tag}).outbound.values()
    assert rule.address_prefixes == ("203.0.113.7/32", "203.0.113.8")


def test_zones_of_a_hub_are_all_that_are_needed_and_of_this_cloud() -> None:
    hub = {zone: f"{HUB}/{zone}" for zone in sorted(ZONES)}
    plan = private(address_space=SPACE, dns=hub)
    assert (plan.zone_ids, wrong(plan)) == (hub, [])
    china = "privatelink.azurecr.cn"
    hub[china] = f"{HUB}/{china}"
    del hub["privatelink.azurecr.io"]
    missing, foreign = wrong(private(address_space=SPACE, dns=hub))
    assert "privatelink.azurecr.io is missing" in missing
    assert foreign.startswith(
        f"sluice:network.dns.{china} is a zone of the cloud china, and this stack is in the cloud p"
    )
    hub |= {one: f"{HUB}/{one}" for one in ("privatelink.azurecr.io", "privatelink.queue.core.windows.net")}
    del hub[china]
    (unused,) = wrong(private(address_space=SPACE, dns=hub))
    assert unused.startswith("sluice:network.dns.privatelink.queue.core.windows.net is no zone that a private endpoint")


def test_a_monitor_scope_of_its_own_needs_zones_of_its_own_and_room() -> None:
    plan = private(address_space=SPACE, monitor_scope="own")
    assert (plan.has_monitor_scope, plan.monitor_scope_id, wrong(plan)) == (True, None, [])
    assert "privatelink.oms.opinsights.azure.com" in plan.zones
    hub = {zone: f"{HUB}/{zone}" for zone in plan.zones}
    (shared,) = wrong(private(address_space=SPACE, monitor_scope="own", dns=hub))
    assert shared.startswith("sluice:network.monitor_scope must not be own with zones of a hub")
    assert wrong(private(address_space=SPACE, monitor_scope="own", dns="none")) == []
    (cloud,) = wrong(replace(plan, cloud="china"))
    assert cloud.startswith("sluice:network.monitor_scope must not be own in the cloud china")
    (small,) = wrong(private(address_space=SPACE, monitor_scope="own", endpoint_prefix="10.1.0.0/28"))
    assert small.startswith("sluice:network.endpoint_prefix must be a /27 or larger, got 10.1.0.0/28")


def test_a_monitor_scope_of_a_hub_needs_no_zones_here() -> None:
    scope = "/subscriptions/hub/resourceGroups/m/providers/microsoft.insights/privateLinkScopes/ampls"
    plan = private(address_space=SPACE, monitor_scope=scope, dns={zone: f"{HUB}/{zone}" for zone in ZONES})
    assert (plan.has_monitor_scope, plan.monitor_scope_id, wrong(plan)) == (False, scope, [])


SUBNET = "/subscriptions/hub/resourceGroups/rg-net/providers/Microsoft.Network/virtualNetworks/vnet/subnets/ml"


def test_a_given_subnet_takes_the_place_of_a_network() -> None:
    plan = plan_network(settings({"mode": "private"}).network, None, subnet_id=SUBNET)
    assert (plan.subnet_id, plan.address_space, plan.place) == (SUBNET, "", "subnet rg-net/vnet/ml")
    assert wrong(plan) == []
    kept = facts(plan, Redundancy.LRS)
    assert plan_network(settings({"mode": "private"}).network, kept, subnet_id=SUBNET) == plan
    assert plan_network(settings({"mode": "private"}).network, kept).address_space == ""
    own = {"mode": "private", "address_space": SPACE, "nat": True, "runner_prefix": "10.1.1.0/24"}
    (problem,) = wrong(plan_network(settings(own).network, None, subnet_id=SUBNET))
    assert "must not have address_space, runner_prefix, nat with sluice:existing.subnet" in problem


def test_somebody_else_makes_the_records() -> None:
    assert private(address_space=SPACE, dns="none").has_records is False


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ("open", 'sluice:network must be public or private, got "open"'),
        ({"mode": "public", "nat": True}, "sluice:network must not have nat with mode: public"),
        (
            {"mode": "private", "address_space": "10.1.0.1/22"},
            "sluice:network.address_space must be an IPv4 range wi",
        ),
        (
            {"mode": "private", "address_space": "10.1.0.0/30"},
            "sluice:network.address_space must be an IPv4 range be",
        ),
        (
            {"mode": "private", "outbound": {"x": {}}},
            "sluice:network.outbound.x must have exactly one of fqdn, ser",
        ),
        (
            {"mode": "private", "outbound": {"x": {"fqdn": "scores.example.org", "ports": "80"}}},
            "must not have ports in a rule",
        ),
        ({"mode": "private", "outbound": {"x": {"resource": f"{HUB}/z"}}}, "needs subresource, such as blob"),
        ({"mode": "private", "peer_with": ["hub"]}, "sluice:network.peer_with[0] must be the ARM id of a virtual net"),
        (
            {"mode": "private", "outbound": {"x": {"service_tag": "Sql", "ports": "80,99999"}}},
            "from 0 to 65535 and rang",
        ),
        (
            {"mode": "private", "outbound": {"x": {"service_tag": "Sql", "ports": "90-80"}}},
            "ranges that rise, got 90-80",
        ),
        (
            {"mode": "private", "outbound": {"x": {"service_tag": "Sql", "address_prefixes": ["10.0.0.1/8"]}}},
            "sluice:network.outbound.x.address_prefixes[0] must be a range of addresses with its first address",
        ),
        ({"mode": "private", "outbound": {"x": {"resource": f"{HUB}/z", "subresource": ""}}}, "at least 1 characters"),
        (
            {"mode": "private", "dns": {"privatelink.azurecr.io": f"{HUB}/other"}},
            "must have ids that end in the zone",
        ),
        (
            {"mode": "private", "dns": "hub"},
            "sluice:network.dns must be own, none, or ARM ids by the name of their zon",
        ),
        ({"mode": "private", "dns": {"privatelink.azurecr.io": "x"}}, "sluice:network.dns.privatelink.azurecr.io must"),
        ({"mode": "private", "monitor_scope": "hub"}, "sluice:network.monitor_scope must be none, own or the ARM id"),
        ({"mode": "private", "hub": "x"}, "sluice:network.hub is not a known key"),
    ],
)
def test_a_wrong_network_is_refused(network: Any, expected: str) -> None:
    assert any(expected in problem for problem in refused(network)), refused(network)


@pytest.mark.parametrize(
    ("cloud", "ending"), [("usgovernment", ("azure.us", "usgovcloudapi.net")), ("china", (".cn",))]
)
def test_another_cloud_has_its_own_zones(cloud: str, ending: tuple[str, ...]) -> None:
    names = replace(FIRST_PLAN, cloud=cloud).zones
    assert len(names) == 8
    assert all(name.endswith((*ending, "azurecr.us", "chinacloudapi.cn")) for name in names)

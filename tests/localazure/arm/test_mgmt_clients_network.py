"""azure-mgmt-network and azure-mgmt-privatedns: networks, private endpoints, private zones."""

from __future__ import annotations

import pytest
from azure.core import MatchConditions

from tests.localazure.arm.management import (
    GROUP,
    LOCATION,
    NOT_EMULATED,
    PROVIDERS,
    TAGS,
    done,
    ids,
    live_through,
    refused,
)

pytestmark = pytest.mark.integration

NETWORK = {"location": LOCATION, "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}


@pytest.fixture(scope="module")
def network(management):
    from azure.mgmt.network import NetworkManagementClient

    return management.client(NetworkManagementClient)


@pytest.fixture(scope="module")
def dns(management):
    from azure.mgmt.privatedns import PrivateDnsManagementClient

    return management.client(PrivateDnsManagementClient)


def make_network(network, name):
    """A virtual network with one subnet; returns the subnet."""
    done(network.virtual_networks.begin_create_or_update(GROUP, name, NETWORK))
    subnet = {"properties": {"addressPrefix": "10.0.0.0/24"}}
    return done(network.subnets.begin_create_or_update(GROUP, name, "first", subnet))


@pytest.mark.proves("virtualNetworks", drives=["get", "list", "PUT", "PATCH", "DELETE"], client="azure-mgmt")
def test_virtual_networks(network):
    networks = network.virtual_networks
    here = (GROUP, "vnet1")
    subnets = [{"name": "inside", "properties": {"addressPrefix": "10.0.1.0/24"}}]
    created = live_through(
        create=lambda body: networks.begin_create_or_update(*here, body),
        get=lambda: networks.get(*here),
        update=lambda: networks.update_tags(*here, {"tags": TAGS}),
        delete=lambda: networks.begin_delete(*here),
        lists=[networks.list_all, lambda: networks.list(GROUP)],
        body=NETWORK | {"properties": NETWORK["properties"] | {"subnets": subnets}},
    )
    assert (created.location, created.provisioning_state) == (LOCATION, "Succeeded")
    assert created.address_space.address_prefixes == ["10.0.0.0/16"]
    assert created.resource_guid
    assert (created.virtual_network_peerings, created.enable_ddos_protection) == ([], False)
    assert created.etag.startswith('W/"')
    (inside,) = created.subnets
    assert (inside.name, inside.address_prefix, inside.provisioning_state) == ("inside", "10.0.1.0/24", "Succeeded")
    assert refused(lambda: networks.check_ip_address_availability(*here, ip_address="10.0.0.4")) == NOT_EMULATED


@pytest.mark.proves("virtualNetworks/subnets", drives=["get", "list", "PUT", "DELETE"], client="azure-mgmt")
def test_subnets(network):
    done(network.virtual_networks.begin_create_or_update(GROUP, "vnet2", NETWORK))
    subnets, here = network.subnets, (GROUP, "vnet2", "default")
    created = live_through(
        create=lambda body: subnets.begin_create_or_update(*here, body),
        get=lambda: subnets.get(*here),
        delete=lambda: subnets.begin_delete(*here),
        lists=[lambda: subnets.list(GROUP, "vnet2")],
        body={"properties": {"addressPrefix": "10.0.0.0/24"}},
    )
    assert (created.address_prefix, created.provisioning_state) == ("10.0.0.0/24", "Succeeded")
    lost = refused(lambda: subnets.begin_create_or_update(GROUP, "none", "default", {"properties": {}}))
    assert lost == (404, "ParentResourceNotFound")
    assert refused(lambda: subnets.list(GROUP, "none")) == (404, "ResourceNotFound")


@pytest.mark.proves("networkSecurityGroups", drives=["get", "list", "PUT", "PATCH", "DELETE"], client="azure-mgmt")
def test_network_security_groups(network):
    groups, here = network.network_security_groups, (GROUP, "nsg1")
    rule = {
        "name": "closed",
        "properties": {
            "access": "Deny",
            "direction": "Outbound",
            "priority": 100,
            "protocol": "*",
            "sourceAddressPrefix": "*",
            "sourcePortRange": "*",
            "destinationAddressPrefix": "*",
            "destinationPortRange": "*",
        },
    }
    created = live_through(
        create=lambda body: groups.begin_create_or_update(*here, body),
        get=lambda: groups.get(*here),
        update=lambda: groups.update_tags(*here, {"tags": TAGS}),
        delete=lambda: groups.begin_delete(*here),
        lists=[groups.list_all, lambda: groups.list(GROUP)],
        body={"location": LOCATION, "properties": {"securityRules": [rule]}},
    )
    (shown,) = created.security_rules
    assert (shown.name, shown.access, shown.priority, shown.provisioning_state) == ("closed", "Deny", 100, "Succeeded")
    assert shown.id == f"{created.id}/securityRules/closed"
    assert refused(lambda: network.security_rules.list(*here)) == NOT_EMULATED


@pytest.mark.proves("virtualNetworkPeerings", drives=["get", "list", "PUT", "DELETE"], client="azure-mgmt")
@pytest.mark.proves("virtualNetworkPeerings", honours=["properties.remoteVirtualNetwork"], client="azure-mgmt")
def test_peerings(network):
    hub = NETWORK | {"properties": {"addressSpace": {"addressPrefixes": ["10.200.0.0/16"]}}}
    spokes = {
        name: done(network.virtual_networks.begin_create_or_update(GROUP, name, NETWORK)) for name in ("s1", "s2")
    }
    hub_id = done(network.virtual_networks.begin_create_or_update(GROUP, "hub", hub)).id
    peerings, here = network.virtual_network_peerings, (GROUP, "s1", "to-hub")
    created = live_through(
        create=lambda body: peerings.begin_create_or_update(*here, body),
        get=lambda: peerings.get(*here),
        delete=lambda: peerings.begin_delete(*here),
        lists=[lambda: peerings.list(GROUP, "s1")],
        body={"properties": {"remoteVirtualNetwork": {"id": hub_id}}},
    )
    assert (created.peering_state, created.allow_virtual_network_access) == ("Initiated", True)
    ours = {"properties": {"remoteVirtualNetwork": {"id": hub_id}}}
    theirs = {"properties": {"remoteVirtualNetwork": {"id": spokes["s1"].id}}}
    done(peerings.begin_create_or_update(*here, ours))
    assert done(peerings.begin_create_or_update(GROUP, "hub", "to-s1", theirs)).peering_state == "Connected"
    assert peerings.get(*here).peering_state == "Connected"
    assert [one.name for one in network.virtual_networks.get(GROUP, "s1").virtual_network_peerings] == ["to-hub"]
    overlapping = {"properties": {"remoteVirtualNetwork": {"id": spokes["s2"].id}}}
    code = refused(lambda: peerings.begin_create_or_update(GROUP, "s1", "to-s2", overlapping))
    assert code == (400, "VnetAddressSpacesOverlap")


@pytest.mark.proves("publicIPAddresses", drives=["get", "list", "PUT", "PATCH", "DELETE"], client="azure-mgmt")
@pytest.mark.proves("publicIPAddresses", refuses=["name"], client="azure-mgmt")
@pytest.mark.proves("natGateways", drives=["get", "list", "PUT", "PATCH", "DELETE"], client="azure-mgmt")
@pytest.mark.proves("natGateways", refuses=["name"], client="azure-mgmt")
def test_a_nat_gateway_and_its_address(network):
    addresses, gateways = network.public_ip_addresses, network.nat_gateways
    static = {"sku": {"name": "Standard"}, "location": LOCATION, "properties": {"publicIPAllocationMethod": "Static"}}
    created = live_through(
        create=lambda body: addresses.begin_create_or_update(GROUP, "pip1", body),
        get=lambda: addresses.get(GROUP, "pip1"),
        update=lambda: addresses.update_tags(GROUP, "pip1", {"tags": TAGS}),
        delete=lambda: addresses.begin_delete(GROUP, "pip1"),
        lists=[addresses.list_all, lambda: addresses.list(GROUP)],
        body=static,
    )
    assert created.ip_address.startswith("203.0.113.")
    address = done(addresses.begin_create_or_update(GROUP, "pip1", static))
    body = {
        "sku": {"name": "Standard"},
        "location": LOCATION,
        "properties": {"publicIpAddresses": [{"id": address.id}]},
    }
    live_through(
        create=lambda body: gateways.begin_create_or_update(GROUP, "ng1", body),
        get=lambda: gateways.get(GROUP, "ng1"),
        update=lambda: gateways.update_tags(GROUP, "ng1", {"tags": TAGS}),
        delete=lambda: gateways.begin_delete(GROUP, "ng1"),
        lists=[gateways.list_all, lambda: gateways.list(GROUP)],
        body=body,
    )
    gateway = done(gateways.begin_create_or_update(GROUP, "ng1", body))
    make_network(network, "vnet4")
    subnet = {"properties": {"addressPrefix": "10.0.0.0/24", "natGateway": {"id": gateway.id}}}
    done(network.subnets.begin_create_or_update(GROUP, "vnet4", "first", subnet))
    assert [one.id.rsplit("/", 1)[1] for one in gateways.get(GROUP, "ng1").subnets] == ["first"]
    assert refused(lambda: gateways.begin_delete(GROUP, "ng1")) == (400, "InUseNatGatewayCannotBeDeleted")
    assert refused(lambda: addresses.begin_delete(GROUP, "pip1")) == (400, "PublicIPAddressCannotBeDeleted")


@pytest.mark.proves("privateEndpoints", honours=["properties.privateLinkServiceConnections"], client="azure-mgmt")
@pytest.mark.proves("privateEndpoints", drives=["get", "list", "PUT", "DELETE"], client="azure-mgmt")
@pytest.mark.proves("privateDnsZoneGroups", drives=["get", "list", "PUT", "DELETE"], client="azure-mgmt")
def test_private_endpoints_and_their_zone_groups(network, dns, management):
    subnet = make_network(network, "vnet3")
    account = f"{PROVIDERS}/Microsoft.Storage/storageAccounts/privateaccount"
    body = {"location": LOCATION, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}
    assert management.azure.request("PUT", account, body).ok
    connection = {"name": "blob", "properties": {"privateLinkServiceId": account, "groupIds": ["blob"]}}
    body = {
        "location": LOCATION,
        "properties": {"subnet": {"id": subnet.id}, "privateLinkServiceConnections": [connection]},
    }
    endpoints, here = network.private_endpoints, (GROUP, "pe1")
    created = live_through(
        create=lambda body: endpoints.begin_create_or_update(*here, body),
        get=lambda: endpoints.get(*here),
        delete=lambda: endpoints.begin_delete(*here),
        lists=[endpoints.list_by_subscription, lambda: endpoints.list(GROUP)],
        body=body,
    )
    (shown,) = created.private_link_service_connections
    assert (shown.private_link_service_id, shown.group_ids) == (account, ["blob"])
    assert shown.private_link_service_connection_state.status == "Approved"
    assert created.subnet.id == subnet.id
    assert len(created.network_interfaces) == 1

    done(endpoints.begin_create_or_update(*here, body))
    zone = done(dns.private_zones.begin_create_or_update(GROUP, "privatelink.one.test", {"location": "global"}))
    groups, group = network.private_dns_zone_groups, (*here, "default")
    entry = {"name": "blob", "properties": {"privateDnsZoneId": zone.id}}
    made = live_through(
        create=lambda body: groups.begin_create_or_update(*group, body),
        get=lambda: groups.get(*group),
        delete=lambda: groups.begin_delete(*group),
        lists=[lambda: groups.list("pe1", GROUP)],
        body={"properties": {"privateDnsZoneConfigs": [entry]}},
    )
    assert [config.private_dns_zone_id for config in made.private_dns_zone_configs] == [zone.id]


@pytest.mark.proves("privateEndpoints", refuses=["properties.subnet"], client="azure-mgmt")
def test_what_a_private_endpoint_names_must_exist(network):
    make_network(network, "vnet4")
    body = {"location": LOCATION, "properties": {"subnet": {"id": f"{PROVIDERS}/Microsoft.Network/virtualNetworks/no"}}}
    answer = refused(lambda: network.private_endpoints.begin_create_or_update(GROUP, "pe2", body))
    assert answer == (400, "InvalidResourceReference")


@pytest.mark.proves("privateDnsZones", drives=["get", "list", "PUT", "PATCH", "DELETE"], client="azure-mgmt")
@pytest.mark.proves("virtualNetworkLinks", drives=["get", "list", "PUT", "PATCH", "DELETE"], client="azure-mgmt")
def test_private_dns_zones_and_their_links(network, dns):
    zones, here = dns.private_zones, (GROUP, "privatelink.two.test")
    created = live_through(
        create=lambda body: zones.begin_create_or_update(*here, body),
        get=lambda: zones.get(*here),
        update=lambda: zones.begin_update(*here, {"tags": TAGS}),
        delete=lambda: zones.begin_delete(*here),
        lists=[zones.list, lambda: zones.list_by_resource_group(GROUP)],
        body={"location": "global"},
    )
    assert (created.location, created.provisioning_state) == ("global", "Succeeded")
    assert (created.number_of_record_sets, created.number_of_virtual_network_links) == (1, 0)

    make_network(network, "vnet5")
    target = network.virtual_networks.get(GROUP, "vnet5")
    done(zones.begin_create_or_update(*here, {"location": "global"}))
    links, link = dns.virtual_network_links, (*here, "link")
    body = {"location": "global", "properties": {"virtualNetwork": {"id": target.id}, "registrationEnabled": False}}
    made = live_through(
        create=lambda body: links.begin_create_or_update(*link, body),
        get=lambda: links.get(*link),
        update=lambda: links.begin_update(*link, {"tags": TAGS}),
        delete=lambda: links.begin_delete(*link),
        lists=[lambda: links.list(*here)],
        body=body,
    )
    assert (made.virtual_network.id, made.registration_enabled) == (target.id, False)
    assert (made.virtual_network_link_state, made.provisioning_state) == ("Completed", "Succeeded")
    done(links.begin_create_or_update(*link, body))
    shown = zones.get(*here)
    assert (shown.number_of_virtual_network_links, shown.number_of_virtual_network_links_with_registration) == (1, 0)
    assert (shown.max_number_of_record_sets, shown.max_number_of_virtual_network_links) == (25000, 1000)
    assert done(links.begin_update(*link, {"properties": {"registrationEnabled": True}})).registration_enabled is True
    assert refused(lambda: dns.record_sets.list(*here)) == NOT_EMULATED


def test_conditions_of_a_write(dns):
    zones, here = dns.private_zones, (GROUP, "privatelink.three.test")
    body = {"location": "global"}

    def put(condition, etag=None):
        return done(zones.begin_create_or_update(*here, body, etag=etag, match_condition=condition))

    created = put(MatchConditions.IfMissing)
    assert refused(lambda: put(MatchConditions.IfMissing)) == (412, "PreconditionFailed")
    changed = put(MatchConditions.IfNotModified, created.etag)
    assert changed.etag != created.etag
    assert refused(lambda: put(MatchConditions.IfNotModified, created.etag)) == (412, "PreconditionFailed")
    stale = {"etag": created.etag, "match_condition": MatchConditions.IfNotModified}
    assert refused(lambda: zones.begin_delete(*here, **stale)) == (412, "PreconditionFailed")
    done(zones.begin_delete(*here, etag=changed.etag, match_condition=MatchConditions.IfNotModified))
    assert refused(lambda: put(MatchConditions.IfNotModified, changed.etag)) == (412, "PreconditionFailed")


def test_a_deleted_network_takes_its_subnets_along(network):
    subnet = make_network(network, "vnet6")
    assert subnet.id in ids(network.subnets.list(GROUP, "vnet6"))
    done(network.virtual_networks.begin_delete(GROUP, "vnet6"))
    assert refused(lambda: network.subnets.get(GROUP, "vnet6", "first")) == (404, "ParentResourceNotFound")

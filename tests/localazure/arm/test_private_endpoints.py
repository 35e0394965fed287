"""Private endpoints keep their subnets in use, and operate on a storage account one at a time."""

from __future__ import annotations

import pytest

from tests.localazure.arm.conftest import GROUP, LOCATION, PROVIDERS, STORAGE, VAULT, WORKSPACE

NETWORKS = f"{PROVIDERS}/Microsoft.Network"
NETWORK = f"{NETWORKS}/virtualNetworks/vnet1"
SUBNET = f"{NETWORK}/subnets/endpoints"
OTHER = f"{NETWORK}/subnets/other"
GUARD = f"{NETWORKS}/networkSecurityGroups/nsg1"
SPACE = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}
RANGE = {"addressPrefix": "10.0.0.0/24", "networkSecurityGroup": {"id": GUARD}}
BLOB = f"{NETWORKS}/privateEndpoints/blob"
FILE = f"{NETWORKS}/privateEndpoints/file"


def endpoint(name="blob", subnet=SUBNET, target=STORAGE):
    link = {"name": name, "properties": {"privateLinkServiceId": target, "groupIds": [name]}}
    properties = {"subnet": {"id": subnet}, "privateLinkServiceConnections": [link]}
    return {"location": LOCATION, "properties": properties}


@pytest.fixture
def network(arm):
    arm.make_group()
    arm.put(NETWORK, {"location": LOCATION, "properties": SPACE})
    arm.put(GUARD, {"location": LOCATION, "properties": {}})
    arm.put(SUBNET, {"properties": RANGE})
    arm.put(OTHER, {"properties": {"addressPrefix": "10.0.1.0/24"}})
    for name in ("stacc1", "stacc2"):
        body = {"location": LOCATION, "sku": {"name": "Standard_LRS"}}
        assert arm.put(STORAGE.replace("stacc1", name), body).status == 200
    return arm


@pytest.mark.proves("Network/privateEndpoints", refuses=["properties.subnet"])
@pytest.mark.parametrize("subnet", [None, {}, {"id": None}, {"id": 5}, {"name": "endpoints"}])
def test_an_endpoint_without_the_id_of_a_subnet_is_refused(network, subnet):
    sent = endpoint()
    sent["properties"]["subnet"] = subnet
    for _ in range(2):
        refused = network.put(BLOB, sent)
        assert (refused.status, refused.code) == (400, "InvalidRequestFormat")
    assert network.put(BLOB, endpoint()).status == 201


@pytest.mark.proves("Network/virtualNetworks", refuses=["properties.subnets"])
@pytest.mark.proves("virtualNetworks/subnets", refuses=["properties.addressPrefix"])
def test_what_a_private_endpoint_uses_cannot_go(network):
    network.put(BLOB, endpoint())
    without = {"location": LOCATION, "properties": SPACE | {"subnets": [{"name": "other"}]}}
    refusals = [network.delete(SUBNET), network.delete(NETWORK), network.put(NETWORK, without)]
    for refused in refusals:
        assert (refused.status, refused.code) == (400, "InUseSubnetCannotBeDeleted")
        said = refused.error["message"]
        assert said.startswith(f"Subnet endpoints is in use by {NETWORKS}/networkInterfaces/blob.nic.")
        assert "/ipConfigurations/privateEndpointIpConfig." in said
        assert said.endswith(
            " and cannot be deleted. In order to delete the subnet, delete all the resources within the subnet. See "
            "aka.ms/deletesubnet."
        )
    moved = {"name": "endpoints", "properties": RANGE | {"addressPrefix": "10.0.9.0/24"}}
    network_with = {"location": LOCATION, "properties": SPACE | {"subnets": [moved, {"name": "other"}]}}
    for refused in (network.put(SUBNET, moved), network.put(NETWORK, network_with)):
        assert (refused.status, refused.code) == (400, "InUsePrefixCannotBeDeleted")
        assert refused.error["message"] == (
            "IpPrefix 10.0.0.0/24 on Subnet endpoints has active allocations and cannot be deleted."
        )
    assert network.put(SUBNET, {"properties": RANGE}).status == 200
    assert network.delete(OTHER).status == 202
    network.delete(BLOB)
    assert network.delete(SUBNET).status == 202
    assert network.delete(NETWORK).status == 202


def test_a_group_takes_its_network_along(network):
    network.put(BLOB, endpoint())
    assert network.delete(GROUP).status == 202
    network.make_group()
    assert network.get(NETWORK).status == 404


def test_a_security_group_in_use_cannot_go(network):
    refused = network.delete(GUARD)
    assert (refused.status, refused.code) == (400, "InUseNetworkSecurityGroupCannotBeDeleted")
    assert f"in use by the following resources: {SUBNET}." in refused.error["message"]
    network.delete(SUBNET)
    assert network.delete(GUARD).status == 202


@pytest.mark.proves("privateEndpoints", refuses=["properties.subnet", "properties.privateLinkServiceConnections"])
def test_a_private_endpoint_stays_where_it_is(network):
    network.put(BLOB, endpoint())
    moved = network.put(BLOB, endpoint(subnet=OTHER))
    assert (moved.status, moved.code) == (400, "CannotChangeSubnetOnExistingPrivateEndpoint")
    assert f"Current subnet: '{SUBNET}.' Requested subnet: '{OTHER}.'" in moved.error["message"]
    for changed in (endpoint(target=STORAGE.replace("stacc1", "stacc2")), endpoint(name="file")):
        led = network.put(BLOB, changed)
        assert (led.status, led.code) == (400, "CannotChangePrivateLinkConnectionOnPrivateEndpoint")
    assert network.get(BLOB).properties["subnet"] == {"id": SUBNET}
    assert network.put(BLOB, endpoint() | {"tags": {"a": "b"}}).status == 200


@pytest.mark.proves("privateEndpoints", refuses=["properties.privateLinkServiceConnections"])
def test_the_second_of_two_at_once_on_one_account_fails_in_the_poll(network):
    first = network.request("PUT", BLOB, endpoint())
    second = network.request("PUT", FILE, endpoint("file"))
    assert (first.status, second.status) == (201, 201)
    network.settle()
    assert network.poll(first).body["status"] == "Succeeded"
    failed = network.poll(second).body
    assert (failed["status"], failed["error"]["code"]) == ("Failed", "StorageAccountOperationInProgress")
    assert failed["error"]["message"] == (
        "Call to Microsoft.Storage/storageAccounts failed. Error message: An operation is currently performing on this "
        "storage account that requires exclusive access."
    )
    assert network.get(FILE).properties["provisioningState"] == "Failed"
    again = network.put(FILE, endpoint("file"))
    assert network.poll(again).body["status"] == "Succeeded"
    assert network.get(FILE).properties["provisioningState"] == "Succeeded"


def test_one_after_another_and_on_two_accounts_nothing_fails(network):
    one = network.put(BLOB, endpoint())
    two = network.put(FILE, endpoint("file"))
    assert [network.poll(one).body["status"], network.poll(two).body["status"]] == ["Succeeded", "Succeeded"]
    network.delete(BLOB)
    network.delete(FILE)
    other = STORAGE.replace("stacc1", "stacc2")
    answers = [network.request("PUT", BLOB, endpoint()), network.request("PUT", FILE, endpoint("file", target=other))]
    network.settle()
    assert [network.poll(answer).body["status"] for answer in answers] == ["Succeeded", "Succeeded"]


def test_deletions_need_the_account_for_themselves_too(network):
    network.put(BLOB, endpoint())
    network.put(FILE, endpoint("file"))
    answers = [network.request("DELETE", BLOB), network.request("DELETE", FILE)]
    network.settle()
    assert network.get(BLOB).status == 404
    assert network.get(FILE).properties["provisioningState"] == "Failed"
    refused = network.poll(answers[1], "Location")
    assert (refused.status, refused.code) == (400, "StorageAccountOperationInProgress")
    assert network.delete(FILE).status == 202
    assert network.get(FILE).status == 404


def named(network, path=BLOB):
    """The names that an endpoint shows, with their addresses."""
    return {one["fqdn"]: one["ipAddresses"] for one in network.get(path).properties["customDnsConfigs"]}


@pytest.mark.proves("privateEndpoints", honours=["properties.customDnsConfigs"])
def test_an_endpoint_shows_the_names_of_its_target_until_a_zone_group_writes_them(network):
    network.put(BLOB, endpoint())
    network.put(FILE, endpoint("file", target=STORAGE.replace("stacc1", "stacc2")))
    assert named(network) == {"stacc1.blob.core.windows.net": ["10.0.0.4"]}
    assert named(network, FILE) == {"stacc2.file.core.windows.net": ["10.0.0.5"]}
    zone = f"{NETWORKS}/privateDnsZones/privatelink.blob.core.windows.net"
    network.put(zone, {"location": "global"})
    entry = {"name": "blob", "properties": {"privateDnsZoneId": zone}}
    network.put(f"{BLOB}/privateDnsZoneGroups/default", {"properties": {"privateDnsZoneConfigs": [entry]}})
    assert named(network) == {}
    network.delete(f"{BLOB}/privateDnsZoneGroups/default")
    network.put(BLOB, endpoint() | {"tags": {"a": "b"}})
    assert named(network) == {"stacc1.blob.core.windows.net": ["10.0.0.4"]}
    network.delete(BLOB)
    network.put(BLOB, endpoint())
    assert named(network) == {"stacc1.blob.core.windows.net": ["10.0.0.4"]}, "the address was free again"


def test_a_workspace_has_three_addresses_and_a_registry_two(arm):
    arm.make_platform()
    arm.make_workspace()
    arm.put(NETWORK, {"location": LOCATION, "properties": SPACE})
    arm.put(SUBNET, {"properties": {"addressPrefix": "10.0.0.0/28"}})
    shown = arm.get(WORKSPACE)
    guid, region = shown.properties["workspaceId"], shown.body["location"]
    for name, target, group in (
        ("workspace", WORKSPACE, "amlworkspace"),
        ("vault", VAULT, "vault"),
        ("registry", shown.properties["containerRegistry"], "registry"),
    ):
        path = f"{NETWORKS}/privateEndpoints/{name}"
        body = endpoint(group, target=target)
        assert arm.put(path, body).status == 201
    assert named(arm, f"{NETWORKS}/privateEndpoints/workspace") == {
        f"{guid}.workspace.{region}.api.azureml.ms": ["10.0.0.4"],
        f"{guid}.workspace.{region}.cert.api.azureml.ms": ["10.0.0.4"],
        f"ml-{shown.body['name']}-{region}-{guid}.{region}.notebooks.azure.net": ["10.0.0.5"],
        f"*.{region}.inference.ml.azure.com": ["10.0.0.6"],
    }
    assert list(named(arm, f"{NETWORKS}/privateEndpoints/vault").values()) == [["10.0.0.7"]]
    data, login = named(arm, f"{NETWORKS}/privateEndpoints/registry")
    assert data == login.replace(".", f".{region}.data.", 1)


@pytest.mark.proves("privateEndpoints", refuses=["properties.subnet"])
def test_a_subnet_gives_out_all_its_addresses_but_five(network):
    tiny = f"{NETWORK}/subnets/tiny"
    network.put(tiny, {"properties": {"addressPrefix": "10.0.2.0/29"}})
    paths = [f"{NETWORKS}/privateEndpoints/{name}" for name in ("blob", "queue", "table", "file")]
    answers = []
    for path in paths:
        answers.append(network.put(path, endpoint(path.rsplit("/", 1)[1], subnet=tiny)))
    assert [answer.status for answer in answers] == [201, 201, 201, 400]
    assert answers[-1].code == "SubnetIsFull"


@pytest.mark.proves(
    "Network/virtualNetworks", refuses=["properties.addressSpace.addressPrefixes", "properties.subnets"]
)
@pytest.mark.proves("virtualNetworks/subnets", refuses=["properties.addressPrefix", "properties.addressPrefixes"])
@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("10.0.0.0/33", "InvalidAddressPrefixFormat"),
        ("hub", "InvalidAddressPrefixFormat"),
        ("10.0.0.1/24", "InvalidCIDRNotation"),
    ],
)
def test_what_is_no_range_is_refused(network, given, code):
    inside = SPACE | {"subnets": [{"name": "s", "properties": {"addressPrefix": given}}]}
    for path, sent in (
        (f"{NETWORKS}/virtualNetworks/vnet2", {"addressSpace": {"addressPrefixes": [given]}}),
        (f"{NETWORKS}/virtualNetworks/vnet2", inside),
        (f"{NETWORK}/subnets/another", {"addressPrefix": given}),
        (f"{NETWORK}/subnets/another", {"addressPrefixes": [given]}),
    ):
        refused = network.put(path, {"location": LOCATION, "properties": sent})
        assert (refused.status, refused.code) == (400, code)


@pytest.mark.proves("publicIPAddresses", honours=["properties.publicIPAllocationMethod"])
def test_every_public_address_is_another_one_and_stays(network):
    static = {"location": LOCATION, "properties": {"publicIPAllocationMethod": "Static"}}
    paths = [f"{NETWORKS}/publicIPAddresses/pip{number}" for number in range(3)]
    for path in paths:
        network.put(path, static)
    network.put(paths[0], static | {"tags": {"a": "b"}})
    assert [network.get(path).properties["ipAddress"] for path in paths] == [f"203.0.113.{n}" for n in (1, 2, 3)]
    network.delete(paths[1])
    network.put(f"{NETWORKS}/publicIPAddresses/pip3", static)
    assert network.get(f"{NETWORKS}/publicIPAddresses/pip3").properties["ipAddress"] == "203.0.113.2"

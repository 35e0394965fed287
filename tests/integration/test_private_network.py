"""A private stack in a company's landing zone: a hub in another subscription, a way out, and approved destinations."""

from __future__ import annotations

from typing import Any

import pytest

from localazure.identity import FOREIGN_SUBSCRIPTION_ID, HUB_SUBSCRIPTION_ID
from network_plan import NetworkPlan
from rollout.errors import EngineRefused
from tests.integration.rehearsal import Azure, Stack

pytestmark = pytest.mark.integration
VERSION = "2024-05-01"
HUB = f"/subscriptions/{HUB_SUBSCRIPTION_ID}/resourceGroups/rg-hub"
NETWORK = f"{HUB}/providers/Microsoft.Network/virtualNetworks/vnet-hub"
SCOPE = f"{HUB}/providers/Microsoft.Insights/privateLinkScopes/ampls-hub"
ZONES = {name: f"{HUB}/providers/Microsoft.Network/privateDnsZones/{name}" for name in NetworkPlan().zones}
RULES: dict[str, Any] = {"scores": {"fqdn": "*.example.org"}, "front": {"service_tag": "AzureFrontDoor.FirstParty"}}


@pytest.fixture
def hub(simulated_azure: Azure) -> Azure:
    """A hub's network, zones and private link scope, made by its owner in a subscription of its own."""
    space = {"addressSpace": {"addressPrefixes": ["10.200.0.0/16"]}}
    modes = {"accessModeSettings": {"ingestionAccessMode": "Open", "queryAccessMode": "Open"}}
    bodies: dict[str, tuple[dict[str, Any], str]] = {
        HUB: ({"location": "westeurope"}, "2024-03-01"),
        NETWORK: ({"location": "westeurope", "properties": space}, VERSION),
        SCOPE: ({"location": "global", "properties": modes}, "2023-06-01-preview"),
        **{zone: ({"location": "global"}, "2024-06-01") for zone in ZONES.values()},
    }
    for path, (body, version) in bodies.items():
        status, answer = simulated_azure.request("PUT", path, body, version)
        assert status in (200, 201, 202), (path, status, answer)
    return simulated_azure


def private(stack: Stack, **network: Any) -> None:
    stack.edit(lambda config: config.update({"sluice:network": {"mode": "private", **network}}))


def require_nothing_to_do(stack: Stack) -> None:
    """A second update, one after a refresh, and one that refreshes have nothing to do."""
    assert stack.engine.preview().is_empty
    stack.engine.refresh()
    preview = stack.engine.preview()
    assert preview.is_empty, list(map(str, preview.changes))


def recover(stack: Stack) -> None:
    """Repair after a kill; the model's files may have to be published first, now that there is a workspace."""
    done = stack.sluice("recover", "--stack", stack.name, expect=None)
    if done.returncode == 3 and "never published" in done.stderr:
        stack.publish()
        done = stack.sluice("recover", "--stack", stack.name, expect=None)
    assert done.returncode == 0, done.stderr


def remove(stack: Stack) -> None:
    """Take the stack down; nothing of it is left."""
    stack.weights(blue=0)
    stack.engine.up()
    stack.sluice("remove", "--stack", stack.name, "--yes")
    assert not stack.engine.export()["deployment"].get("resources")
    assert stack.azure.request("GET", stack.names.resource_group_id, api_version="2021-04-01")[0] == 404


def test_a_stack_uses_the_hub_of_another_subscription_and_reaches_only_what_is_approved(hub: Azure) -> None:
    stack = Stack(hub, "spoke", like="prod")
    keys: dict[str, Any] = {
        **{"address_space": "10.7.0.0/22", "nat": True, "peer_with": [NETWORK], "dns": ZONES, "monitor_scope": SCOPE},
        **{"firewall_sku": "Basic", "outbound": {**RULES}},
    }
    private(stack, **keys)
    scoped = "Microsoft.Insights/privateLinkScopes/scopedResources"
    assert stack.kill_at(hub.moment(when="after", type=scoped, method="PUT", count=1))
    recover(stack)
    stack.settle()
    require_nothing_to_do(stack)
    types = {one["type"] for one in stack.engine.export()["deployment"]["resources"]}
    assert not {"azure-native:privatedns:PrivateZone", "azure-native:monitor:PrivateLinkScope"} & types
    linked = hub.get(f"{SCOPE}/scopedResources")["value"]
    assert sorted(one["properties"]["linkedResourceId"].rsplit("/", 1)[1] for one in linked) == [
        stack.names.application_insights,
        stack.names.log_analytics,
    ]
    shown = hub.get(stack.names.workspace_id)["properties"]["managedNetwork"]
    assert (shown["isolationMode"], shown["firewallSku"]) == ("AllowOnlyApprovedOutbound", "Basic")
    assert shown["outboundRules"]["scores"]["destination"] == "*.example.org"
    (command,) = stack.engine.outputs()["workspace"]["network"]["peerings"].values()
    assert command.startswith(f"az network vnet peering create --subscription {HUB_SUBSCRIPTION_ID} ")

    keys["outbound"] = {"front": RULES["front"], "packages": {"fqdn": "packages.example.org"}}
    private(stack, **keys)
    preview = stack.engine.preview()
    assert [change.name for change in preview.changes] == ["platform-ml-workspace"], list(map(str, preview.changes))
    stack.engine.up()
    rules = hub.get(stack.names.workspace_id)["properties"]["managedNetwork"]["outboundRules"]
    assert {"scores", "front", "packages"} < rules.keys(), "a rule that is no longer declared stays"
    assert stack.live_traffic() == {"blue": 100}

    foreign = f"/subscriptions/{FOREIGN_SUBSCRIPTION_ID}/resourceGroups/x/providers/Microsoft.Storage/storageAccounts/y"
    absent = f"{HUB}/providers/Microsoft.Network/virtualNetworks/absent"
    before = stack.snapshot()
    data = {"resource": foreign, "subresource": "blob"}
    private(stack, **{**keys, "peer_with": [NETWORK, absent], "outbound": {**keys["outbound"], "data": data}})
    with pytest.raises(EngineRefused) as refused:
        stack.engine.up()
    assert f"must be the id of a resource in a group of this tenant, got {foreign}" in str(refused.value)
    assert f"sluice:network.peer_with[1] must be the id of a virtual network that exists, got {absent}" in str(
        refused.value
    )
    assert stack.snapshot() == before

    private(stack, **keys)
    remove(stack)
    assert hub.get(f"{SCOPE}/scopedResources")["value"] == []
    assert hub.request("GET", NETWORK, api_version=VERSION)[0] == 200


def test_a_stack_with_a_network_of_its_own_survives_kills_and_needs_no_second_update(simulated_azure: Azure) -> None:
    stack = Stack(simulated_azure, "island", like="prod")
    private(stack, address_space="10.8.0.0/24", nat=True, monitor_scope="own", outbound=RULES)
    for moment in (
        {"kind": "hold", "when": "after", "type": "Microsoft.Insights/privateLinkScopes/scopedResources"},
        {"kind": "operation-never-ends", "type": "Microsoft.Network/privateEndpoints"},
    ):
        held = simulated_azure.moment(**moment, method="PUT", count=1)
        assert stack.kill_at(held), f"the update ended without {moment}"
        recover(stack)
    stack.settle()
    require_nothing_to_do(stack)
    assert stack.live_traffic() == {"blue": 100}
    remove(stack)


def test_without_zones_the_records_are_given_to_those_who_write_them(simulated_azure: Azure) -> None:
    stack = Stack(simulated_azure, "records", like="prod")
    stack.edit(lambda config: config.update({"sluice:endpoints": {}, "sluice:rollout": {}}))
    private(stack, address_space="10.9.0.0/24", dns="none")
    stack.engine.up()
    require_nothing_to_do(stack)
    records = stack.engine.outputs()["workspace"]["network"]["records"]
    assert sorted(records) == ["registry", "storage-blob", "storage-file", "vault", "workspace"]
    (blob,) = records["storage-blob"]
    assert blob["fqdn"] == f"{stack.names.storage_account}.blob.core.windows.net"
    addresses = [address for one in records.values() for record in one for address in record["ipAddresses"]]
    assert all(address.startswith("10.9.0.") for address in addresses)

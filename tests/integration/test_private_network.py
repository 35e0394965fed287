"""A private stack in a company's landing zone: a hub's zones and peering, a way out, and approved destinations."""

from __future__ import annotations

from typing import Any

import pytest

from network_plan import NetworkPlan
from private_zones import zone_names
from tests.integration.rehearsal import Azure, Stack

pytestmark = pytest.mark.integration
VERSION = "2024-05-01"


def make_hub(azure: Azure, subscription: str) -> tuple[str, dict[str, str]]:
    """A hub's network and its zones, made by its owner; returns their ids."""
    group = f"/subscriptions/{subscription}/resourceGroups/rg-hub"
    network = f"{group}/providers/Microsoft.Network/virtualNetworks/vnet-hub"
    zones = {
        name: f"{group}/providers/Microsoft.Network/privateDnsZones/{name}"
        for name in zone_names("public", NetworkPlan().group_ids)
    }
    space = {"addressSpace": {"addressPrefixes": ["10.200.0.0/16"]}}
    bodies: dict[str, tuple[dict[str, Any], str]] = {
        group: ({"location": "westeurope"}, "2024-03-01"),
        network: ({"location": "westeurope", "properties": space}, VERSION),
        **{zone: ({"location": "global"}, "2024-06-01") for zone in zones.values()},
    }
    for path, (body, version) in bodies.items():
        status, answer = azure.request("PUT", path, body, version)
        assert status in (200, 201, 202), (path, status, answer)
    return network, zones


def test_a_stack_uses_the_network_of_a_hub_and_reaches_only_what_is_approved(simulated_azure: Azure) -> None:
    stack = Stack(simulated_azure, "spoke", like="prod")
    hub, zones = make_hub(simulated_azure, stack.names.subscription_id)
    network: dict[str, Any] = {
        **{"mode": "private", "address_space": "10.7.0.0/22", "nat": True, "peer_with": [hub], "dns": zones},
        "firewall_sku": "Basic",
        "outbound": {"scores": {"fqdn": "*.example.org"}, "front": {"service_tag": "AzureFrontDoor.FirstParty"}},
    }
    stack.edit(lambda config: config.update({"sluice:network": network}))
    stack.settle()
    assert stack.engine.preview().is_empty
    resources = stack.engine.export()["deployment"]["resources"]
    assert not [one for one in resources if one["type"] == "azure-native:privatedns:PrivateZone"]
    shown = simulated_azure.get(stack.names.workspace_id)["properties"]["managedNetwork"]
    assert (shown["isolationMode"], shown["firewallSku"]) == ("AllowOnlyApprovedOutbound", "Basic")
    assert shown["outboundRules"]["scores"]["destination"] == "*.example.org"
    stack.engine.refresh()
    assert stack.engine.preview().is_empty
    network["outbound"]["packages"] = {"fqdn": "packages.example.org"}
    stack.edit(lambda config: config.update({"sluice:network": network}))
    preview = stack.engine.preview()
    assert [change.name for change in preview.changes] == ["platform-ml-workspace"], list(map(str, preview.changes))
    stack.engine.up()
    rules = simulated_azure.get(stack.names.workspace_id)["properties"]["managedNetwork"]["outboundRules"]
    assert {"scores", "front", "packages"} < rules.keys()
    assert stack.live_traffic() == {"blue": 100}

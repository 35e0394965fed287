"""The client side of a private stack: a virtual network, its subnets, and the DNS zones of private addresses.

The network that deployments run in is the workspace's own managed one, not this. Peering, gateways and firewalls are
left to those who connect this network to others. Zone names are those of the Azure public cloud.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import network, privatedns

from components.placement import GroupPlacement
from platform_record import ADDRESS_SPACE

__all__ = ["ZONES", "PrivateNetwork", "PrivateNetworkArgs"]

SUBNETS = {"endpoints": "10.90.0.0/24", "runners": "10.90.1.0/24"}
"""`endpoints` holds private endpoints; `runners` is for what publishes and scores from inside (a CI agent, a jump
host)."""

ZONES: Mapping[str, tuple[str, ...]] = {
    # Managed online endpoints have no private endpoint of their own: their scoring address is in the first zone.
    "amlworkspace": ("privatelink.api.azureml.ms", "privatelink.notebooks.azure.net"),
    "blob": ("privatelink.blob.core.windows.net",),
    "file": ("privatelink.file.core.windows.net",),
    "queue": ("privatelink.queue.core.windows.net",),
    "table": ("privatelink.table.core.windows.net",),
    # Not derived from the vault's public suffix, which is another name (vault.azure.net).
    "vault": ("privatelink.vaultcore.azure.net",),
    "registry": ("privatelink.azurecr.io",),
}
"""DNS zones by the group id of the private endpoint that fills them."""


@dataclass(frozen=True, kw_only=True)
class PrivateNetworkArgs:
    """Inputs of a `PrivateNetwork`."""

    placement: GroupPlacement
    """*Required.* Names, region and tags, and the group."""


class PrivateNetwork(pulumi.ComponentResource):
    """A virtual network whose resolvers answer with private addresses."""

    endpoint_subnet_id: pulumi.Output[str]
    """ARM id of the subnet for private endpoints."""
    zone_ids: Mapping[str, pulumi.Output[str]]
    """ARM ids of the DNS zones by zone name."""

    def __init__(self, name: str, args: PrivateNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:PrivateNetwork", name, {}, opts)
        self._name = name
        self._args = args
        self._network = network.VirtualNetwork(
            f"{name}-network",
            virtual_network_name=args.placement.names.virtual_network,
            resource_group_name=args.placement.resource_group_name,
            location=args.placement.location,
            address_space=network.AddressSpaceArgs(address_prefixes=[ADDRESS_SPACE]),
            tags=args.placement.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        endpoints = self._subnet("endpoints", _endpoint_rules(), after=None)
        # Azure changes one subnet of a network at a time.
        self._subnet("runners", _runner_rules(), after=endpoints)
        self.endpoint_subnet_id = endpoints.id
        self.zone_ids = {zone: self._zone(zone) for zones in ZONES.values() for zone in zones}
        self.register_outputs({"endpointSubnetId": self.endpoint_subnet_id})

    def _subnet(
        self, purpose: str, rules: list[network.SecurityRuleArgs], *, after: pulumi.Resource | None
    ) -> network.Subnet:
        names = self._args.placement.names
        group = network.NetworkSecurityGroup(
            f"{self._name}-{purpose}-rules",
            network_security_group_name=names.network_security_group(purpose),
            resource_group_name=self._args.placement.resource_group_name,
            location=self._args.placement.location,
            security_rules=rules,
            tags=self._args.placement.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return network.Subnet(
            f"{self._name}-{purpose}",
            subnet_name=names.subnet(purpose),
            virtual_network_name=self._network.name,
            resource_group_name=self._args.placement.resource_group_name,
            address_prefix=SUBNETS[purpose],
            network_security_group=network.NetworkSecurityGroupArgs(id=group.id),
            # Without it Azure lets private endpoints pass the group's rules unseen.
            private_endpoint_network_policies=network.VirtualNetworkPrivateEndpointNetworkPolicies.ENABLED,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[after] if after else []),
        )

    def _zone(self, zone_name: str) -> pulumi.Output[str]:
        suffix = zone_name.removeprefix("privatelink.").replace(".", "-")
        zone = privatedns.PrivateZone(
            f"{self._name}-{suffix}",
            private_zone_name=zone_name,
            resource_group_name=self._args.placement.resource_group_name,
            location="global",
            tags=self._args.placement.dns_tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        privatedns.VirtualNetworkLink(
            f"{self._name}-{suffix}-link",
            virtual_network_link_name=self._args.placement.names.virtual_network,
            private_zone_name=zone.name,
            resource_group_name=self._args.placement.resource_group_name,
            location="global",
            registration_enabled=False,
            virtual_network=privatedns.SubResourceArgs(id=self._network.id),
            tags=self._args.placement.dns_tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        zone_id: pulumi.Output[str] = zone.id
        return zone_id


def _endpoint_rules() -> list[network.SecurityRuleArgs]:
    return [
        _rule("allow-https-from-network", "Allow", "Inbound", 100, "VirtualNetwork", "443"),
        # File shares of the workspace are mounted over SMB.
        _rule("allow-smb-from-network", "Allow", "Inbound", 110, "VirtualNetwork", "445"),
        _rule("deny-inbound", "Deny", "Inbound", 4096, "*", "*"),
        # A private endpoint only answers.
        _rule("deny-outbound", "Deny", "Outbound", 4096, "*", "*"),
    ]


def _runner_rules() -> list[network.SecurityRuleArgs]:
    return [_rule("deny-inbound-from-internet", "Deny", "Inbound", 4096, "Internet", "*")]


def _rule(name: str, access: str, direction: str, priority: int, source: str, port: str) -> network.SecurityRuleArgs:
    return network.SecurityRuleArgs(
        name=name,
        access=access,
        direction=direction,
        priority=priority,
        protocol="Tcp" if port != "*" else "*",
        source_address_prefix=source,
        source_port_range="*",
        destination_address_prefix="*",
        destination_port_range=port,
    )

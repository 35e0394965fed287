"""The client side of a private stack: a virtual network, its subnets, and the DNS zones of private addresses.

The network that deployments run in is the workspace's own managed one, not this. Of a peering with another network,
this is our half; gateways and firewalls are left to those who connect networks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import network, privatedns

from components.placement import GroupPlacement
from network_plan import NetworkPlan

__all__ = ["PrivateNetwork", "PrivateNetworkArgs"]


@dataclass(frozen=True, kw_only=True)
class PrivateNetworkArgs:
    """Inputs of a `PrivateNetwork`."""

    placement: GroupPlacement
    """*Required.* Names, region and tags, and the group."""
    network: NetworkPlan
    """*Required.* Ranges, peerings, the way out, and whose DNS zones are used."""
    zones: Collection[str]
    """*Required.* Names of the DNS zones that private endpoints need."""


class PrivateNetwork(pulumi.ComponentResource):
    """A virtual network whose resolvers answer with private addresses."""

    id: pulumi.Output[str]
    """ARM id of the network."""
    subnet_ids: Mapping[str, pulumi.Output[str]]
    """ARM ids of its subnets: `endpoints`, and `runners` where the stack has a network of its own."""
    zone_ids: Mapping[str, pulumi.Input[str]]
    """ARM ids of the DNS zones by zone name; empty where somebody else makes the records."""

    def __init__(self, name: str, args: PrivateNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:PrivateNetwork", name, {}, opts)
        self._name = name
        self._args = args
        subnet_id = args.network.subnet_id
        if subnet_id is None:
            self.id, self.subnet_ids = self._own_network()
        else:
            self.id = pulumi.Output.from_input(subnet_id.rpartition("/subnets/")[0])
            self.subnet_ids = {"endpoints": pulumi.Output.from_input(subnet_id)}
        self.zone_ids = self._zones()
        self.register_outputs({"endpointSubnetId": self.subnet_ids["endpoints"]})

    def _own_network(self) -> tuple[pulumi.Output[str], Mapping[str, pulumi.Output[str]]]:
        """A network with its subnets, and what leads out of it; returns its id and theirs."""
        placement, plan = self._args.placement, self._args.network
        own = network.VirtualNetwork(
            f"{self._name}-network",
            virtual_network_name=placement.names.virtual_network,
            resource_group_name=placement.resource_group_name,
            location=placement.location,
            address_space=network.AddressSpaceArgs(address_prefixes=[plan.address_space]),
            tags=placement.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        endpoints = self._subnet(own, "endpoints", plan.endpoint_prefix, _endpoint_rules(), after=None)
        # Azure changes one subnet of a network at a time.
        gateway = self._nat_gateway() if plan.nat else None
        runners = self._subnet(own, "runners", plan.runner_prefix, _runner_rules(), after=endpoints, gateway=gateway)
        self._peer(own, runners)
        return own.id, {"endpoints": endpoints.id, "runners": runners.id}

    def _zones(self) -> Mapping[str, pulumi.Input[str]]:
        plan = self._args.network
        if not plan.has_records:
            return {}
        return plan.zone_ids if plan.zone_ids is not None else {zone: self._zone(zone) for zone in self._args.zones}

    def _nat_gateway(self) -> network.NatGateway:
        """The way out of the runners' subnet, with an address of its own."""
        names, placement = self._args.placement.names, self._args.placement
        address = network.PublicIPAddress(
            f"{self._name}-nat-address",
            public_ip_address_name=names.nat_address,
            resource_group_name=placement.resource_group_name,
            location=placement.location,
            sku=network.PublicIPAddressSkuArgs(name="Standard"),
            public_ip_allocation_method=network.IPAllocationMethod.STATIC,
            tags=placement.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return network.NatGateway(
            f"{self._name}-nat",
            nat_gateway_name=names.nat_gateway,
            resource_group_name=placement.resource_group_name,
            location=placement.location,
            sku=network.NatGatewaySkuArgs(name="Standard"),
            public_ip_addresses=[network.SubResourceArgs(id=address.id)],
            tags=placement.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _peer(self, own: network.VirtualNetwork, last: pulumi.Resource) -> None:
        """Our half of each peering, one after another; Azure connects them when the other half exists."""
        for network_id in self._args.network.peer_with:
            last = network.VirtualNetworkPeering(
                f"{self._name}-{self._args.placement.names.peering(network_id)}",
                virtual_network_peering_name=self._args.placement.names.peering(network_id),
                virtual_network_name=own.name,
                resource_group_name=self._args.placement.resource_group_name,
                remote_virtual_network=network.SubResourceArgs(id=network_id),
                allow_virtual_network_access=True,
                allow_forwarded_traffic=True,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[last]),
            )

    def _subnet(
        self,
        own: network.VirtualNetwork,
        purpose: str,
        prefix: str,
        rules: list[network.SecurityRuleArgs],
        *,
        after: pulumi.Resource | None,
        gateway: network.NatGateway | None = None,
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
            virtual_network_name=own.name,
            resource_group_name=self._args.placement.resource_group_name,
            address_prefix=prefix,
            # Azure gives subnets of earlier API versions a way out of their own; one is enough, and it has an owner.
            default_outbound_access=None if self._args.network.is_first_layout else False,
            nat_gateway=network.SubResourceArgs(id=gateway.id) if gateway else None,
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
            virtual_network=privatedns.SubResourceArgs(id=self.id),
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

"""The way into a private stack: a network, and private endpoints to workspace, storage, vault and registry.

Deployments do not pass through here; they use the private endpoints that the managed network makes for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_azure_native import network

from arm_id import ArmId
from components.given_identity import GivenIdentity
from components.identity import Identity
from components.monitor_scope import MonitorScope
from components.placement import AssociatedResources, GroupPlacement, Scope
from components.private_network import PrivateNetwork, PrivateNetworkArgs
from components.role_assignment import grants
from components.stack_outputs import NetworkOutputs
from network_plan import NetworkPlan
from private_zones import MONITOR, zones_of
from roles import Holder, Place, When

__all__ = ["PrivateAccess", "PrivateAccessArgs"]

READ_BY_WORKSPACE = {"blob": Place.BLOB_ENDPOINT, "file": Place.FILE_ENDPOINT}


@dataclass(frozen=True, kw_only=True)
class PrivateAccessArgs:
    """Inputs of a `PrivateAccess`."""

    placement: GroupPlacement
    """*Required.* Names, region and tags, and the group."""
    network: NetworkPlan
    """*Required.* Ranges, peerings, the way out, and whose DNS zones are used."""
    associated: AssociatedResources
    """*Required.* Storage, vault and registry of the workspace."""
    workspace_id: pulumi.Input[str]
    """*Required.* ARM id of the workspace."""
    workspace_identity: Identity | GivenIdentity
    """*Required.* What the workspace acts as."""
    monitor_scope: MonitorScope | None = None
    """*Optional.* A private link scope of Azure Monitor that the stack owns and that needs a private endpoint; none by
    default."""


class PrivateAccess(pulumi.ComponentResource):
    """A virtual network from which everything of the stack is reached; depend on it to wait for the last endpoint."""

    outputs: NetworkOutputs
    """The stack's outputs for the network."""

    def __init__(self, name: str, args: PrivateAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:PrivateAccess", name, {}, opts)
        self._name = name
        self._args = args
        self._zones = zones_of(args.network.cloud, args.network.group_ids)
        self._network = PrivateNetwork(
            name,
            PrivateNetworkArgs(
                placement=args.placement,
                network=args.network,
                zones=args.network.zones,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._latest: network.PrivateEndpoint | None = None
        self._records: dict[str, pulumi.Output[Any]] = {}
        for purpose, group_id in args.network.endpoint_purposes.items():
            endpoint = self._private_endpoint(purpose, _target(args, group_id), group_id)
            if place := READ_BY_WORKSPACE.get(group_id):
                scope = Scope(id=endpoint.id, name=args.placement.names.private_endpoint(purpose))
                for grant in grants(Holder.WORKSPACE, {place: scope}, When.PRIVATE):
                    args.workspace_identity.grant(grant, prefix=name, parent=self)
        self.outputs = {
            "id": self._network.id,
            "subnets": self._network.subnet_ids,
            "peerings": {one: self._network.id.apply(_other_half(one)) for one in args.network.peer_with},
            "records": self._records,
        }
        self.register_outputs({})

    def _private_endpoint(self, purpose: str, target_id: pulumi.Input[str], group_id: str) -> network.PrivateEndpoint:
        args = self._args
        endpoint_name = args.placement.names.private_endpoint(purpose)
        # Its records are those of what the scope leads to.
        scope = args.monitor_scope if group_id == MONITOR else None
        endpoint = network.PrivateEndpoint(
            f"{self._name}-{purpose}",
            private_endpoint_name=endpoint_name,
            resource_group_name=args.placement.resource_group_name,
            location=args.placement.location,
            subnet=network.SubnetArgs(id=self._network.subnet_ids["endpoints"]),
            private_link_service_connections=[
                network.PrivateLinkServiceConnectionArgs(
                    name=endpoint_name, private_link_service_id=target_id, group_ids=[group_id]
                )
            ],
            tags=args.placement.tags,
            # One after another: a storage account refuses a second private endpoint while it connects the first
            # (StorageAccountOperationInProgress, reported when the creation has run for a while).
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[one for one in (self._latest, scope) if one is not None],
                # Azure writes the names into it, and removes them when a zone group takes over.
                ignore_changes=["customDnsConfigs"],
            ),
        )
        self._latest = endpoint
        if self._network.zone_ids:
            self._write_records(purpose, endpoint, group_id)
        else:
            self._records[purpose] = endpoint.custom_dns_configs
        return endpoint

    def _write_records(self, purpose: str, endpoint: network.PrivateEndpoint, group_id: str) -> None:
        network.PrivateDnsZoneGroup(
            f"{self._name}-{purpose}-dns",
            private_dns_zone_group_name="default",
            private_endpoint_name=endpoint.name,
            resource_group_name=self._args.placement.resource_group_name,
            private_dns_zone_configs=[
                network.PrivateDnsZoneConfigArgs(
                    name=zone.replace(".", "-"), private_dns_zone_id=self._network.zone_ids[zone]
                )
                for zone in self._zones[group_id]
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )


def _target(args: PrivateAccessArgs, group_id: str) -> pulumi.Input[str]:
    """What the private endpoint with this group id leads to."""
    targets: dict[str, pulumi.Input[str]] = {
        "amlworkspace": args.workspace_id,
        "vault": args.associated.vault.id,
        "registry": args.associated.registry.id,
    }
    if args.monitor_scope is not None:
        targets[MONITOR] = args.monitor_scope.id
    return targets.get(group_id, args.associated.storage.id)


def _other_half(network_id: str) -> Callable[[str], str]:
    """The command by which the owner of the other network connects it with ours, whose ARM id the result takes."""
    other = ArmId.parse(network_id)

    def command(ours: str) -> str:
        return (
            f"az network vnet peering create --subscription {other.subscription_id} --resource-group "
            f"{other.resource_group} --vnet-name {other.name} --name {ours.rsplit('/', 1)[1]} --remote-vnet {ours} "
            "--allow-vnet-access"
        )

    return command

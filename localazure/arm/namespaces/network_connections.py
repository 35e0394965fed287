"""Microsoft.Network: what connects networks to others: peerings, NAT gateways and public addresses."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any, ClassVar

from localazure.arm.behaviour import Behaviour
from localazure.arm.namespaces.network_resource import NetworkResource
from localazure.arm.reply import Request
from localazure.errors import BadRequest
from localazure.resource import Resource
from localazure.store import Store

PEERINGS = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"
NAT_GATEWAYS = "Microsoft.Network/natGateways"
_SUBNETS = "Microsoft.Network/virtualNetworks/subnets"
PUBLIC_RANGE = ip_network("203.0.113.0/24")
"""Reserved for documentation (RFC 5737)."""


class Peerings(NetworkResource):
    """One half of a peering; it is connected when the other network has the other half. No packet passes."""

    patchable: ClassVar[frozenset[str]] = frozenset()
    honoured: ClassVar[Mapping[str, str]] = {"properties.remoteVirtualNetwork": "decides the state"}
    refused: ClassVar[Mapping[str, str]] = {
        "properties.remoteVirtualNetwork": "missing, names nothing that exists, or has an overlapping address space"
    }
    unkept: ClassVar[Mapping[str, str]] = {
        "properties.peeringState": "the service's own",
        "properties.peeringSyncLevel": "the service's own",
    }
    tracked = False

    def check(self, request: Request, existing: Resource | None) -> None:
        remote = request.sent_properties.get("remoteVirtualNetwork")
        if not isinstance(remote, dict) or not isinstance(remote.get("id"), str):
            raise BadRequest("InvalidRequestFormat", "properties.remoteVirtualNetwork of a peering must have an id.")
        self.require(remote, request)
        local, other = self._network(request.id.text), self.store.get(remote["id"])
        if local is None or other is None:
            return
        overlapping = [
            prefix
            for prefix, against in ((a, b) for a in _space(local) for b in _space(other))
            if ip_network(prefix).overlaps(ip_network(against))
        ]
        if overlapping:
            # Code and wording as users report them (`az network vnet peering create`).
            raise BadRequest(
                "VnetAddressSpacesOverlap",
                f"Cannot create or update peering {request.id.text}. Virtual networks {local.id} and {other.id} cannot "
                f"be peered because their address spaces overlap. Overlapping address prefixes: "
                f"{', '.join(overlapping)}",
            )

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        defaults = {
            "allowVirtualNetworkAccess": True,
            **dict.fromkeys(("allowForwardedTraffic", "allowGatewayTransit", "useRemoteGateways"), False),
        }
        return defaults | super().properties(request, existing)

    def read(self, resource: Resource, request: Request) -> dict[str, Any]:
        network_id = _parent(resource.id)
        other = str(resource.properties["remoteVirtualNetwork"]["id"])
        back = [
            half
            for half in self.store.children(other, PEERINGS)
            if str(half.properties["remoteVirtualNetwork"]["id"]).lower() == network_id.lower()
        ]
        state = {"peeringState": "Connected" if back else "Initiated", "peeringSyncLevel": "FullyInSync"}
        return resource.body | {"properties": resource.properties | state}

    def _network(self, peering_id: str) -> Resource | None:
        return self.store.get(_parent(peering_id))


class PublicAddresses(NetworkResource):
    """A public address; it answers nowhere."""

    honoured: ClassVar[Mapping[str, str]] = {
        "properties.publicIPAllocationMethod": "Static takes the lowest address of 203.0.113.0/24 that is free"
    }
    refused: ClassVar[Mapping[str, str]] = {"name": "a NAT gateway uses it, so it cannot be deleted"}

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        before = existing.properties if existing else {}
        properties = {
            "publicIPAllocationMethod": "Dynamic",
            "publicIPAddressVersion": "IPv4",
            "idleTimeoutInMinutes": 4,
        }
        properties |= super().properties(request, existing)
        if properties["publicIPAllocationMethod"] == "Static":
            properties["ipAddress"] = before.get("ipAddress") or self._free_address()
        return properties

    def _free_address(self) -> str:
        taken = {one.properties.get("ipAddress") for one in self.store.of_type(self.shape.arm)}
        free = next((str(one) for one in PUBLIC_RANGE.hosts() if str(one) not in taken), None)
        if free is None:
            # A known code; the limit is this local Azure's.
            raise BadRequest("PublicIPCountLimitReached", f"{PUBLIC_RANGE} has no address left for another one.")
        return free

    def check_delete(self, resource: Resource) -> None:
        _refuse_used(self.store, resource, NAT_GATEWAYS, "publicIpAddresses", "PublicIPAddressCannotBeDeleted")


class NatGateways(NetworkResource):
    """A NAT gateway; nothing passes through it."""

    refused: ClassVar[Mapping[str, str]] = {
        "properties.publicIpAddresses": "names nothing that exists",
        "name": "a subnet uses it, so it cannot be deleted",
    }

    def check(self, request: Request, existing: Resource | None) -> None:
        for address in request.sent_properties.get("publicIpAddresses") or []:
            self.require(address, request)

    def check_delete(self, resource: Resource) -> None:
        _refuse_used(self.store, resource, _SUBNETS, "natGateway", "InUseNatGatewayCannotBeDeleted")

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        return {"idleTimeoutInMinutes": 4} | super().properties(request, existing)

    def read(self, resource: Resource, request: Request) -> dict[str, Any]:
        users = [{"id": subnet.id} for subnet in _users(self.store, resource, _SUBNETS, "natGateway")]
        return resource.body | {"properties": resource.properties | ({"subnets": users} if users else {})}


def _parent(child_id: str) -> str:
    return child_id.rsplit("/", 2)[0]


def _space(network: Resource) -> list[str]:
    return [str(one) for one in network.properties["addressSpace"]["addressPrefixes"]]


def _users(store: Store, used: Resource, arm_type: str, field: str) -> list[Resource]:
    """The resources of a type whose field refers to `used`."""

    def refers(resource: Resource) -> bool:
        value = resource.properties.get(field) or []
        references = value if isinstance(value, list) else [value]
        return any(str(reference.get("id", "")).lower() == used.key for reference in references)

    return [resource for resource in store.of_type(arm_type) if refers(resource)]


def _refuse_used(store: Store, used: Resource, arm_type: str, field: str, code: str) -> None:
    """Raise while something refers to a resource that is to be deleted. The codes are known, the wording is ours."""
    for user in _users(store, used, arm_type, field):
        raise BadRequest(code, f"{used.id} cannot be deleted because it is in use by {user.id}.")


BEHAVIOURS: dict[str, type[Behaviour]] = {
    "Microsoft.Network/publicIPAddresses": PublicAddresses,
    NAT_GATEWAYS: NatGateways,
    PEERINGS: Peerings,
}

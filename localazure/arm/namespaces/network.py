"""Microsoft.Network: virtual networks, subnets, security groups, private DNS.

References are checked, and a resource in use cannot be deleted. No packet is filtered: one machine cannot demonstrate
isolation. Private endpoints are in `private_endpoints`, what connects networks is in `network_connections`.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from localazure.arm.behaviour import Behaviour
from localazure.arm.namespaces.network_connections import PEERINGS
from localazure.arm.namespaces.network_resource import NetworkResource, check_ranges, new_etag
from localazure.arm.namespaces.private_endpoints import addresses_in
from localazure.arm.reply import Request
from localazure.arm.resource_body import envelope
from localazure.errors import BadRequest
from localazure.resource import Resource
from localazure.store import Store

# Documented limits of Azure.
_ZONE_LIMITS = {
    "maxNumberOfRecordSets": 25000,
    "maxNumberOfVirtualNetworkLinks": 1000,
    "maxNumberOfVirtualNetworkLinksWithRegistration": 100,
}
SUBNETS = "Microsoft.Network/virtualNetworks/subnets"
_KEPT_TAG = re.compile(r"[A-Za-z0-9._-]+")


class VirtualNetworks(NetworkResource):
    """A virtual network; its subnets are resources of their own, also when they come inside its body."""

    honoured: ClassVar[Mapping[str, str]] = {
        "properties.subnets": "become resources of their own; present ones that the list leaves out are deleted",
    }
    unkept: ClassVar[Mapping[str, str]] = {"properties.virtualNetworkPeerings": "resources of their own"}
    refused: ClassVar[Mapping[str, str]] = {
        "properties.addressSpace.addressPrefixes": "missing or empty, or one is no range",
        "properties.subnets": "one has no name, or no range as addressPrefix; one that a private endpoint uses is left "
        "out or its range changed",
    }

    def check(self, request: Request, existing: Resource | None) -> None:
        space = (request.sent_properties.get("addressSpace") or {}).get("addressPrefixes")
        if not isinstance(space, list) or not space:
            raise BadRequest(
                "InvalidRequestFormat", "properties.addressSpace.addressPrefixes must name at least one range."
            )
        check_ranges(space, request.id.text)
        if any(not isinstance(subnet.get("name"), str) for subnet in request.sent_properties.get("subnets") or ()):
            raise BadRequest("InvalidRequestFormat", "Every subnet in properties.subnets must have a name.")
        for subnet in request.sent_properties.get("subnets") or ():
            _check_subnet_ranges(subnet.get("properties") or {}, f"subnet {subnet['name']}")
        if existing is not None and request.sent_properties.get("subnets") is not None:
            wanted = {str(subnet["name"]).lower(): subnet for subnet in request.sent_properties["subnets"]}
            for present in self.store.children(existing.id, SUBNETS):
                if present.name.lower() not in wanted:
                    _refuse_in_use(self.store, present)
                else:
                    _refuse_other_range(self.store, present, wanted[present.name.lower()].get("properties") or {})

    def check_delete(self, resource: Resource) -> None:
        for subnet in self.store.children(resource.id, SUBNETS):
            _refuse_in_use(self.store, subnet)

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        defaults = {"enableDdosProtection": False}
        properties = defaults | super().properties(request, existing)
        properties.pop("subnets", None)
        properties.pop("virtualNetworkPeerings", None)
        return properties

    def complete_body(self, resource: Resource, request: Request) -> None:
        super().complete_body(resource, request)
        subnets = request.sent_properties.get("subnets")
        if subnets is None:
            # Azure treats an omitted list as empty, so azure-native fills it in from a GET. It is kept here.
            return
        wanted = {str(subnet["name"]).lower(): subnet for subnet in subnets}
        for present in self.store.children(resource.id, SUBNETS):
            if present.name.lower() not in wanted:
                self.store.delete(present.id)
        for subnet in wanted.values():
            subnet_id = f"{resource.id}/subnets/{subnet['name']}"
            properties = copy.deepcopy(subnet.get("properties") or {}) | {"provisioningState": "Succeeded"}
            body = envelope(subnet_id, SUBNETS, etag=new_etag(), properties=properties)
            before = self.store.get(subnet_id)
            self.store.save(Resource(id=subnet_id, body=body, sequence=before.sequence if before else 0))

    def read(self, resource: Resource, request: Request) -> dict[str, Any]:
        subnets = [subnet.body for subnet in self.store.children(resource.id, SUBNETS)]
        peerings = [peering.body for peering in self.store.children(resource.id, PEERINGS)]
        shown = {"subnets": subnets, "virtualNetworkPeerings": peerings}
        return resource.body | {"properties": resource.properties | shown}


def _check_subnet_ranges(properties: Mapping[str, Any], owner: str) -> None:
    for field in ("addressPrefix", "addressPrefixes"):
        if properties.get(field):
            check_ranges(properties[field], owner)


class Subnets(NetworkResource):
    """A subnet."""

    patchable: ClassVar[frozenset[str]] = frozenset()

    refused: ClassVar[Mapping[str, str]] = {
        "properties.addressPrefixes": "one is no range",
        "properties.addressPrefix": "no range, or missing together with addressPrefixes; different from before while a "
        "private endpoint uses the subnet",
        "properties.networkSecurityGroup": "names nothing that exists",
        "properties.natGateway": "names nothing that exists",
    }

    tracked = False

    def check(self, request: Request, existing: Resource | None) -> None:
        sent = request.sent_properties
        if not sent.get("addressPrefix") and not sent.get("addressPrefixes"):
            raise BadRequest("InvalidRequestFormat", "properties.addressPrefix of a subnet is required.")
        _check_subnet_ranges(sent, request.id.text)
        self.require(sent.get("networkSecurityGroup"), request)
        self.require(sent.get("natGateway"), request)
        if existing is not None:
            _refuse_other_range(self.store, existing, sent)

    def check_delete(self, resource: Resource) -> None:
        _refuse_in_use(self.store, resource)


class SecurityGroups(NetworkResource):
    """A network security group; its rules get ids and are otherwise only stored."""

    honoured: ClassVar[Mapping[str, str]] = {"properties.securityRules": "get ids; they filter nothing"}

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        properties = {"securityRules": []} | super().properties(request, existing)
        for rule in properties["securityRules"]:
            rule["id"] = f"{request.id.text}/securityRules/{rule.get('name')}"
            rule.setdefault("properties", {})["provisioningState"] = "Succeeded"
        return properties

    def check_delete(self, resource: Resource) -> None:
        users = [
            subnet.id
            for subnet in self.store.of_type(SUBNETS)
            if str((subnet.properties.get("networkSecurityGroup") or {}).get("id", "")).lower() == resource.key
        ]
        if users:
            # As users reported it in 2016 and 2021; later messages add a link to documentation.
            raise BadRequest(
                "InUseNetworkSecurityGroupCannotBeDeleted",
                f"Network security group {resource.id} cannot be deleted because it is in use by the following "
                f"resources: {', '.join(users)}.",
            )


class DnsResource(NetworkResource):
    """Tags of private DNS: names with characters other than letters, digits, `.`, `-` and `_` are silently dropped."""

    is_global = True

    honoured: ClassVar[Mapping[str, str]] = {
        "tags": "those with a colon, a space or another special character in their names are silently dropped",
    }

    def tags(self, sent: Any) -> dict[str, Any]:
        """Reported for a colon (Azure/azure-rest-api-specs#11748) and for spaces (Azure/azure-resource-manager-schemas
        #3367), for zones and links; documented: no special characters at all."""
        return {name: value for name, value in super().tags(sent).items() if _KEPT_TAG.fullmatch(name)}


class PrivateZones(DnsResource):
    """A private DNS zone; it answers no queries."""

    conflict_code = Behaviour.conflict_code

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        properties = super().properties(request, existing)
        del properties["resourceGuid"]
        return properties | {"numberOfRecordSets": 1}

    def read(self, resource: Resource, request: Request) -> dict[str, Any]:
        links = self.store.children(resource.id, "Microsoft.Network/privateDnsZones/virtualNetworkLinks")
        registering = sum(bool(link.properties.get("registrationEnabled")) for link in links)
        counts = {
            "numberOfVirtualNetworkLinks": len(links),
            "numberOfVirtualNetworkLinksWithRegistration": registering,
        }
        return resource.body | {"properties": resource.properties | _ZONE_LIMITS | counts}


class VirtualNetworkLinks(DnsResource):
    """Makes a zone visible in a virtual network."""

    patchable: ClassVar[frozenset[str]] = frozenset({"tags", "properties"})

    refused: ClassVar[Mapping[str, str]] = {"properties.virtualNetwork": "names nothing that exists"}

    def check(self, request: Request, existing: Resource | None) -> None:
        self.require(request.sent_properties.get("virtualNetwork"), request)

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        properties = {"registrationEnabled": False} | super().properties(request, existing)
        del properties["resourceGuid"]
        return properties | {"virtualNetworkLinkState": "Completed"}


def _refuse_in_use(store: Store, subnet: Resource) -> None:
    """Raise when a private endpoint has an address in a subnet that is about to be deleted."""
    for address in addresses_in(store, subnet.id):
        # Verbatim, Azure/bicep#13267.
        raise BadRequest(
            "InUseSubnetCannotBeDeleted",
            f"Subnet {subnet.name} is in use by {address} and cannot be deleted. In order to delete the subnet, delete "
            "all the resources within the subnet. See aka.ms/deletesubnet.",
        )


def _refuse_other_range(store: Store, subnet: Resource, sent: Mapping[str, Any]) -> None:
    """Raise when the range of a subnet changes while a private endpoint has an address in it."""
    before, after = _ranges(subnet.properties), _ranges(sent)
    if gone := [one for one in before if one not in after]:
        for _ in addresses_in(store, subnet.id):
            # Verbatim, as two users of API Management report it.
            raise BadRequest(
                "InUsePrefixCannotBeDeleted",
                f"IpPrefix {gone[0]} on Subnet {subnet.name} has active allocations and cannot be deleted.",
            )


def _ranges(properties: Mapping[str, Any]) -> list[Any]:
    one = properties.get("addressPrefix")
    return list(properties.get("addressPrefixes") or ([one] if one else []))


BEHAVIOURS: dict[str, type[Behaviour]] = {
    "Microsoft.Network/virtualNetworks": VirtualNetworks,
    "Microsoft.Network/virtualNetworks/subnets": Subnets,
    "Microsoft.Network/networkSecurityGroups": SecurityGroups,
    "Microsoft.Network/privateDnsZones": PrivateZones,
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": VirtualNetworkLinks,
}

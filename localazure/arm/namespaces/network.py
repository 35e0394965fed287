"""Microsoft.Network: virtual networks, subnets, security groups, private endpoints, private DNS.

References are checked and private endpoints are approved at once. No packet is filtered: isolation cannot be shown on
one machine.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

from localazure.arm.behaviour import Behaviour
from localazure.arm.control_plane import new_guid
from localazure.arm.errors import BadRequest
from localazure.arm.patching import Patched
from localazure.arm.reply import Request
from localazure.arm.store import Resource

# Documented limits of Azure.
_ZONE_LIMITS = {
    "maxNumberOfRecordSets": 25000,
    "maxNumberOfVirtualNetworkLinks": 1000,
    "maxNumberOfVirtualNetworkLinksWithRegistration": 100,
}
SUBNETS = "Microsoft.Network/virtualNetworks/subnets"


class NetworkResource(Patched):
    """Common part: a resource GUID, an etag, references that must exist, and a PATCH of tags."""

    conflict_code = "AnotherOperationInProgress"  # the network service's own; azure-native waits and tries again

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        before = existing.properties if existing else {}
        return super().properties(request, existing) | {"resourceGuid": before.get("resourceGuid") or new_guid()}

    def complete_body(self, resource: Resource, request: Request) -> None:
        resource.body["etag"] = _new_etag()

    def require(self, referenced: Any, request: Request) -> None:
        """Raise when `referenced`, an object with an `id`, names a resource that does not exist."""
        target = referenced.get("id") if isinstance(referenced, dict) else None
        if isinstance(target, str) and self.store.get(target) is None:
            # Known code; the wording is from memory of ARM.
            raise BadRequest(
                "InvalidResourceReference",
                f"Resource {target} referenced by resource {request.id.text} was not found. Please make sure that the "
                "referenced resource exists, and that both resources are in the same region.",
            )


class VirtualNetworks(NetworkResource):
    """A virtual network; its subnets are resources of their own, also when they come inside its body."""

    honoured: ClassVar[Mapping[str, str]] = {
        "properties.subnets": "become resources of their own; present ones that the list leaves out are deleted",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "properties.addressSpace.addressPrefixes": "missing or empty",
        "properties.subnets": "one without a name",
    }

    def check(self, request: Request, existing: Resource | None) -> None:
        space = (request.sent_properties.get("addressSpace") or {}).get("addressPrefixes")
        if not isinstance(space, list) or not space:
            raise BadRequest(
                "InvalidRequestFormat", "properties.addressSpace.addressPrefixes must name at least one range."
            )
        if any(not isinstance(subnet.get("name"), str) for subnet in request.sent_properties.get("subnets") or ()):
            raise BadRequest("InvalidRequestFormat", "Every subnet in properties.subnets must have a name.")

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        defaults = {"enableDdosProtection": False, "virtualNetworkPeerings": []}
        properties = defaults | super().properties(request, existing)
        properties.pop("subnets", None)
        return properties

    def complete_body(self, resource: Resource, request: Request) -> None:
        super().complete_body(resource, request)
        subnets = request.sent_properties.get("subnets")
        if subnets is None:
            # Azure takes an omitted list for an empty one, azure-native therefore fills it in from a GET. Kept here.
            return
        wanted = {str(subnet["name"]).lower(): subnet for subnet in subnets}
        for present in self.store.children(resource.id, SUBNETS):
            if present.name.lower() not in wanted:
                self.store.delete(present.id)
        for subnet in wanted.values():
            subnet_id = f"{resource.id}/subnets/{subnet['name']}"
            properties = copy.deepcopy(subnet.get("properties") or {}) | {"provisioningState": "Succeeded"}
            body = {"id": subnet_id, "name": subnet["name"], "type": SUBNETS, "etag": _new_etag()}
            body["properties"] = properties
            before = self.store.get(subnet_id)
            self.store.save(Resource(id=subnet_id, body=body, sequence=before.sequence if before else 0))

    def read(self, resource: Resource, request: Request) -> dict[str, Any]:
        subnets = [subnet.body for subnet in self.store.children(resource.id, SUBNETS)]
        return resource.body | {"properties": resource.properties | {"subnets": subnets}}


class Subnets(NetworkResource):
    """A subnet."""

    patchable: ClassVar[frozenset[str]] = frozenset()

    refused: ClassVar[Mapping[str, str]] = {
        "properties.addressPrefix": "missing, with addressPrefixes missing as well",
        "properties.networkSecurityGroup": "names nothing that exists",
    }

    tracked = False

    def check(self, request: Request, existing: Resource | None) -> None:
        sent = request.sent_properties
        if not sent.get("addressPrefix") and not sent.get("addressPrefixes"):
            raise BadRequest("InvalidRequestFormat", "properties.addressPrefix of a subnet is required.")
        self.require(sent.get("networkSecurityGroup"), request)


class SecurityGroups(NetworkResource):
    """A network security group; its rules get ids and are otherwise only stored."""

    honoured: ClassVar[Mapping[str, str]] = {"properties.securityRules": "get ids; they filter nothing"}

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        properties = {"securityRules": []} | super().properties(request, existing)
        for rule in properties["securityRules"]:
            rule["id"] = f"{request.id.text}/securityRules/{rule.get('name')}"
            rule.setdefault("properties", {})["provisioningState"] = "Succeeded"
        return properties


class PrivateEndpoints(NetworkResource):
    """A private endpoint; its connections are approved at once."""

    patchable: ClassVar[frozenset[str]] = frozenset()

    honoured: ClassVar[Mapping[str, str]] = {
        "properties.privateLinkServiceConnections": "are approved at once",
        "properties.manualPrivateLinkServiceConnections": "are approved at once, too",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "properties.subnet": "missing, or names nothing that exists",
        "properties.privateLinkServiceConnections": "name nothing that exists",
    }

    def check(self, request: Request, existing: Resource | None) -> None:
        sent = request.sent_properties
        if not isinstance(sent.get("subnet"), dict):
            raise BadRequest("InvalidRequestFormat", "properties.subnet of a private endpoint is required.")
        self.require(sent["subnet"], request)
        for connection in sent.get("privateLinkServiceConnections") or []:
            target = (connection.get("properties") or {}).get("privateLinkServiceId")
            self.require({"id": target}, request)

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        properties = {"customDnsConfigs": [], "ipConfigurations": []} | super().properties(request, existing)
        for kind in ("privateLinkServiceConnections", "manualPrivateLinkServiceConnections"):
            for connection in properties.get(kind) or []:
                connection["id"] = f"{request.id.text}/{kind}/{connection.get('name')}"
                state = {"status": "Approved", "description": "", "actionsRequired": "None"}
                shown = connection.setdefault("properties", {})
                shown |= {"provisioningState": "Succeeded", "privateLinkServiceConnectionState": state}
        before = existing.properties if existing else {}
        interface = (
            f"{request.id.parent}/providers/Microsoft.Network/networkInterfaces/{request.id.name}.nic.{new_guid()}"
        )
        properties["networkInterfaces"] = before.get("networkInterfaces") or [{"id": interface}]
        return properties


class DnsZoneGroups(NetworkResource):
    """Which private DNS zones hold the records of a private endpoint."""

    patchable: ClassVar[frozenset[str]] = frozenset()

    refused: ClassVar[Mapping[str, str]] = {
        "properties.privateDnsZoneConfigs": "a zone that does not exist",
    }

    tracked = False

    def check(self, request: Request, existing: Resource | None) -> None:
        for entry in request.sent_properties.get("privateDnsZoneConfigs") or []:
            zone = (entry.get("properties") or {}).get("privateDnsZoneId")
            self.require({"id": zone}, request)

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        properties = super().properties(request, existing)
        del properties["resourceGuid"]
        for entry in properties.get("privateDnsZoneConfigs") or []:
            entry.setdefault("properties", {}).setdefault("recordSets", [])
        return properties


class PrivateZones(NetworkResource):
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


class VirtualNetworkLinks(NetworkResource):
    """Makes a zone visible in a virtual network."""

    patchable: ClassVar[frozenset[str]] = frozenset({"tags", "properties"})

    refused: ClassVar[Mapping[str, str]] = {"properties.virtualNetwork": "names nothing that exists"}

    def check(self, request: Request, existing: Resource | None) -> None:
        self.require(request.sent_properties.get("virtualNetwork"), request)

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        properties = {"registrationEnabled": False} | super().properties(request, existing)
        del properties["resourceGuid"]
        return properties | {"virtualNetworkLinkState": "Completed"}


def _new_etag() -> str:
    return f'W/"{new_guid()}"'


BEHAVIOURS: dict[str, type[Behaviour]] = {
    "Microsoft.Network/virtualNetworks": VirtualNetworks,
    "Microsoft.Network/virtualNetworks/subnets": Subnets,
    "Microsoft.Network/networkSecurityGroups": SecurityGroups,
    "Microsoft.Network/privateEndpoints": PrivateEndpoints,
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": DnsZoneGroups,
    "Microsoft.Network/privateDnsZones": PrivateZones,
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": VirtualNetworkLinks,
}

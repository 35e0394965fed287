"""Microsoft.Network: private endpoints and their DNS zone groups. Connections are approved at once."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from localazure.arm.behaviour import Behaviour
from localazure.arm.control_plane import new_guid
from localazure.arm.namespaces.monitor_scopes import SCOPES, linked_in
from localazure.arm.namespaces.network_resource import NetworkResource
from localazure.arm.namespaces.private_endpoint_names import dns_configs, names_of
from localazure.arm.operations import Commit, Operation
from localazure.arm.reply import Request
from localazure.errors import BadRequest, OperationFailed
from localazure.resource import Resource
from localazure.resource_id import ResourceId
from localazure.store import Store

PRIVATE_ENDPOINTS = "Microsoft.Network/privateEndpoints"
ZONE_GROUPS = f"{PRIVATE_ENDPOINTS}/privateDnsZoneGroups"
EXCLUSIVE_SECONDS = 0.5
"""The minimum time for which an operation holds a storage account. In Azure it is about half a minute; here it is just
long enough for operations that a client starts together to overlap."""
_ENDPOINTS_OF_A_SCOPE = 10
_CONNECTIONS = ("privateLinkServiceConnections", "manualPrivateLinkServiceConnections")


class PrivateEndpoints(NetworkResource):
    """A private endpoint; its connections are approved at once, one at a time per storage account."""

    patchable: ClassVar[frozenset[str]] = frozenset()

    honoured: ClassVar[Mapping[str, str]] = {
        "properties.privateLinkServiceConnections": "are approved at once",
        "properties.manualPrivateLinkServiceConnections": "are approved at once, too",
        "properties.customDnsConfigs": "unless sent, the names of the target with addresses of the subnet; not shown "
        "while a zone group writes them",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "properties.subnet": "missing, names nothing that exists, has no address left, or differs from before",
        "properties.privateLinkServiceConnections": "names nothing that exists, or differs from before; while another "
        "private endpoint of the same storage account is created or deleted, the operation fails in the poll; leads to "
        "a second private link scope of Azure Monitor in one network, or is the eleventh of a scope",
    }

    def check(self, request: Request, existing: Resource | None) -> None:
        sent = request.sent_properties
        subnet = sent.get("subnet")
        if not isinstance(subnet, dict) or not isinstance(subnet.get("id"), str):
            raise BadRequest("InvalidRequestFormat", "properties.subnet of a private endpoint must have an id.")
        self.require(subnet, request)
        for connection in sent.get("privateLinkServiceConnections") or []:
            self.require({"id": _target_of(connection)}, request)
            self._check_scope(request, _target_of(connection))
        if existing is not None:
            self._check_fixed(request, existing)

    def _check_scope(self, request: Request, target: Any) -> None:
        """The limits of private link scopes are documented ("private-link-design"); codes and wording are ours."""
        if ResourceId(str(target)).type != SCOPES.lower():
            return
        others = [one for one in self.store.of_type(PRIVATE_ENDPOINTS) if one.key != request.id.key]
        scopes = [(one, _target_of(two)) for one in others for kind in _CONNECTIONS for two in _sent(one, kind)]
        same = [one for one, other in scopes if str(other).lower() == str(target).lower()]
        if len(same) >= _ENDPOINTS_OF_A_SCOPE:
            raise BadRequest("BadRequest", f"{target} has {len(same)} private endpoints, and more are not possible.")
        network = _network_of(request.sent_properties)
        for one, other in scopes:
            if (
                ResourceId(str(other)).type == SCOPES.lower()
                and one not in same
                and _network_of(one.properties) == network
            ):
                raise BadRequest(
                    "BadRequest",
                    f"The network of {one.id} is connected with {other} already, and one scope is possible.",
                )

    def _check_fixed(self, request: Request, existing: Resource) -> None:
        """Codes and wording as in Microsoft's documentation (PostgreSQL, how-to-networking-servers-deployed-public-
        access-add-private-endpoint), including the full stop inside the quotation marks."""
        current, wanted = (one["subnet"]["id"] for one in (existing.properties, request.sent_properties))
        if str(wanted).lower() != str(current).lower():
            raise BadRequest(
                "CannotChangeSubnetOnExistingPrivateEndpoint",
                f"Cannot change the subnet in which the network interface for private endpoint {existing.id} is "
                f"created. Current subnet: '{current}.' Requested subnet: '{wanted}.'",
            )
        for connection in existing.properties.get("privateLinkServiceConnections") or []:
            sent = request.sent_properties.get("privateLinkServiceConnections") or []
            if _what_is_fixed(connection) not in [_what_is_fixed(one) for one in sent]:
                raise BadRequest(
                    "CannotChangePrivateLinkConnectionOnPrivateEndpoint",
                    f"Cannot change the private link connection on private endpoint {existing.id}. Please ensure you "
                    f"are not updating the details of existing private link connection: '{connection['id']}'. That is "
                    "not allowed.",
                )

    def put_payload(self, request: Request, resource: Resource) -> dict[str, Any]:
        return self._share_account(resource)

    def deletion_payload(self, request: Request) -> dict[str, Any]:
        endpoint = self.store.get(request.id.text)
        return self._share_account(endpoint) if endpoint else {}

    def _share_account(self, endpoint: Resource) -> dict[str, Any]:
        """The storage accounts that an operation holds, and whether another operation already holds one of them."""
        accounts = sorted(_storage_accounts(endpoint))
        others = [one for one in self.store.running_operations() if one["kind"].startswith(f"{self.shape.arm}.")]
        taken = {account for one in others for account in one["payload"].get("accounts", ())}
        return {"accounts": accounts, "overlaps": bool(taken & set(accounts))} if accounts else {}

    async def finish_put(self, operation: Operation) -> Commit | None:
        await self._use_account(operation)
        return await super().finish_put(operation)

    async def finish_delete(self, operation: Operation) -> Commit | None:
        await self._use_account(operation)
        return await super().finish_delete(operation)

    async def _use_account(self, operation: Operation) -> None:
        """A storage account takes part in one operation at a time; the second one fails (recorded in
        Azure/bicep-registry-modules#6001: code, wording, and that the endpoint ends in the state Failed)."""
        if operation.payload.get("overlaps"):
            failure = OperationFailed(
                "StorageAccountOperationInProgress",
                "Call to Microsoft.Storage/storageAccounts failed. Error message: An operation is currently performing "
                "on this storage account that requires exclusive access.",
            )
            failure.commit = lambda: self._mark_failed(operation.target)
            raise failure
        if operation.payload.get("accounts"):
            left = operation.started + EXCLUSIVE_SECONDS - self.plane.clock()
            await asyncio.sleep(min(max(left, 0), EXCLUSIVE_SECONDS))

    def _mark_failed(self, target: str) -> None:
        endpoint = self.store.get(target)
        if endpoint is not None:
            endpoint.properties["provisioningState"] = "Failed"
            self.store.save(endpoint)

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        properties = {"ipConfigurations": []} | super().properties(request, existing)
        for kind in _CONNECTIONS:
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
        known = properties.get("customDnsConfigs") or before.get("customDnsConfigs")
        properties["customDnsConfigs"] = known or self._dns_configs(properties)
        return properties

    def _dns_configs(self, properties: Mapping[str, Any]) -> list[dict[str, Any]]:
        subnet = self.store.get(properties["subnet"]["id"])
        assert subnet is not None, "check() has found it"
        names = []
        for connection in (one for kind in _CONNECTIONS for one in properties.get(kind) or ()):
            if target := self.store.get(str(_target_of(connection))):
                names += [
                    one
                    for group in connection["properties"].get("groupIds") or ()
                    for one in names_of(target, group, linked=linked_in(self.store, target.id))
                ]
        return dns_configs(names, subnet, _taken(self.store, subnet))

    def read(self, resource: Resource, request: Request) -> dict[str, Any]:
        """Without the names while a zone group writes them (remembered of Azure, not verified)."""
        if not self.store.children(resource.id, ZONE_GROUPS):
            return resource.body
        return resource.body | {"properties": resource.properties | {"customDnsConfigs": []}}


class DnsZoneGroups(NetworkResource):
    """The private DNS zones that contain the records of a private endpoint."""

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


def _sent(endpoint: Resource, kind: str) -> list[dict[str, Any]]:
    return endpoint.properties.get(kind) or []


def _network_of(properties: Mapping[str, Any]) -> str:
    """Key of the network that an endpoint has its address in."""
    return ResourceId(str(properties["subnet"]["id"])).parent.lower()


def _target_of(connection: Mapping[str, Any]) -> Any:
    return (connection.get("properties") or {}).get("privateLinkServiceId")


def _what_is_fixed(connection: Mapping[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    groups = (connection.get("properties") or {}).get("groupIds") or ()
    return str(connection.get("name")), str(_target_of(connection)).lower(), tuple(map(str, groups))


def _storage_accounts(endpoint: Resource) -> set[str]:
    """Keys of the storage accounts that an endpoint leads to."""
    connections = (one for kind in _CONNECTIONS for one in endpoint.properties.get(kind) or ())
    targets = {str(_target_of(connection)).lower() for connection in connections}
    return {target for target in targets if ResourceId(target).type == "microsoft.storage/storageaccounts"}


def _in_subnet(store: Store, subnet_id: str) -> Iterator[Resource]:
    for endpoint in store.of_type(PRIVATE_ENDPOINTS):
        if str((endpoint.properties.get("subnet") or {}).get("id", "")).lower() == subnet_id.lower():
            yield endpoint


def _taken(store: Store, subnet: Resource) -> set[str]:
    """Addresses of a subnet that its private endpoints have."""
    configs = (
        one for endpoint in _in_subnet(store, subnet.id) for one in endpoint.properties["customDnsConfigs"] or ()
    )
    return {address for config in configs for address in config.get("ipAddresses") or ()}


def addresses_in(store: Store, subnet_id: str) -> Iterator[str]:
    """Ids of the addresses that private endpoints have in a subnet."""
    for endpoint in _in_subnet(store, subnet_id):
        for interface in endpoint.properties.get("networkInterfaces") or ():
            guid = uuid.uuid5(uuid.NAMESPACE_URL, interface["id"])
            yield f"{interface['id']}/ipConfigurations/privateEndpointIpConfig.{guid}"


BEHAVIOURS: dict[str, type[Behaviour]] = {
    PRIVATE_ENDPOINTS: PrivateEndpoints,
    ZONE_GROUPS: DnsZoneGroups,
}

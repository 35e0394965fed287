"""The models of `sluice:network`: `public`, `private`, or a mapping with the mode and how the network is laid out.

Rules about the keys alone are here. What depends on whether the stack exists (it keeps the network that it was created
with) is in `network_plan.py`. Imports no Pulumi.
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Network, ip_network
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from config_values import Key, Section

HOST_PATTERN = r"^(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}$"
"""A host name, or `*.` and one: what Azure ML takes for a rule of type FQDN (documented)."""

PORTS_PATTERN = r"^(\*|[0-9]{1,5}(-[0-9]{1,5})?(, ?[0-9]{1,5}(-[0-9]{1,5})?)*)$"
"""Ports and ranges, separated by commas, or `*`."""

MAX_PORT = 65535

RESOURCE_ID_PATTERN = r"^/subscriptions/[^/]+/resource[Gg]roups/[^/]+/providers/[^/]+(/[^/]+/[^/]+)+$"
"""The ARM id of a resource in a group."""

VNET_ID_PATTERN = (
    r"^/subscriptions/[^/]+/resource[Gg]roups/[^/]+/providers/[Mm]icrosoft\.[Nn]etwork/virtualNetworks/[^/]+$"
)
"""The ARM id of a virtual network."""

ZONE_ID_PATTERN = (
    r"^/subscriptions/[^/]+/resource[Gg]roups/[^/]+/providers/[Mm]icrosoft\.[Nn]etwork/private[Dd]ns[Zz]ones/[^/]+$"
)
"""The ARM id of a private DNS zone."""

MONITOR_SCOPE_PATTERN = (
    r"^(none|own|/subscriptions/[^/]+/resource[Gg]roups/[^/]+/providers/[Mm]icrosoft\.[Ii]nsights/"
    r"private[Ll]ink[Ss]copes/[^/]+)$"
)
"""none, own, or the ARM id of a private link scope of Azure Monitor."""


class Network(StrEnum):
    """Who can reach the platform."""

    PUBLIC = "public"
    PRIVATE = "private"


class Isolation(StrEnum):
    """What deployments of a private stack may reach: the internet, or only what is approved."""

    INTERNET = "internet"
    APPROVED = "approved"


def _is_range(value: str) -> str:
    try:
        network = ip_network(value)
    except ValueError as error:
        raise PydanticCustomError(
            "range", "must be an IPv4 range with its first address, such as 10.90.0.0/22, got {value}", {"value": value}
        ) from error
    if not isinstance(network, IPv4Network) or not 8 <= network.prefixlen <= 29:
        raise PydanticCustomError(
            "range_size", "must be an IPv4 range between /8 and /29, which Azure allows, got {value}", {"value": value}
        )
    return value


def _is_prefix(value: str) -> str:
    try:
        ip_network(value)
    except ValueError as error:
        raise PydanticCustomError(
            "prefix",
            "must be a range of addresses with its first address, such as 203.0.113.0/24, got {value}",
            {"value": value},
        ) from error
    return value


def _are_ports(value: str) -> str:
    for part in () if value == "*" else value.split(","):
        first, _, last = part.strip().partition("-")
        if not 0 <= int(first) <= int(last or first) <= MAX_PORT:
            raise PydanticCustomError(
                "ports", "must be ports from 0 to 65535 and ranges that rise, got {part}", {"part": part.strip()}
            )
    return value


Range = Annotated[str, AfterValidator(_is_range)]
Prefix = Annotated[str, AfterValidator(_is_prefix)]
ResourceId = Annotated[str, StringConstraints(pattern=RESOURCE_ID_PATTERN)]
NetworkId = Annotated[str, StringConstraints(pattern=VNET_ID_PATTERN)]
ZoneId = Annotated[str, StringConstraints(pattern=ZONE_ID_PATTERN)]
MonitorScope = Annotated[str, StringConstraints(pattern=MONITOR_SCOPE_PATTERN)]
ZoneName = Annotated[str, StringConstraints(pattern=r"^privatelink\.[a-z0-9.-]+$")]


LISTED = Field(strict=False)
"""A list is a tuple here: behind `_from_mode` pydantic no longer sees JSON, whose lists are tuples to strict models."""


class OutboundRule(Section):
    """One thing that deployments may reach; exactly one of `fqdn`, `service_tag` and `resource`."""

    fqdn: Annotated[str, StringConstraints(pattern=HOST_PATTERN)] | None = None
    """Host name, on ports 80 and 443. It needs a firewall, which Azure creates and bills."""
    service_tag: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9.]*$")] | None = None
    """Service tag of Azure, such as `AzureFrontDoor.FirstParty`."""
    protocol: Literal["TCP", "UDP", "ICMP", "*"] = "TCP"
    """Of a service tag."""
    ports: Annotated[str, StringConstraints(pattern=PORTS_PATTERN), AfterValidator(_are_ports)] = "443"
    """Of a service tag: ports and ranges, separated by commas, or `*`."""
    action: Literal["Allow", "Deny"] = "Allow"
    """Of a service tag."""
    address_prefixes: Annotated[tuple[Prefix, ...], LISTED] = ()
    """Of a service tag: ranges in its place."""
    resource: ResourceId | None = None
    """ARM id of what is reached through a private endpoint."""
    subresource: Annotated[str, StringConstraints(min_length=1)] | None = None
    """Of a resource: the group id of the private endpoint, such as `blob`."""
    spark: bool = False
    """Of a resource: whether Spark jobs may reach it, too."""

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        kinds = [name for name in ("fqdn", "service_tag", "resource") if getattr(self, name) is not None]
        if len(kinds) != 1:
            raise PydanticCustomError(
                "rule_kind",
                "must have exactly one of fqdn, service_tag and resource, got {kinds}",
                {"kinds": " and ".join(kinds) or "none of them"},
            )
        own = {"service_tag": {"protocol", "ports", "action", "address_prefixes"}, "resource": {"subresource", "spark"}}
        foreign = sorted(self.model_fields_set - {kinds[0]} - own.get(kinds[0], set()))
        if foreign:
            raise PydanticCustomError(
                "rule_keys",
                "must not have {keys} in a rule with {kind}",
                {"keys": ", ".join(foreign), "kind": kinds[0]},
            )
        if kinds[0] == "resource" and self.subresource is None:
            raise PydanticCustomError("rule_subresource", "needs subresource, such as blob, in a rule with resource")
        return self


class NetworkSettings(Section):
    """Who can reach the platform, and in a private stack what its network looks like."""

    mode: Network
    """public: reachable from the internet with authentication; private: from its virtual network only."""
    address_space: Range | None = None
    """Range of the virtual network; peered networks have different ones. A new private stack needs it."""
    endpoint_prefix: Range | None = None
    """Range of the subnet for private endpoints. Default: the first quarter of the address space."""
    runner_prefix: Range | None = None
    """Range of the subnet for what publishes and scores from inside. Default: the second quarter."""
    nat: bool = False
    """Give the runners' subnet a NAT gateway, which is billed: without one it has no way out."""
    peer_with: Annotated[tuple[NetworkId, ...], LISTED] = ()
    """ARM ids of virtual networks to peer with. Their owners make the other half of each peering."""
    dns: Literal["own", "none"] | dict[ZoneName, ZoneId] = "own"
    """own: zones of this stack; none: somebody else makes the records; or zones by name with their ARM ids."""
    monitor_scope: MonitorScope = "none"
    """own: reach Log Analytics and Application Insights through a private endpoint, too; or the ARM id of a scope that
    somebody else connects; none: over their public addresses."""
    isolation: Isolation | None = None
    """What deployments may reach. Default: `approved`; a stack that exists keeps what it has."""
    firewall_sku: Literal["Basic", "Standard"] | None = None
    """Size of the firewall that rules with host names need. Default: Azure's, which is Standard."""
    outbound: dict[Key, OutboundRule] = Field(default_factory=dict)
    """What deployments may reach beside what Azure ML itself needs, by a name of your choice."""

    @field_validator("peer_with")
    @classmethod
    def _differ(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len({one.lower() for one in value}) < len(value):
            raise PydanticCustomError("peer_twice", "must name each network once")
        return value

    @field_validator("dns", mode="before")
    @classmethod
    def _is_a_word_or_zones(cls, value: Any) -> Any:
        if value not in ("own", "none") and not isinstance(value, dict):
            raise PydanticCustomError(
                "dns", "must be own, none, or ARM ids by the name of their zone, got {value}", {"value": repr(value)}
            )
        return value

    @field_validator("dns")
    @classmethod
    def _ids_are_of_these_zones(cls, value: Any) -> Any:
        for name, zone_id in value.items() if isinstance(value, dict) else ():
            if zone_id.rsplit("/", 1)[1].lower() != name.lower():
                raise PydanticCustomError(
                    "zone_id",
                    "must have ids that end in the zone's name, got {id} for {name}",
                    {"id": zone_id, "name": name},
                )
        return value

    @model_validator(mode="after")
    def _is_private(self, info: ValidationInfo) -> Self:
        if self.mode is Network.PUBLIC and (extra := sorted(self.model_fields_set - {"mode"})):
            raise PydanticCustomError(
                "public_network",
                "must not have {keys} with mode: public, which has no network",
                {"keys": ", ".join(extra)},
            )
        return self


def _from_mode(value: Any) -> Any:
    """`private` in the stack file is short for `{mode: private}`."""
    if isinstance(value, str):
        if value not in set(Network):
            raise PydanticCustomError("network_mode", 'must be public or private, got "{value}"', {"value": value})
        return {"mode": value}
    return value


NetworkKey = Annotated[NetworkSettings, BeforeValidator(_from_mode)]
"""The value of `sluice:network`."""

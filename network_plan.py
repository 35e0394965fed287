"""The network of a stack as this update declares it: the stack file's keys, and what the stack was created with.

Pure. A stack that exists keeps its address space, its isolation and the layout of its subnets; a new one must name its
address space and gets today's layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from network_config import Isolation, Network, NetworkSettings, OutboundRule
from problem import Problem

__all__ = [
    "ADDRESS_SPACE",
    "ENDPOINT_PREFIX",
    "FIRST_PLAN",
    "ISOLATION",
    "LAYOUT",
    "MODES",
    "NetworkPlan",
    "network_problems",
    "plan_network",
]

FIRST_ADDRESS_SPACE = "10.90.0.0/22"
"""Of every private stack of earlier versions, which could not choose."""
MODES = {Isolation.INTERNET: "AllowInternetOutbound", Isolation.APPROVED: "AllowOnlyApprovedOutbound"}
"""What Azure calls them."""
ADDRESS_SPACE = "sluice:address-space"
ISOLATION = "sluice:isolation"
LAYOUT = "sluice:network-layout"
ENDPOINT_PREFIX = "sluice:endpoint-prefix"
"""Tags of the stack's identity. The last two are missing in stacks of earlier versions."""
SMALLEST_ENDPOINT_SUBNET = 28
"""Private endpoints take 8 addresses (3 workspace, 2 registry, 1 each vault, blob and file: documented), and 2 more in
the first layout; Azure keeps 5 addresses of every subnet."""
TODAY = "2"
"""The layout of a new stack: subnets have no way out of their own, and storage has only the endpoints that are used."""


@dataclass(frozen=True, kw_only=True)
class NetworkPlan:
    """The network of one stack. Ranges are strings such as `10.90.0.0/24`."""

    is_public: bool = False
    address_space: str = ""
    endpoint_prefix: str = ""
    runner_prefix: str = ""
    isolation: Isolation = Isolation.APPROVED
    layout: str = TODAY
    nat: bool = False
    peer_with: tuple[str, ...] = ()
    zone_ids: Mapping[str, str] | None = None
    """Zones of somebody else by name; None: the stack has its own."""
    has_records: bool = True
    """The private endpoints write their addresses into zones."""
    firewall_sku: str | None = None
    outbound: Mapping[str, OutboundRule] = field(default_factory=dict)

    @property
    def is_first_layout(self) -> bool:
        """An earlier version created it: subnets with a way out of their own, and endpoints for queues and tables."""
        return self.layout != TODAY

    @property
    def storage_groups(self) -> tuple[str, ...]:
        """Group ids of the storage account's private endpoints."""
        return ("blob", "file", "queue", "table") if self.is_first_layout else ("blob", "file")


FIRST_PLAN = NetworkPlan(
    address_space=FIRST_ADDRESS_SPACE,
    endpoint_prefix="10.90.0.0/24",
    runner_prefix="10.90.1.0/24",
    isolation=Isolation.INTERNET,
    layout="1",
)
"""What earlier versions made of `sluice:network: private`."""


def plan_network(settings: NetworkSettings, before: Mapping[str, str] | None) -> NetworkPlan:
    """The plan; `before` are the facts of the stack that exists, None for one that is new.

    Without an address space, the plan of a new stack has an empty one, which `network_problems` refuses.
    """
    if settings.mode is Network.PUBLIC:
        return NetworkPlan(is_public=True)
    known = before or {}
    layout = known.get(LAYOUT, "1") if before is not None else TODAY
    kept = next((mode for mode, name in MODES.items() if name == known.get(ISOLATION)), None)
    space = settings.address_space or known.get(ADDRESS_SPACE, "")
    quarters = _quarters(space)
    return NetworkPlan(
        address_space=space,
        endpoint_prefix=settings.endpoint_prefix or known.get(ENDPOINT_PREFIX) or quarters[0],
        runner_prefix=settings.runner_prefix or quarters[1],
        isolation=settings.isolation or kept or Isolation.APPROVED,
        layout=layout,
        nat=settings.nat,
        peer_with=settings.peer_with,
        zone_ids=settings.dns if isinstance(settings.dns, dict) else None,
        has_records=settings.dns != "none",
        firewall_sku=settings.firewall_sku,
        outbound=settings.outbound,
    )


def network_problems(plan: NetworkPlan, zones: frozenset[str], *, stack: str) -> Iterator[Problem]:
    """Everything that is wrong with a plan; `zones` are the names of the DNS zones that it needs in its cloud."""
    if plan.is_public:
        return
    file = f"Pulumi.{stack}.yaml"
    if not plan.address_space:
        yield Problem(
            "sluice:network",
            "needs an address_space for a new private stack: two networks with one range can never be peered",
            f"Ask your network team for a range, and write into {file}:  sluice:network: {{mode: private, "
            f"address_space: {FIRST_ADDRESS_SPACE}}}",
        )
    else:
        yield from _range_problems(plan, file)
    yield from _rule_problems(plan, file)
    yield from _zone_problems(plan, zones, file)


def _quarters(space: str) -> tuple[str, str]:
    if not space or IPv4Network(space).prefixlen > SMALLEST_ENDPOINT_SUBNET - 2:
        return "", ""
    first, second, *_ = IPv4Network(space).subnets(prefixlen_diff=2)
    return str(first), str(second)


def _range_problems(plan: NetworkPlan, file: str) -> Iterator[Problem]:
    space = IPv4Network(plan.address_space)
    if space.prefixlen >= SMALLEST_ENDPOINT_SUBNET:
        yield Problem(
            "sluice:network.address_space",
            f"must be a /{SMALLEST_ENDPOINT_SUBNET - 1} or larger, got {space}: the private endpoints alone take a "
            f"/{SMALLEST_ENDPOINT_SUBNET}",
            f"Set a larger range in {file}; one of /{SMALLEST_ENDPOINT_SUBNET - 2} or larger needs neither "
            "endpoint_prefix nor runner_prefix.",
        )
        return
    prefixes = {"endpoint_prefix": plan.endpoint_prefix, "runner_prefix": plan.runner_prefix}
    half = next(space.subnets())
    for name, prefix in prefixes.items():
        if not prefix:
            yield Problem(
                f"sluice:network.{name}",
                f"must be set, because a quarter of the address space {space} is too small for the private endpoints",
                f"Set it in {file} to a half of the address space, such as {half}, or set a larger address_space.",
            )
        elif not IPv4Network(prefix).subnet_of(space):
            yield Problem(
                f"sluice:network.{name}",
                f"must lie in the address space {space}, got {prefix}",
                f"Set it in {file} to a part of the address space, such as {half}.",
            )
        elif name == "endpoint_prefix" and IPv4Network(prefix).prefixlen > SMALLEST_ENDPOINT_SUBNET:
            yield Problem(
                f"sluice:network.{name}",
                f"must be a /{SMALLEST_ENDPOINT_SUBNET} or larger, got {prefix}: the private endpoints need more "
                "addresses than it has",
                f"Set a larger range in {file}.",
            )
    if all(prefixes.values()) and IPv4Network(plan.endpoint_prefix).overlaps(IPv4Network(plan.runner_prefix)):
        yield Problem(
            "sluice:network.runner_prefix",
            f"must not overlap endpoint_prefix, got {plan.runner_prefix} and {plan.endpoint_prefix}",
            f"Set one of them to another part of {space} in {file}.",
        )


def _rule_problems(plan: NetworkPlan, file: str) -> Iterator[Problem]:
    if plan.isolation is Isolation.APPROVED:
        return
    fix = f"Remove it from {file}, or set isolation: approved there, which only a new stack can do."
    for name, rule in plan.outbound.items():
        if rule.resource is None:
            kind = "fqdn" if rule.fqdn is not None else "service_tag"
            yield Problem(
                f"sluice:network.outbound.{name}",
                f"must not have {kind} with isolation: internet, where deployments may reach every host",
                fix,
            )
    if plan.firewall_sku is not None:
        yield Problem(
            "sluice:network.firewall_sku", "needs isolation: approved: isolation: internet has no firewall", fix
        )


def _zone_problems(plan: NetworkPlan, zones: frozenset[str], file: str) -> Iterator[Problem]:
    if plan.zone_ids is None:
        return
    for zone in sorted(zones - plan.zone_ids.keys()):
        yield Problem(
            "sluice:network.dns",
            f"must have all zones that private endpoints need, and {zone} is missing",
            f"Add the line `{zone}: ARM_ID` to sluice:network.dns in {file}, or write dns: own.",
        )
    for zone in sorted(plan.zone_ids.keys() - zones):
        yield Problem(
            f"sluice:network.dns.{zone}",
            f"is no zone that a private endpoint of this stack needs in its cloud (needed: {', '.join(sorted(zones))})",
            f"Remove it from {file}.",
        )

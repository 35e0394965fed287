"""The network of a stack as this update declares it: the stack file's keys, and what the stack was created with.

Pure. A stack that exists keeps its address space, its isolation and the layout of its subnets; a new one must name its
address space and gets today's layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network

from arm_id import ArmId
from network_config import Isolation, Network, NetworkSettings, OutboundRule
from private_zones import MONITOR, PUBLIC, clouds_of, has_monitor_zones, zone_names
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
SMALLEST_WITH_MONITOR = 27
"""A private link scope of Azure Monitor takes at least 11 more (documented)."""
TODAY = "2"
"""The layout of a new stack: subnets have no way out of their own, and storage has only the endpoints that are used."""


@dataclass(frozen=True, kw_only=True)
class NetworkPlan:
    """The network of one stack. Ranges are strings such as `10.90.0.0/24`."""

    is_public: bool = False
    cloud: str = PUBLIC
    """Which Azure it is, as azure-native calls it; the names of zones depend on it."""
    subnet_id: str | None = None
    """A subnet of somebody else for the private endpoints; None: the stack has a network of its own."""
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
    monitor_scope_id: str | None = None
    """A private link scope of Azure Monitor that somebody else connects with networks."""
    has_monitor_scope: bool = False
    """The stack has such a scope of its own, with a private endpoint."""
    firewall_sku: str | None = None
    outbound: Mapping[str, OutboundRule] = field(default_factory=dict)
    runs_batch: bool = False
    """Batch jobs use queues and tables of the storage account."""

    def with_batch(self, storage_id: str) -> NetworkPlan:
        """The plan of a stack with batch clusters: jobs reach queues and tables of its account (documented)."""
        rules = {f"batch-{group}": OutboundRule(resource=storage_id, subresource=group) for group in ("queue", "table")}
        return replace(self, runs_batch=True, outbound={**rules, **self.outbound})

    @property
    def is_first_layout(self) -> bool:
        """An earlier version created it: subnets with a way out of their own, and endpoints for queues and tables."""
        return self.layout != TODAY

    @property
    def storage_groups(self) -> tuple[str, ...]:
        """Group ids of the storage account's private endpoints."""
        has_all = self.is_first_layout or self.runs_batch
        return ("blob", "file", "queue", "table") if has_all else ("blob", "file")

    @property
    def endpoint_purposes(self) -> Mapping[str, str]:
        """Group id of each private endpoint by the end of its name, in the order of their creation."""
        storage = {f"storage-{group_id}": group_id for group_id in self.storage_groups}
        monitor = {"monitor": MONITOR} if self.has_monitor_scope else {}
        return {"workspace": "amlworkspace", "vault": "vault", "registry": "registry", **storage, **monitor}

    @property
    def group_ids(self) -> tuple[str, ...]:
        """Group ids of all private endpoints."""
        return tuple(self.endpoint_purposes.values())

    @property
    def zones(self) -> tuple[str, ...]:
        """Names of the DNS zones that the private endpoints need."""
        return zone_names(self.cloud, self.group_ids)

    @property
    def smallest_endpoint_subnet(self) -> int:
        """The longest prefix of a subnet that has an address for each private endpoint."""
        return SMALLEST_WITH_MONITOR if self.has_monitor_scope else SMALLEST_ENDPOINT_SUBNET

    @property
    def place(self) -> str:
        """Where the private endpoints have their addresses: the range of the stack's network, or a given subnet."""
        if self.subnet_id is None:
            return self.address_space
        subnet = ArmId.parse(self.subnet_id)
        return f"{_GIVEN}{'/'.join([subnet.resource_group, *subnet.names.values()])}"


_GIVEN = "subnet "
"""What the place of a stack in a given subnet begins with; its other parts fit into the value of a tag."""

FIRST_PLAN = NetworkPlan(
    address_space=FIRST_ADDRESS_SPACE,
    endpoint_prefix="10.90.0.0/24",
    runner_prefix="10.90.1.0/24",
    isolation=Isolation.INTERNET,
    layout="1",
)
"""What earlier versions made of `sluice:network: private`."""


def plan_network(
    settings: NetworkSettings, before: Mapping[str, str] | None, *, subnet_id: str | None = None, cloud: str = PUBLIC
) -> NetworkPlan:
    """The plan; `before` are the facts of the stack that exists, None for one that is new.

    `subnet_id` is a subnet of somebody else. Without it and without an address space, the plan of a new stack has an
    empty one, which `network_problems` refuses.
    """
    if settings.mode is Network.PUBLIC:
        return NetworkPlan(is_public=True, cloud=cloud)
    known = before or {}
    layout = known.get(LAYOUT, "1") if before is not None else TODAY
    kept = next((mode for mode, name in MODES.items() if name == known.get(ISOLATION)), None)
    space = settings.address_space or ("" if subnet_id else _range_of(known.get(ADDRESS_SPACE, "")))
    monitor = settings.monitor_scope
    quarters = _quarters(space, SMALLEST_WITH_MONITOR if monitor == "own" else SMALLEST_ENDPOINT_SUBNET)
    return NetworkPlan(
        cloud=cloud,
        subnet_id=subnet_id,
        address_space=space,
        endpoint_prefix=settings.endpoint_prefix or ("" if subnet_id else known.get(ENDPOINT_PREFIX) or quarters[0]),
        runner_prefix=settings.runner_prefix or ("" if subnet_id else quarters[1]),
        isolation=settings.isolation or kept or Isolation.APPROVED,
        layout=layout,
        nat=settings.nat,
        peer_with=settings.peer_with,
        zone_ids=settings.dns if isinstance(settings.dns, dict) else None,
        has_records=settings.dns != "none",
        monitor_scope_id=monitor if monitor not in ("none", "own") else None,
        has_monitor_scope=monitor == "own",
        firewall_sku=settings.firewall_sku,
        outbound=settings.outbound,
    )


def network_problems(plan: NetworkPlan, *, stack: str) -> Iterator[Problem]:
    """Everything that is wrong with a plan."""
    if plan.is_public:
        return
    file = f"Pulumi.{stack}.yaml"
    if plan.subnet_id is not None:
        yield from _own_network_problems(plan, file)
    elif not plan.address_space:
        yield Problem(
            "sluice:network",
            "needs an address_space for a new private stack: two networks with one range can never be peered",
            f"Ask your network team for a range, and write into {file}:  sluice:network: {{mode: private, "
            f"address_space: {FIRST_ADDRESS_SPACE}}}",
        )
    else:
        yield from _range_problems(plan, file)
    yield from _rule_problems(plan, file)
    yield from _zone_problems(plan, file)
    yield from _monitor_problems(plan, file)


def _range_of(place: str) -> str:
    """The range of the stack's own network; empty if it was created in a given subnet."""
    return "" if place.startswith(_GIVEN) else place


def _quarters(space: str, smallest: int) -> tuple[str, str]:
    """The ranges of both subnets, where they are large enough."""
    if not space or IPv4Network(space).prefixlen > smallest - 2:
        return "", ""
    first, second, *_ = IPv4Network(space).subnets(prefixlen_diff=2)
    return str(first), str(second)


def _own_network_problems(plan: NetworkPlan, file: str) -> Iterator[Problem]:
    """Keys of a network that the stack creates, beside a subnet that it is given."""
    values = {
        "address_space": plan.address_space,
        "endpoint_prefix": plan.endpoint_prefix,
        "runner_prefix": plan.runner_prefix,
        "nat": plan.nat,
        "peer_with": plan.peer_with,
    }
    if given := [name for name, value in values.items() if value]:
        yield Problem(
            "sluice:network",
            f"must not have {', '.join(given)} with sluice:existing.subnet, because this stack creates no network",
            f"Remove them from {file}.",
        )


def _range_problems(plan: NetworkPlan, file: str) -> Iterator[Problem]:
    space = IPv4Network(plan.address_space)
    smallest = plan.smallest_endpoint_subnet
    if space.prefixlen >= smallest:
        yield Problem(
            "sluice:network.address_space",
            f"must be a /{smallest - 1} or larger, got {space}: the private endpoints alone take a /{smallest}",
            f"Set a larger range in {file}; one of /{smallest - 2} or larger needs neither "
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
        elif name == "endpoint_prefix" and IPv4Network(prefix).prefixlen > smallest:
            yield Problem(
                f"sluice:network.{name}",
                f"must be a /{smallest} or larger, got {prefix}: the private endpoints need more addresses than it has",
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


def _zone_problems(plan: NetworkPlan, file: str) -> Iterator[Problem]:
    if plan.zone_ids is None:
        return
    zones = set(plan.zones)
    for zone in sorted(zones - plan.zone_ids.keys()):
        yield Problem(
            "sluice:network.dns",
            f"must have all zones that private endpoints need, and {zone} is missing",
            f"Add the line `{zone}: ARM_ID` to sluice:network.dns in {file}, or write dns: own.",
        )
    for zone in sorted(plan.zone_ids.keys() - zones):
        others = [one for one in clouds_of(zone) if one != plan.cloud]
        foreign = bool(others) and plan.cloud not in clouds_of(zone)
        yield Problem(
            f"sluice:network.dns.{zone}",
            f"is a zone of the cloud {' and '.join(others)}, and this stack is in the cloud {plan.cloud}"
            if foreign
            else "is no zone that a private endpoint of this stack needs",
            f"Remove it from {file}; needed are {', '.join(sorted(zones))}.",
        )


def _monitor_problems(plan: NetworkPlan, file: str) -> Iterator[Problem]:
    if not plan.has_monitor_scope:
        return
    fix = f"Write monitor_scope: none in {file}, or the ARM id of the scope that the hub has."
    if plan.zone_ids is not None:
        yield Problem(
            "sluice:network.monitor_scope",
            "must not be own with zones of a hub: its records would send the Azure Monitor traffic of every network "
            "that uses these zones to this stack",
            fix,
        )
    if not has_monitor_zones(plan.cloud):
        yield Problem(
            "sluice:network.monitor_scope",
            f"must not be own in the cloud {plan.cloud}, for which Microsoft lists no zones of Azure Monitor",
            fix,
        )

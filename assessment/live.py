"""The live state in Azure, read before the program declares its first resource.

It takes three rounds of reads by name, for any number of endpoints: who is signed in; everything that is declared; what
only the second round could name. 404 means absent, anything else stops the program (`azure_reads.py`). The stack's own
outputs are not trusted, because they can be wrong after failed, targeted or imported updates; they only name other
places to look when nothing is found.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from assessment.azure_reads import AzureReadError, Read, Resource, ask, require
from endpoint_state import LiveEndpoint, LiveState, live_weights
from naming import Names, endpoint_tags, endpoints_from_tags
from network_plan import FIRST_PLAN, NetworkPlan
from platform_record import PlatformRecord, facts
from stack_config import Redundancy

__all__ = ["AzureReadError", "Caller", "LiveStack", "Reads", "read_caller", "read_stack", "weighed"]


OUTPUTS = "outputs"
"""The one question that is not about a resource."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who runs the program, and where."""

    subscription_id: str
    tenant_id: str
    object_id: str
    """Of the principal, as role assignments name it."""


@dataclass(frozen=True, kw_only=True)
class LiveStack:
    """The part of a stack that exists in Azure."""

    location: str | None = None
    """Region of the resource group, or of the stack's identity where the group was given; None if it does not exist."""
    workspace_guid: str | None = None
    """Azure ML's own id of the workspace, which changes when it is recreated; None if it does not exist."""
    endpoints: Mapping[str, LiveEndpoint]
    """Declared endpoints that exist, by name in Azure."""
    network_status: str | None = None
    """State of the workspace's managed network: Active when deployments can be created; None without such a network."""
    outbound_rules: Mapping[str, str] = field(default_factory=dict)
    """Category of each rule of the managed network, by name; `UserDefined` are those that somebody declared."""
    undeclared: tuple[LiveEndpoint, ...] = ()
    """Endpoints that an earlier update declared, that are still there, and that the stack file no longer has."""
    record: PlatformRecord | None = None
    """What the last update declared; None if the stack does not exist."""
    group_endpoint_tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of the group by which an earlier version recorded its endpoints; empty once the stack's identity exists."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """The outputs of the stack's last successful update; they only say where else to look, and which tags it wrote."""
    platform_tags: frozenset[str] = frozenset()
    """The keys of the tags of group, stack identity and workspace."""
    owner_tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of the resource group, or of the stack's identity where the group was given: they name the owner."""
    other_generation: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Weights, by id, of what still serves under the names of the last update's generation, if this one has another."""

    @property
    def workspace_exists(self) -> bool:
        """Whether deployments can be created."""
        return self.workspace_guid is not None

    def around(self, endpoint: LiveEndpoint | None) -> LiveState:
        """What is live of one endpoint and of what it stands on."""
        return LiveState(workspace_exists=self.workspace_exists, endpoint=endpoint, network_status=self.network_status)


def read_caller() -> Caller:
    """The first round: subscription and tenant of the signed-in caller. The names of everything else need them."""
    question = Read(what="the signed-in caller", function="azure-native:authorization:getClientConfig", arguments={})
    config = require(ask({"caller": question}))["caller"]
    if config is None:
        raise AzureReadError("the azure-native plugin does not know who is signed in. Run `az login` and try again.")
    return Caller(subscription_id=config["subscriptionId"], tenant_id=config["tenantId"], object_id=config["objectId"])


def read_stack(names: Names, declared: Mapping[str, Collection[str]]) -> LiveStack:
    """The second and the third round: group, workspace, and endpoints with their deployments.

    `declared` gives each declared endpoint's name and its deployments. The third round reads what the second one has
    found: endpoints that only the last update's record names, and deployments that get requests without being declared.
    """
    reads = Reads(names.workspace_group, names.workspace)
    group_id, workspace_id, identity_id = reads.group(names), reads.workspace(names), reads.stack_identity(names)
    for name, deployments in declared.items():
        reads.endpoint(names.endpoint_id(name), name)
        for deployment in deployments:
            reads.deployment(names.deployment_id(name, deployment), name, deployment)
    reads.outputs(names.stack)
    answers = ask(reads.questions)
    outputs = require({OUTPUTS: answers[OUTPUTS]})[OUTPUTS] or {}
    outputs = outputs.get("outputs") or {}
    if answers[group_id] is None and names.given_workspace_id is None:
        # Then nothing in it exists either, whatever error Azure answers for it.
        return LiveStack(endpoints={}, outputs=outputs)
    found = require(answers)
    workspace, identity = found[workspace_id], found[identity_id]
    # What says whose the stack is and where: its group, or its identity in a group that was given.
    own: Resource = (identity if names.given_group_id else found[group_id]) or {}
    created = None if names.given_workspace_id else workspace
    if not own and workspace is None:
        return LiveStack(endpoints={}, outputs=outputs)
    record = _record(own, created, identity) if own or created else None
    platform = (found[group_id], created, identity)
    known = LiveStack(
        location=own.get("location"),
        endpoints={},
        outputs=outputs,
        platform_tags=frozenset(key for one in platform for key in (one or {}).get("tags") or {}),
        record=record,
        owner_tags=own.get("tags") or {},
        group_endpoint_tags={} if identity else endpoint_tags(own.get("tags") or {}),
    )
    if record is not None and record.generation not in (None, names.generation):
        known = replace(known, other_generation=_weights_of(replace(names, generation=record.generation), record))
    if workspace is None:
        return known

    reads = Reads(names.workspace_group, names.workspace)
    former = sorted(set(record.endpoints if record else ()) - declared.keys())
    for name in former:
        reads.endpoint(names.endpoint_id(name), name)
    for name in declared:
        # A deployment that gets requests without being declared counts too: leaving it out would remove it.
        for deployment in weighed(found[names.endpoint_id(name)]):
            if names.deployment_id(name, deployment) not in found:
                reads.deployment(names.deployment_id(name, deployment), name, deployment)
    found |= require(ask(reads.questions))
    endpoints = {
        name: LiveEndpoint.from_resources(
            name,
            endpoint,
            {
                one: found.get(names.deployment_id(name, one))
                for one in {**dict.fromkeys(deployments), **weighed(endpoint)}
            },
        )
        for name, deployments in {**declared, **dict.fromkeys(former, ())}.items()
        if (endpoint := found[names.endpoint_id(name)])
    }
    return replace(
        known,
        workspace_guid=workspace["workspaceId"],
        network_status=_network_status(workspace),
        outbound_rules=_outbound_rules(workspace),
        endpoints={name: endpoint for name, endpoint in endpoints.items() if name in declared},
        undeclared=tuple(endpoint for name, endpoint in endpoints.items() if name not in declared),
    )


def _record(group: Resource, workspace: Resource | None, identity: Resource | None) -> PlatformRecord:
    """What the last update declared, from the tags of the stack's identity, or of the group after an earlier version.

    That version had no generations and one redundancy, and its network is the workspace's.
    """
    if identity is not None:
        return PlatformRecord.from_tags(identity.get("tags") or {})
    known: Mapping[str, str] = {}
    if workspace is not None:
        closed = str(workspace.get("publicNetworkAccess") or "").lower() == "disabled"
        known = facts(FIRST_PLAN if closed else NetworkPlan(is_public=True), Redundancy.LRS)
    endpoints = tuple(endpoints_from_tags(group.get("tags") or {}))
    return PlatformRecord(generation=1, facts=known, endpoints=endpoints)


def _weights_of(names: Names, record: PlatformRecord) -> dict[str, dict[str, int]]:
    """The weights of the endpoints that still serve under the names of another generation, by their ids."""
    reads = Reads(names.workspace_group, names.workspace)
    for name in record.endpoints:
        reads.endpoint(names.endpoint_id(name), name)
    found = require(ask(reads.questions))
    return {endpoint_id: weights for endpoint_id, endpoint in found.items() if (weights := weighed(endpoint))}


class Reads:
    """The questions of one round, by the ids of what they are about; `group` is that of the workspace."""

    def __init__(self, group: str, workspace: str) -> None:
        self.questions: dict[str, Read] = {}
        self._workspace = {"resourceGroupName": group, "workspaceName": workspace}

    def group(self, names: Names) -> str:
        """Ask for the resource group; returns its id."""
        return self._add(
            names.resource_group_id, "resources:getResourceGroup", {"resourceGroupName": names.resource_group}
        )

    def workspace(self, names: Names) -> str:
        """Ask for the workspace; returns its id."""
        return self._add(names.workspace_id, "machinelearningservices:getWorkspace", self._workspace)

    def outputs(self, stack: str) -> None:
        """Ask the engine for the outputs of the stack's last update."""
        function = "pulumi:pulumi:readStackOutputs"
        self.questions[OUTPUTS] = Read(
            what=f"the outputs of stack {stack}", function=function, arguments={"name": stack}
        )

    def stack_identity(self, names: Names) -> str:
        """Ask for the identity whose tags say what was declared last; returns its id."""
        arguments = {"resourceGroupName": names.resource_group, "resourceName": names.stack_identity}
        return self._add(names.stack_identity_id, "managedidentity:getUserAssignedIdentity", arguments)

    def endpoint(self, endpoint_id: str, name: str) -> None:
        """Ask for an endpoint."""
        arguments = {**self._workspace, "endpointName": name}
        self._add(endpoint_id, "machinelearningservices:getOnlineEndpoint", arguments)

    def deployment(self, deployment_id: str, endpoint: str, name: str) -> None:
        """Ask for a deployment of an endpoint."""
        arguments = {**self._workspace, "endpointName": endpoint, "deploymentName": name}
        self._add(deployment_id, "machinelearningservices:getOnlineDeployment", arguments)

    def _add(self, resource_id: str, function: str, arguments: Mapping[str, str]) -> str:
        self.questions[resource_id] = Read(what=resource_id, function=f"azure-native:{function}", arguments=arguments)
        return resource_id


def _outbound_rules(workspace: Resource) -> dict[str, str]:
    rules = (workspace.get("managedNetwork") or {}).get("outboundRules") or {}
    return {name: str((rule or {}).get("category") or "UserDefined") for name, rule in rules.items()}


def _network_status(workspace: Resource) -> str | None:
    network = workspace.get("managedNetwork") or {}
    if network.get("isolationMode", "Disabled") == "Disabled":
        return None
    status: str | None = (network.get("status") or {}).get("status")
    return status


def weighed(endpoint: Resource | None) -> dict[str, int]:
    """What gets live or mirrored requests, with its weight."""
    properties = endpoint["properties"] if endpoint else {}
    return {**live_weights(properties.get("mirrorTraffic")), **live_weights(properties.get("traffic"))}

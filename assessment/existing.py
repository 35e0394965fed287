"""Reads what the stack uses and does not create (`sluice:existing`), and lists everything that does not fit.

Three outcomes are kept apart: a resource that is absent, one that cannot be read (403 most of the time), and one that
is there and does not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from arm_id import ArmId, subscription_id_of
from assessment.azure_reads import Answer, Read, ReadFailure, Resource, ask
from assessment.live import Caller
from assessment.subscriptions import Subscriptions
from network_config import Network
from network_plan import SMALLEST_ENDPOINT_SUBNET
from ownership import STACK_TAG, TEAM_TAG, other_owner
from platform_record import PlatformRecord
from problem import Problem
from stack_config import Settings

__all__ = ["Existing", "ExistingResources", "read_existing"]

FORBIDDEN = 403
CONTAINERS = ("resource_group", "workspace")
PARTS = {
    "storage": "storageAccount",
    "vault": "keyVault",
    "registry": "containerRegistry",
    "application_insights": "applicationInsights",
}
"""What a workspace stands on: its properties, by the keys of `sluice:existing`."""


@dataclass(frozen=True, kw_only=True)
class ExistingResources:
    """What this stack uses and does not create, by ARM id; None: it creates it."""

    resource_group: str | None = None
    log_analytics: str | None = None
    application_insights: str | None = None
    registry: str | None = None
    vault: str | None = None
    storage: str | None = None
    workspace_identity: str | None = None
    workspace: str | None = None

    @classmethod
    def of(cls, given: Mapping[str, str], workspace: Resource | None) -> ExistingResources:
        """What the stack file gives, and what a workspace that is given stands on."""
        parts = {key: str(workspace[name]) for key, name in PARTS.items()} if workspace else {}
        return cls(**{key: one for key, one in {**given, **parts}.items() if key != "subnet"})  # the network has it


@dataclass(frozen=True, kw_only=True)
class _Stack:
    """What a given resource must fit to."""

    location: str
    private: bool
    tenant_id: str


_Findings = Iterator[tuple[str, str]]
"""What is wrong with a resource (the predicate of a sentence), and the fix."""


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """How one kind of resource is read and checked."""

    what: str
    """With its article."""
    function: str
    parameters: tuple[str, ...]
    """Of the resource's names, the outermost first."""
    check: Callable[[Resource, _Stack], _Findings]
    any_subscription: bool = False
    """Whether it may be in another subscription than the stack."""


@dataclass(frozen=True, kw_only=True)
class Existing:
    """What the stack file gives, as Azure has it."""

    resources: ExistingResources
    wrong: tuple[Problem, ...]
    """What no update may do."""
    unfit: Mapping[str, tuple[Problem, ...]]
    """What cannot be read or does not fit, by key: not for a stack to begin with. A stack that uses it already goes on,
    because its owner has changed it, and an update such as a way back must not stop for that."""
    is_hidden: bool
    """The group or the workspace cannot be read, so nothing in it can."""

    def refusals(self, settings: Settings, record: PlatformRecord | None) -> Iterator[Problem]:
        """What is refused; warns of the rest. `record` is that of the last update; None for a new stack."""
        yield from self.wrong
        for key, problems in self.unfit.items():
            used = record is not None and record.uses(key, settings.existing.given()[key])
            for problem in problems:
                if used and not self.is_hidden:
                    pulumi.log.warn(f"{problem.where} {problem.what}. This stack uses it already. {problem.fix}")
                else:
                    yield problem


def read_existing(settings: Settings, caller: Caller, subscriptions: Subscriptions) -> Existing:
    """Read everything that the stack file gives, at once, and check it."""
    given = settings.existing.given()
    questions = {
        key: _read(key, one, subscriptions)
        for key, one in given.items()
        if _is_here(one, caller) or KINDS[key].any_subscription
    }
    answers = ask(questions) if questions else {}
    stack = _Stack(
        location=settings.location, private=settings.network.mode is Network.PRIVATE, tenant_id=caller.tenant_id
    )
    workspace = answers.get("workspace")
    parts = (
        workspace if isinstance(workspace, Mapping) and all(workspace.get(name) for name in PARTS.values()) else None
    )
    unfit = {key: tuple(_problems(key, _unfit(settings, caller, stack, key, one))) for key, one in answers.items()}
    wrong = [problem for key in given for problem in _problems(key, _wrong(settings, caller, key, answers))]
    return Existing(
        resources=ExistingResources.of(given, parts),
        wrong=tuple(wrong),
        unfit={key: problems for key, problems in unfit.items() if problems},
        is_hidden=any(key in answers and not isinstance(answers[key], Mapping) for key in CONTAINERS)
        or ("workspace" in given and parts is None),
    )


def _problems(key: str, findings: _Findings) -> Iterator[Problem]:
    return (Problem(f"sluice:existing.{key}", what, fix) for what, fix in findings)


def _is_here(resource_id: str, caller: Caller) -> bool:
    return (subscription_id_of(resource_id) or "").lower() == caller.subscription_id.lower()


def _read(key: str, resource_id: str, subscriptions: Subscriptions) -> Read:
    kind = KINDS[key]
    if key == "resource_group":
        arguments = {"resourceGroupName": resource_id.rsplit("/", 1)[1]}
    else:
        place = ArmId.parse(resource_id)
        arguments = {
            "resourceGroupName": place.resource_group,
            **dict(zip(kind.parameters, place.names.values(), strict=True)),
        }
    return Read(
        what=resource_id,
        function=f"azure-native:{kind.function}",
        arguments=arguments,
        provider=subscriptions.provider(subscription_id_of(resource_id) or ""),
    )


def _wrong(settings: Settings, caller: Caller, key: str, answers: Mapping[str, Answer]) -> _Findings:
    """What no update may do with one resource that is given."""
    kind, file, resource_id = KINDS[key], f"Pulumi.{settings.stack}.yaml", settings.existing.given()[key]
    answer = answers.get(key)
    if key not in answers:
        yield (
            f"must name {kind.what} in the subscription of this stack, {caller.subscription_id}, got {resource_id}",
            f"Correct the id in {file}, or sign in to that subscription.",
        )
    if not isinstance(answer, Mapping):
        return
    name = resource_id.rsplit("/", 1)[1]
    if answer.get("name", name) != name:
        yield (
            f'must be spelt as in Azure, where the name is "{answer["name"]}", got "{name}"',
            f"Correct the id in {file}.",
        )
    tags = answer.get("tags") or {}
    if tags.get(STACK_TAG) == settings.stack and tags.get(TEAM_TAG) == settings.team:
        yield (
            f"names {resource_id}, which this stack created itself (its tags say so): the update would delete it, "
            "because the stack file no longer declares it",
            f"Remove the line from {file}: the stack uses what it created anyway.",
        )
    elif key == "resource_group" and (owner := other_owner(tags, team=settings.team, stack=settings.stack)):
        yield (
            f"must not be the group that another stack created, got {resource_id} of {owner}: it is deleted together "
            "with that stack",
            f"Name a group in {file} that no stack created.",
        )


def _unfit(settings: Settings, caller: Caller, stack: _Stack, key: str, answer: Answer) -> _Findings:
    """Why a new stack cannot use one resource that is given."""
    kind, resource_id = KINDS[key], settings.existing.given()[key]
    if isinstance(answer, ReadFailure):
        what = f"names {resource_id}, which cannot be read, so it is not known whether it exists and fits"
        grant = f"az role assignment create --role Reader --assignee {caller.object_id} --scope {resource_id}"
        if answer.status == FORBIDDEN:
            yield f"{what}: Azure does not let this caller read it ({answer.reason})", f"Ask its owner for: {grant}"
        else:
            yield f"{what} ({answer.reason})", "Try again."
    elif answer is None:
        yield (
            f"must name {kind.what} that exists, got {resource_id}",
            f"Correct the id in Pulumi.{settings.stack}.yaml.",
        )
    else:
        yield from kind.check({**answer, "id": resource_id}, stack)


def _nothing(resource: Resource, stack: _Stack) -> _Findings:
    yield from ()


def _region(resource: Resource, stack: _Stack) -> _Findings:
    """The resources of a workspace are in its region."""
    found = str(resource.get("location") or "")
    if _short(found) != _short(stack.location):
        yield (
            f"must be in the region of the workspace, {stack.location}, got {found}",
            f"Give one that is in {stack.location}.",
        )


def _tenant(properties: Mapping[str, Any], stack: _Stack) -> _Findings:
    found = str(properties.get("tenantId") or stack.tenant_id)
    if found.lower() != stack.tenant_id.lower():
        yield (
            f"must belong to the Entra tenant of this stack, {stack.tenant_id}, got {found}",
            "Give one of this tenant: identities of one tenant get no roles in another.",
        )


def _storage(resource: Resource, stack: _Stack) -> _Findings:
    yield from _region(resource, stack)
    if resource.get("allowSharedKeyAccess") is not False:
        yield (
            "must not allow shared keys: a key opens all models to its holder, without a role",
            f"Run: az storage account update --ids {resource['id']} --allow-shared-key-access false",
        )
    if stack.private and str(resource.get("publicNetworkAccess") or "Enabled").lower() != "disabled":
        yield (
            "must be closed to the internet in a private stack, got public network access enabled",
            f"Run: az storage account update --ids {resource['id']} --public-network-access Disabled",
        )


def _vault(resource: Resource, stack: _Stack) -> _Findings:
    properties = resource.get("properties") or {}
    yield from _region(resource, stack)
    yield from _tenant(properties, stack)
    if properties.get("enableRbacAuthorization") is not True:
        yield (
            "must be opened by Azure roles, got a vault with access policies, which the roles of the workspace do not "
            "open",
            f"Run: az keyvault update --ids {resource['id']} --enable-rbac-authorization true",
        )
    if properties.get("enablePurgeProtection") is not True:
        yield (
            "must have purge protection: a workspace cannot get another vault when this one is purged",
            f"Run: az keyvault update --ids {resource['id']} --enable-purge-protection true",
        )


def _container_registry(resource: Resource, stack: _Stack) -> _Findings:
    yield from _region(resource, stack)
    sku = str((resource.get("sku") or {}).get("name") or "")
    if stack.private and sku.lower() != "premium":
        yield (
            f"must be Premium in a private stack, the only tier that takes private endpoints, got {sku}",
            f"Run: az acr update --ids {resource['id']} --sku Premium",
        )


def _subnet(resource: Resource, stack: _Stack) -> _Findings:
    prefixes = resource.get("addressPrefixes") or [resource.get("addressPrefix") or ""]
    lengths = [int(one.rpartition("/")[2]) for one in prefixes if str(one).rpartition("/")[2].isdecimal()]
    if lengths and min(lengths) > SMALLEST_ENDPOINT_SUBNET:
        yield (
            f"must be a /{SMALLEST_ENDPOINT_SUBNET} or larger, got {', '.join(map(str, prefixes))}: the private "
            "endpoints alone take that",
            "Give a larger one.",
        )


def _workspace(resource: Resource, stack: _Stack) -> _Findings:
    yield from _region(resource, stack)
    missing = [key.replace("_", " ") for key, name in PARTS.items() if not resource.get(name)]
    if missing:
        yield (
            f"must have a container registry and Application Insights, got a workspace without {', '.join(missing)}",
            "Attach what is missing: az ml workspace update, with --container-registry or --application-insights.",
        )
    if stack.private:
        network = resource.get("managedNetwork") or {}
        mode = str(network.get("isolationMode") or "Disabled")
        status = str((network.get("status") or {}).get("status") or "Inactive")
        if mode == "Disabled":
            yield (
                "must have a managed network in a private stack, got one whose deployments are not isolated",
                "Give a workspace with a managed network, or set sluice:network to public.",
            )
        elif status != "Active":
            yield (
                f"must have a managed network that is Active, got {status}: deployments cannot be created",
                "Ask its owner to run: az ml workspace provision-network.",
            )


def _short(location: str) -> str:
    return location.replace(" ", "").lower()


KINDS: Mapping[str, _Kind] = {
    "resource_group": _Kind(
        what="a resource group",
        function="resources:getResourceGroup",
        parameters=(),
        check=_nothing,
    ),
    "log_analytics": _Kind(
        what="a Log Analytics workspace",
        function="operationalinsights:getWorkspace",
        parameters=("workspaceName",),
        check=_nothing,
        any_subscription=True,
    ),
    "application_insights": _Kind(
        what="an Application Insights component",
        function="applicationinsights:getComponent",
        parameters=("resourceName",),
        check=_region,
    ),
    "registry": _Kind(
        what="a container registry",
        function="containerregistry:getRegistry",
        parameters=("registryName",),
        check=_container_registry,
    ),
    "vault": _Kind(what="a key vault", function="keyvault:getVault", parameters=("vaultName",), check=_vault),
    "storage": _Kind(
        what="a storage account", function="storage:getStorageAccount", parameters=("accountName",), check=_storage
    ),
    "workspace_identity": _Kind(
        what="a user-assigned identity",
        function="managedidentity:getUserAssignedIdentity",
        parameters=("resourceName",),
        check=_tenant,
    ),
    "subnet": _Kind(
        what="a subnet",
        function="network:getSubnet",
        parameters=("virtualNetworkName", "subnetName"),
        check=_subnet,
        any_subscription=True,
    ),
    "workspace": _Kind(
        what="an Azure ML workspace",
        function="machinelearningservices:getWorkspace",
        parameters=("workspaceName",),
        check=_workspace,
    ),
}
"""How each key of `sluice:existing` is read."""

"""The kinds of resources that a stack can be given: how each is read, and what it must be like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assessment.azure_reads import Resource
from network_plan import SMALLEST_ENDPOINT_SUBNET

__all__ = ["KINDS", "PARTS", "Findings", "Host", "Kind"]

PARTS = {
    "storage": "storageAccount",
    "vault": "keyVault",
    "registry": "containerRegistry",
    "application_insights": "applicationInsights",
}
"""What a workspace stands on: its properties, by the keys of `sluice:existing`."""


@dataclass(frozen=True, kw_only=True)
class Host:
    """The stack that a given resource must fit to."""

    location: str
    private: bool
    tenant_id: str


Findings = Iterator[tuple[str, str]]
"""What is wrong with a resource (the predicate of a sentence), and the fix."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How one kind of resource is read and checked."""

    what: str
    """With its article."""
    function: str
    parameters: tuple[str, ...]
    """Of the resource's names, the outermost first."""
    check: Callable[[Resource, Host], Findings]
    any_subscription: bool = False
    """Whether it may be in another subscription than the stack."""


def _nothing(resource: Resource, stack: Host) -> Findings:
    yield from ()


def _region(resource: Resource, stack: Host) -> Findings:
    """The resources of a workspace are in its region."""
    found = str(resource.get("location") or "")
    if _short(found) != _short(stack.location):
        yield (
            f"must be in the region of the workspace, {stack.location}, got {found}",
            f"Give one that is in {stack.location}.",
        )


def _tenant(properties: Mapping[str, Any], stack: Host) -> Findings:
    found = str(properties.get("tenantId") or stack.tenant_id)
    if found.lower() != stack.tenant_id.lower():
        yield (
            f"must belong to the Entra tenant of this stack, {stack.tenant_id}, got {found}",
            "Give one of this tenant: identities of one tenant get no roles in another.",
        )


def _storage(resource: Resource, stack: Host) -> Findings:
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


def _vault(resource: Resource, stack: Host) -> Findings:
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


def _container_registry(resource: Resource, stack: Host) -> Findings:
    yield from _region(resource, stack)
    sku = str((resource.get("sku") or {}).get("name") or "")
    if stack.private and sku.lower() != "premium":
        yield (
            f"must be Premium in a private stack, the only tier that takes private endpoints, got {sku}",
            f"Run: az acr update --ids {resource['id']} --sku Premium",
        )


def _subnet(resource: Resource, stack: Host) -> Findings:
    prefixes = resource.get("addressPrefixes") or [resource.get("addressPrefix") or ""]
    lengths = [int(one.rpartition("/")[2]) for one in prefixes if str(one).rpartition("/")[2].isdecimal()]
    if lengths and min(lengths) > SMALLEST_ENDPOINT_SUBNET:
        yield (
            f"must be a /{SMALLEST_ENDPOINT_SUBNET} or larger, got {', '.join(map(str, prefixes))}: the private "
            "endpoints alone take that",
            "Give a larger one.",
        )


def _workspace(resource: Resource, stack: Host) -> Findings:
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


KINDS: Mapping[str, Kind] = {
    "resource_group": Kind(
        what="a resource group",
        function="resources:getResourceGroup",
        parameters=(),
        check=_nothing,
    ),
    "log_analytics": Kind(
        what="a Log Analytics workspace",
        function="operationalinsights:getWorkspace",
        parameters=("workspaceName",),
        check=_nothing,
        any_subscription=True,
    ),
    "application_insights": Kind(
        what="an Application Insights component",
        function="applicationinsights:getComponent",
        parameters=("resourceName",),
        check=_region,
    ),
    "registry": Kind(
        what="a container registry",
        function="containerregistry:getRegistry",
        parameters=("registryName",),
        check=_container_registry,
    ),
    "vault": Kind(what="a key vault", function="keyvault:getVault", parameters=("vaultName",), check=_vault),
    "storage": Kind(
        what="a storage account", function="storage:getStorageAccount", parameters=("accountName",), check=_storage
    ),
    "workspace_identity": Kind(
        what="a user-assigned identity",
        function="managedidentity:getUserAssignedIdentity",
        parameters=("resourceName",),
        check=_tenant,
    ),
    "subnet": Kind(
        what="a subnet",
        function="network:getSubnet",
        parameters=("virtualNetworkName", "subnetName"),
        check=_subnet,
        any_subscription=True,
    ),
    "workspace": Kind(
        what="an Azure ML workspace",
        function="machinelearningservices:getWorkspace",
        parameters=("workspaceName",),
        check=_workspace,
    ),
}
"""How each key of `sluice:existing` is read."""

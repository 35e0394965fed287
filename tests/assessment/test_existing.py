"""What a stack is given is read before anything is declared, and one error lists everything that does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest

from assessment.declaration import StackDeclaration
from tests.assessment import existing_ids as ids
from tests.assessment.test_stack import PRIVATE, config, declare, model, publish, refuse
from tests.components.engine import SUBSCRIPTION_ID, TENANT_ID, FakeAzure

__all__ = ["model"]  # a fixture

EXISTING = {
    "resource_group": ids.GROUP,
    "log_analytics": ids.LOG_ANALYTICS,
    "application_insights": ids.INSIGHTS,
    "registry": ids.REGISTRY,
    "vault": ids.VAULT,
    "storage": ids.STORAGE,
    "workspace_identity": ids.IDENTITY,
}
FORBIDDEN = 'request failed /x: Status=403 Code="AuthorizationFailed" Message="The client has no right."'


def settings(existing: dict[str, str] | None = None, **changes: Any) -> Any:
    """A stack without endpoints."""
    return config(endpoints={}, rollout={}, existing=EXISTING if existing is None else existing, **changes)


@pytest.fixture(autouse=True)
def _locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_RELEASE_LOCKS", str(tmp_path))


@pytest.fixture
def landing(azure: FakeAzure) -> FakeAzure:
    """A landing zone in which everything fits a private stack."""
    here = {"location": "West Europe", "tags": {"cost": "42"}}
    vault = {"tenantId": TENANT_ID, "enableRbacAuthorization": True, "enablePurgeProtection": True}
    storage = {"allowSharedKeyAccess": False, "publicNetworkAccess": "Disabled"}
    azure.add("getResourceGroup", "landing", {**here, "location": "northeurope"})
    azure.add("getWorkspace", "hub-logs", {**here, "location": "northeurope"})
    azure.add("getComponent", "hub-insights", here)
    azure.add("getRegistry", "hubregistry", {**here, "sku": {"name": "Premium"}})
    azure.add("getVault", "hub-vault", {**here, "id": ids.VAULT, "properties": vault})
    azure.add("getStorageAccount", "hubstorage", {**here, "id": ids.STORAGE, **storage})
    azure.add("getUserAssignedIdentity", "hub-identity", {**here, "tenantId": TENANT_ID})
    return azure


def test_what_fits_is_used_and_the_stack_is_new(landing: FakeAzure) -> None:
    declared = declare(landing, settings(network=PRIVATE))
    assert isinstance(declared, StackDeclaration)
    assert {key: one for key, one in vars(declared.existing).items() if one} == EXISTING
    assert declared.placement.names.resource_group == "landing"
    assert declared.record_tags["sluice:existing-storage"] == "hub/hubstorage"
    assert declared.record_tags["sluice:existing-resource_group"] == "landing"


def test_one_error_lists_everything_that_is_absent(azure: FakeAzure) -> None:
    existing = {key: one for key, one in EXISTING.items() if key != "resource_group"}
    problems = refuse(azure, settings(existing))
    assert [problem.split(", got")[0] for problem in problems] == [
        "sluice:existing.log_analytics must name a Log Analytics workspace that exists",
        "sluice:existing.application_insights must name an Application Insights component that exists",
        "sluice:existing.registry must name a container registry that exists",
        "sluice:existing.vault must name a key vault that exists",
        "sluice:existing.storage must name a storage account that exists",
        "sluice:existing.workspace_identity must name a user-assigned identity that exists",
    ]
    assert azure.made == []


def test_an_absent_group_is_named_and_nothing_in_it_is_asked_for(azure: FakeAzure) -> None:
    (problem,) = refuse(azure, settings({"resource_group": ids.GROUP}))
    assert problem == (
        f"sluice:existing.resource_group must name a resource group that exists, got {ids.GROUP}. "
        "Correct the id in Pulumi.dev.yaml."
    )
    assert azure.reads == ["azure-native:authorization:getClientConfig", "azure-native:resources:getResourceGroup"]


def test_what_cannot_be_read_is_neither_absent_nor_unfit(landing: FakeAzure) -> None:
    landing.failures["azure-native:keyvault:getVault"] = FORBIDDEN
    (problem,) = refuse(landing, settings())
    assert problem.startswith(f"sluice:existing.vault names {ids.VAULT}, which cannot be read, so it is not known")
    assert ": Azure does not let this caller read it (Status=403" in problem
    assert problem.endswith(f"az role assignment create --role Reader --assignee object --scope {ids.VAULT}")


def test_what_belongs_to_another_tenant_is_refused_as_such(landing: FakeAzure) -> None:
    landing.failures["azure-native:network:getSubnet"] = (
        'request failed /x: Status=401 Code="InvalidAuthenticationTokenTenant" Message="It is of another issuer."'
    )
    (problem,) = refuse(landing, settings({"subnet": ids.SUBNET}, network={"mode": "private", "dns": "none"}))
    assert problem.startswith(f"sluice:existing.subnet must be in the Entra tenant of this stack, {TENANT_ID}, got")


def test_any_other_failed_read_stops_a_new_stack_too(landing: FakeAzure) -> None:
    landing.failures["azure-native:keyvault:getVault"] = FORBIDDEN.replace("403", "500")
    (problem,) = refuse(landing, settings())
    assert problem.endswith('(Status=500 Code="AuthorizationFailed" Message="The client has no right."). Try again.')


@pytest.mark.parametrize("how", ["absent", "forbidden", "unfit"])
def test_a_stack_that_uses_it_already_goes_on_with_a_warning(
    landing: FakeAzure, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner has changed it: an update that takes weights back must not wait for that."""
    existing = {"storage": ids.STORAGE}
    landing.add_stack_identity(declare(landing, settings(existing)).record_tags)
    landing.add_group(tags={"sluice:stack": "dev", "sluice:team": "payments"})
    if how == "forbidden":
        landing.failures["azure-native:storage:getStorageAccount"] = FORBIDDEN
    elif how == "absent":
        landing._found.pop(("getStorageAccount", "hubstorage"))
    else:
        landing.add("getStorageAccount", "hubstorage", {"location": "westeurope", "allowSharedKeyAccess": True})
    warned: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warned.append)
    assert declare(landing, settings(existing)).existing.storage == ids.STORAGE
    assert len(warned) == 1
    assert warned[0].startswith("sluice:existing.storage ")
    assert "This stack uses it already." in warned[0]
    (problem,) = refuse(landing, settings({"storage": f"{ids.STORAGE}2"}))[:1]
    assert problem.startswith("sluice:existing.storage ")


def test_a_stack_whose_given_group_cannot_be_read_stops(landing: FakeAzure) -> None:
    landing.add_stack_identity({"sluice:generation": "1", "sluice:existing-resource_group": "landing"})
    landing.failures["azure-native:resources:getResourceGroup"] = FORBIDDEN
    (problem,) = refuse(landing, settings({"resource_group": ids.GROUP}))
    assert problem.startswith(f"sluice:existing.resource_group names {ids.GROUP}, which cannot be read")


@pytest.mark.parametrize(
    ("function", "name", "changes", "key", "words"),
    [
        ("getStorageAccount", "hubstorage", {"location": "eastus"}, "storage", "region of the workspace"),
        ("getRegistry", "hubregistry", {"location": "eastus"}, "registry", "region of the workspace"),
        ("getComponent", "hub-insights", {"location": "eastus"}, "application_insights", "region of the workspace"),
        ("getStorageAccount", "hubstorage", {"allowSharedKeyAccess": None}, "storage", "shared keys"),
        ("getStorageAccount", "hubstorage", {"publicNetworkAccess": None}, "storage", "closed to the internet"),
        ("getRegistry", "hubregistry", {"sku": {"name": "Standard"}}, "registry", "Premium"),
        ("getVault", "hub-vault", {"properties": {"enablePurgeProtection": True}}, "vault", "Azure roles"),
        ("getVault", "hub-vault", {"properties": {"enableRbacAuthorization": True}}, "vault", "purge protection"),
        ("getUserAssignedIdentity", "hub-identity", {"tenantId": "other"}, "workspace_identity", "Entra tenant"),
        ("getStorageAccount", "hubstorage", {"name": "HubStorage"}, "storage", "spelt as in Azure"),
    ],
)
def test_what_does_not_fit_a_private_stack_is_refused(
    landing: FakeAzure, function: str, name: str, changes: dict[str, Any], key: str, words: str
) -> None:
    fitting = landing.answer(
        f"azure-native:x:{function}",
        {"resourceName": name, "accountName": name, "vaultName": name, "registryName": name},
    )
    landing.add(function, name, {**fitting, **changes})
    (problem,) = refuse(landing, settings(network=PRIVATE))
    assert problem.startswith(f"sluice:existing.{key} ")
    assert words in problem


def test_a_public_stack_takes_a_storage_that_is_open_and_a_registry_that_is_not_premium(landing: FakeAzure) -> None:
    here = {"location": "westeurope"}
    landing.add("getRegistry", "hubregistry", {**here, "sku": {"name": "Standard"}})
    landing.add("getStorageAccount", "hubstorage", {**here, "id": ids.STORAGE, "allowSharedKeyAccess": False})
    assert declare(landing, settings()).existing.storage == ids.STORAGE


def test_only_log_analytics_may_be_in_another_subscription(landing: FakeAzure) -> None:
    elsewhere = {key: one.replace(SUBSCRIPTION_ID, "another") for key, one in EXISTING.items()}
    existing = {key: elsewhere[key] for key in ("log_analytics", "registry")}
    (problem,) = refuse(landing, settings(existing))
    assert problem.startswith(
        f"sluice:existing.registry must name a container registry in the subscription of this stack, {SUBSCRIPTION_ID}"
    )


def test_what_the_stack_created_itself_is_not_handed_over_silently(landing: FakeAzure) -> None:
    own = {"sluice:stack": "dev", "sluice:team": "payments"}
    landing.add_group(tags=own)
    landing.add_stack_identity({"sluice:generation": "1", "sluice:network": "public"})
    account = {"id": ids.STORAGE, "location": "westeurope", "allowSharedKeyAccess": False, "tags": own}
    landing.add("getStorageAccount", "hubstorage", account)
    (problem,) = refuse(landing, settings({"storage": ids.STORAGE}))
    assert problem == (
        f"sluice:existing.storage names {ids.STORAGE}, which this stack created itself (its tags say so): the update "
        "would delete it, because the stack file no longer declares it. Remove the line from Pulumi.dev.yaml: the "
        "stack uses what it created anyway."
    )


def test_a_stack_that_exists_keeps_the_account_that_it_created(landing: FakeAzure) -> None:
    landing.add_group(tags={"sluice:stack": "dev", "sluice:team": "payments"})
    landing.add_stack_identity({"sluice:generation": "1", "sluice:network": "public"})
    (problem,) = refuse(landing, settings({"storage": ids.STORAGE}))
    assert problem.startswith(
        'sluice:existing.storage must stay "what this stack created" while the stack exists, got "hub/hubstorage"'
    )
    assert declare(landing, settings({"storage": ids.STORAGE}, generation=2)).existing.storage == ids.STORAGE


def test_a_stack_does_not_move_between_its_own_group_and_one_that_was_given(landing: FakeAzure) -> None:
    own = "/subscriptions/s/resourceGroups/rg-payments-dev/providers/Microsoft.MachineLearningServices/workspaces/w"
    landing.outputs = {"workspace": {"id": own}}
    landing.add_group(tags={"sluice:stack": "dev", "sluice:team": "payments"})
    (problem,) = refuse(landing, settings({"resource_group": ids.GROUP}))
    assert problem.startswith(
        "sluice:existing.resource_group must stay as it was: this stack is in the group rg-payments-dev, which it "
        "created, got landing."
    )


def test_a_stack_does_not_leave_the_group_that_it_was_given(landing: FakeAzure) -> None:
    given = "/subscriptions/s/resourceGroups/landing/providers/Microsoft.MachineLearningServices/workspaces/w"
    landing.outputs = {"workspace": {"id": given}}
    (problem,) = refuse(landing, settings({}))
    assert "this stack is in the group landing, got rg-payments-dev." in problem


def test_a_group_of_another_stack_is_refused(landing: FakeAzure) -> None:
    landing.add("getResourceGroup", "landing", {"tags": {"sluice:stack": "prod", "sluice:team": "payments"}})
    (problem,) = refuse(landing, settings({"resource_group": ids.GROUP}))
    assert f"got {ids.GROUP} of stack prod of team payments" in problem


def test_two_stacks_of_one_name_do_not_share_a_given_group(landing: FakeAzure) -> None:
    landing.add_stack_identity({"sluice:stack": "Dev", "sluice:team": "payments"})
    (problem,) = refuse(landing, settings({"resource_group": ids.GROUP}))
    assert "belongs to stack Dev of team payments" in problem


@pytest.fixture
def workspace(azure: FakeAzure) -> FakeAzure:
    """A hub with a workspace whose deployments are isolated."""
    shown = {
        "id": ids.WORKSPACE,
        "workspaceId": "guid-1",
        "location": "westeurope",
        "storageAccount": ids.STORAGE,
        "keyVault": ids.VAULT,
        "containerRegistry": ids.REGISTRY,
        "applicationInsights": ids.INSIGHTS,
        "managedNetwork": {"isolationMode": "AllowOnlyApprovedOutbound", "status": {"status": "Active"}},
    }
    azure.add("getWorkspace", "hub-ml", shown)
    azure.names = replace(azure.names, given_workspace_id=ids.WORKSPACE)
    return azure


def change_workspace(azure: FakeAzure, **changes: Any) -> None:
    shown = azure.answer("azure-native:x:getWorkspace", {"workspaceName": "hub-ml"})
    azure.add("getWorkspace", "hub-ml", {**shown, **changes})


def test_endpoints_go_into_a_workspace_that_was_given_with_what_it_stands_on(
    workspace: FakeAzure, model: dict[str, Any]
) -> None:
    publish(workspace, model["fraud"])
    declared = declare(workspace, config(existing={"workspace": ids.WORKSPACE}, network={"mode": "private"}))
    assert [one.name for one in declared.endpoints[0].deployments] == ["blue"]  # nothing waits for the workspace
    assert declared.existing.storage == ids.STORAGE
    assert declared.existing.registry == ids.REGISTRY
    assert declared.existing.application_insights == ids.INSIGHTS
    names = declared.placement.names
    assert names.endpoint_id("fraud-dev") == f"{ids.WORKSPACE}/onlineEndpoints/fraud-dev"
    assert names.resource_group == "rg-payments-dev"
    assert declared.record_tags["sluice:network"] == "private"
    assert declared.record_tags["sluice:existing-workspace"] == "hub/hub-ml"
    assert "sluice:address-space" not in declared.record_tags
    assert declared.role_delay_seconds == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"location": "eastus"}, "region of the workspace, westeurope, got eastus"),
        ({"containerRegistry": None}, "got a workspace without registry"),
        ({"managedNetwork": {"isolationMode": "Disabled"}}, "not isolated"),
        ({"managedNetwork": None}, "not isolated"),
        (
            {"managedNetwork": {"isolationMode": "AllowInternetOutbound", "status": {"status": "Inactive"}}},
            "managed network that is Active, got Inactive",
        ),
    ],
)
def test_a_workspace_that_does_not_fit_a_private_stack_is_refused(
    workspace: FakeAzure, changes: dict[str, Any], words: str
) -> None:
    change_workspace(workspace, **changes)
    (problem,) = refuse(workspace, settings({"workspace": ids.WORKSPACE}, network={"mode": "private"}))
    assert problem.startswith("sluice:existing.workspace ")
    assert words in problem


def test_a_public_stack_takes_a_workspace_without_a_managed_network(workspace: FakeAzure) -> None:
    change_workspace(workspace, managedNetwork=None)
    assert declare(workspace, settings({"workspace": ids.WORKSPACE})).existing.workspace == ids.WORKSPACE


def test_an_endpoint_of_somebody_else_in_a_given_workspace_is_not_taken_over(
    workspace: FakeAzure, model: dict[str, Any]
) -> None:
    workspace.add_endpoint("fraud-dev", traffic={"blue": 100})
    workspace.add_deployment("fraud-dev", "blue")
    problems = refuse(workspace, config(existing={"workspace": ids.WORKSPACE}))
    assert any("must have names that are free in the given workspace, got fraud-dev" in one for one in problems)


def test_a_stack_does_not_move_into_a_workspace_that_is_given(workspace: FakeAzure) -> None:
    workspace.add_group(tags={"sluice:stack": "dev", "sluice:team": "payments"})
    workspace.add_stack_identity({"sluice:generation": "1", "sluice:network": "public"})
    (problem,) = refuse(workspace, settings({"workspace": ids.WORKSPACE}))
    assert problem.startswith('sluice:existing.workspace must stay "what this stack created" while the stack exists')


def test_a_subnet_of_another_subscription_takes_the_private_endpoints(landing: FakeAzure) -> None:
    landing.add("getSubnet", "pe", {"addressPrefix": "10.200.1.0/28"})
    declared = declare(landing, settings({"subnet": ids.SUBNET}, network={"mode": "private", "dns": "none"}))
    assert declared.network.subnet_id == ids.SUBNET
    assert declared.record_tags["sluice:address-space"] == "subnet hub/v/pe"
    landing.add_group(tags={"sluice:stack": "dev", "sluice:team": "payments"})
    landing.add_stack_identity(declared.record_tags)
    own = {"mode": "private", "address_space": "10.1.0.0/22"}
    assert any("must stay" in problem for problem in refuse(landing, settings({}, network=own)))


def test_a_subnet_that_is_too_small_or_absent_is_refused(landing: FakeAzure) -> None:
    network = {"mode": "private", "dns": "none"}
    (problem,) = refuse(landing, settings({"subnet": ids.SUBNET}, network=network))
    assert problem.startswith(f"sluice:existing.subnet must name a subnet that exists, got {ids.SUBNET}.")
    landing.add("getSubnet", "pe", {"addressPrefixes": ["10.200.1.0/29"]})
    (problem,) = refuse(landing, settings({"subnet": ids.SUBNET}, network=network))
    assert problem.startswith("sluice:existing.subnet must be a /28 or larger, got 10.200.1.0/29")

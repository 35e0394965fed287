"""What a stack needs around it, and the commands that bring it: providers, rights, roles, names, addresses."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from diagnosis import surroundings
from diagnosis.finding import Health
from naming import Names
from roles import Holder, When, rights_of
from settings import Settings, parse_settings

SUBSCRIPTION = "00000000-0000-4000-8000-00000000abcd"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/landing"
HUB = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/hub/providers"
IDENTITY = f"{HUB}/Microsoft.ManagedIdentity/userAssignedIdentities/ws"
STORAGE = f"{HUB}/Microsoft.Storage/storageAccounts/hubstorage"
PEER = "/subscriptions/other/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/hub"
PEERED = {"mode": "private", "address_space": "10.90.0.0/22", "peer_with": [PEER]}


class FakeArm:
    """Azure as lists and resources by path."""

    token = f"x.{base64.urlsafe_b64encode(json.dumps({'oid': 'me'}).encode()).decode().rstrip('=')}.x"

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}
        self.filters: list[str] = []

    def get(self, resource_id: str, api_version: str) -> Any:
        return self.found.get(resource_id)

    def get_all(self, path: str, api_version: str, query: Mapping[str, str] | None = None) -> Any:
        self.filters += (query or {}).values()
        return self.found.get(path, [])

    def permissions(self, scope: str, *actions: str, taken: tuple[str, ...] = ()) -> None:
        entry = {"actions": list(actions), "notActions": list(taken)}
        self.found.setdefault(f"{scope}/providers/Microsoft.Authorization/permissions", []).append(entry)

    def assignments(self, scope: str, granted: Mapping[str, str]) -> None:
        """Roles of the identity, by where they are assigned, as a list at `scope` shows them."""
        self.found[f"{scope}/providers/Microsoft.Authorization/roleAssignments"] = [
            {"properties": {"scope": where, "roleDefinitionId": f"/x/roleDefinitions/{role}"}}
            for role, where in granted.items()
        ]


@pytest.fixture
def arm() -> Any:
    return FakeArm()


def stack(**changes: Any) -> tuple[Settings, Names]:
    raw = {"team": "payments", "network": "public", "location": "westeurope", "endpoints": {}, **changes}
    settings = parse_settings(raw, stack="dev", today=date(2026, 1, 1))
    return settings, settings.names(SUBSCRIPTION)


def test_a_provider_that_is_not_registered_comes_with_its_command(arm: Any) -> None:
    listed = [{"namespace": name, "registrationState": "Registered"} for name in surroundings.PROVIDERS]
    arm.found[f"/subscriptions/{SUBSCRIPTION}/providers"] = listed
    (good,) = surroundings.check_providers(arm, SUBSCRIPTION)
    assert good.health is Health.GOOD
    listed[2]["registrationState"] = "NotRegistered"
    del listed[0]
    (bad,) = surroundings.check_providers(arm, SUBSCRIPTION)
    assert bad.text == "not registered: Microsoft.AlertsManagement, Microsoft.Cdn"
    assert bad.fix is not None
    assert bad.fix.endswith(f"az provider register --subscription {SUBSCRIPTION} --namespace Microsoft.Cdn --wait")


def test_in_a_given_group_no_right_on_the_subscription_is_looked_for(arm: Any) -> None:
    arm.permissions(GROUP, "*", taken=("Microsoft.Authorization/*/Write",))
    arm.permissions(GROUP, "Microsoft.Authorization/roleAssignments/write")
    (found,) = surroundings.check_permissions(arm, *stack(existing={"resource_group": GROUP}))
    assert found.health is Health.GOOD
    assert found.text == f"this login may create and assign roles on {GROUP}"


def test_a_contributor_without_the_right_to_assign_roles_is_told_which_role_is_missing_where(arm: Any) -> None:
    for scope in (GROUP, STORAGE):
        arm.permissions(scope, "*", taken=("Microsoft.Authorization/*/Write",))
    findings = surroundings.check_permissions(arm, *stack(existing={"resource_group": GROUP, "storage": STORAGE}))
    assert [(one.health, one.fix) for one in findings] == [
        (
            Health.PROBLEM,
            f'az role assignment create --assignee me --role "Role Based Access Control Administrator" --scope {scope}',
        )
        for scope in (GROUP, STORAGE)
    ]


def test_private_endpoints_in_a_given_subnet_need_the_right_to_join_it(arm: Any) -> None:
    arm.permissions(GROUP, "*")
    existing = {"resource_group": GROUP, "subnet": f"{PEER}/subnets/pe"}
    (bad,) = surroundings.check_permissions(arm, *stack(existing=existing, network={"mode": "private"}))
    assert bad.fix == f'az role assignment create --assignee me --role "Network Contributor" --scope {PEER}/subnets/pe'


def test_a_stack_without_a_group_needs_the_right_to_create_one(arm: Any) -> None:
    (found,) = surroundings.check_permissions(arm, *stack())
    assert "Microsoft.Resources/subscriptions/resourceGroups/write" in found.text
    assert f"on /subscriptions/{SUBSCRIPTION}." in found.text


def test_in_a_given_workspace_the_rights_on_it_and_on_what_it_stands_on_count(arm: Any) -> None:
    workspace = f"{HUB}/Microsoft.MachineLearningServices/workspaces/hub"
    arm.found[workspace] = {"properties": {"storageAccount": STORAGE, "containerRegistry": f"{HUB}/registry"}}
    arm.permissions(GROUP, "*", taken=("Microsoft.Authorization/*/Write",))
    for scope in (STORAGE, f"{HUB}/registry"):
        arm.permissions(scope, "Microsoft.Authorization/roleAssignments/write")
    arm.permissions(workspace, "Microsoft.MachineLearningServices/workspaces/*")
    existing = {"resource_group": GROUP, "workspace": workspace}
    (bad,) = surroundings.check_permissions(arm, *stack(existing=existing))
    assert bad.text.startswith(f"this login lacks Microsoft.Authorization/roleAssignments/write on {workspace}.")
    arm.permissions(workspace, "Microsoft.Authorization/roleAssignments/*")
    (good,) = surroundings.check_permissions(arm, *stack(existing=existing))
    assert good.text.endswith(f"{GROUP}, {workspace}, {STORAGE}, {HUB}/registry")


def test_a_given_identity_that_lacks_roles_comes_with_the_commands_that_grant_them(arm: Any) -> None:
    existing = {"resource_group": GROUP, "workspace_identity": IDENTITY, "storage": STORAGE}
    arm.found[IDENTITY] = {"properties": {"principalId": "p"}}
    (bad,) = surroundings.check_identity(arm, *stack(existing=existing))
    assert bad.health is Health.PROBLEM
    commands = str(bad.fix).split(" && ")
    contributor = "--assignee-object-id p --assignee-principal-type ServicePrincipal --role b24988ac-6180-42a0-ab88-"
    assert f"az role assignment create {contributor}20f7382dd24c --scope {STORAGE}" in commands
    assert f"az role assignment create {contributor}20f7382dd24c --scope {GROUP}" in commands
    assert len(commands) == len(set(commands))
    assert set(arm.filters) == {"principalId eq 'p'"}
    granted = {right.role: f"/subscriptions/{SUBSCRIPTION}" for right in rights_of(Holder.WORKSPACE)}
    for scope in (GROUP, STORAGE):
        arm.assignments(scope, granted)
    (good,) = surroundings.check_identity(arm, *stack(existing=existing))
    assert good.health is Health.GOOD


def test_a_role_below_or_beside_the_place_is_not_enough_and_owner_contains_contributor(arm: Any) -> None:
    existing = {"resource_group": GROUP, "workspace_identity": IDENTITY}
    arm.found[IDENTITY] = {"properties": {"principalId": "p"}}
    granted = {right.role: f"{GROUP}-other" for right in rights_of(Holder.WORKSPACE)}
    arm.assignments(GROUP, granted)
    (bad,) = surroundings.check_identity(arm, *stack(existing=existing))
    assert "contributor on the workspace" in bad.text
    arm.assignments(GROUP, {**{role: GROUP for role in granted}, surroundings.OWNER: GROUP})
    arm.found[f"{GROUP}/providers/Microsoft.Authorization/roleAssignments"] = [
        one
        for one in arm.found[f"{GROUP}/providers/Microsoft.Authorization/roleAssignments"]
        if not one["properties"]["roleDefinitionId"].endswith("b24988ac-6180-42a0-ab88-20f7382dd24c")
    ]
    (good,) = surroundings.check_identity(arm, *stack(existing=existing))
    assert good.health is Health.GOOD


def test_in_a_private_stack_the_identity_needs_the_right_to_approve_connections(arm: Any) -> None:
    existing = {"resource_group": GROUP, "workspace_identity": IDENTITY, "storage": STORAGE}
    arm.found[IDENTITY] = {"properties": {"principalId": "p"}}
    for scope in (GROUP, STORAGE):
        arm.assignments(scope, {right.role: scope for right in rights_of(Holder.WORKSPACE)})
    network = {"mode": "private", "address_space": "10.90.0.0/22"}
    (bad,) = surroundings.check_identity(arm, *stack(existing=existing, network=network))
    approver = next(
        right.role for right in rights_of(Holder.WORKSPACE, When.PRIVATE) if right.suffix == "connection-approver"
    )
    assert f"--role {approver} --scope {STORAGE}" in str(bad.fix)
    assert f"--role {approver} --scope {GROUP}" in str(bad.fix)


def test_an_endpoint_name_that_another_workspace_has_in_the_region_is_taken(arm: Any) -> None:
    settings, names = stack(endpoints={"fraud": {"name": "fraud-dev"}, "churn": {}})
    listed = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.MachineLearningServices/workspaces"
    other = {"id": "/other", "location": "West Europe"}
    far = {"id": "/far", "location": "eastus"}
    arm.found[listed] = [other, far, {"id": names.workspace_id.upper(), "location": "westeurope"}]
    for workspace in ("/other", "/far", names.workspace_id.upper()):
        arm.found[f"{workspace}/onlineEndpoints"] = [{"name": "fraud-dev"}]
    (bad,) = surroundings.check_endpoint_names(arm, settings, names)
    assert bad.text == "taken in westeurope: fraud-dev in /other. Set another sluice:endpoints.<key>.name"
    arm.found["/other/onlineEndpoints"] = []
    (good,) = surroundings.check_endpoint_names(arm, settings, names)
    assert good.health is Health.GOOD


def test_a_range_that_overlaps_a_peer_in_another_subscription_is_a_problem(arm: Any) -> None:
    settings, _ = stack(network=PEERED)
    (absent,) = surroundings.check_addresses(arm, settings)
    assert absent.text == f"{PEER} in sluice:network.peer_with does not exist"
    arm.found[PEER] = {"properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16", "10.90.2.0/24"]}}}
    (bad,) = surroundings.check_addresses(arm, settings)
    assert bad.text == f"10.90.0.0/22 overlaps 10.90.2.0/24 of {PEER}: Azure refuses to peer them"
    arm.found[PEER] = {"properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}
    (good,) = surroundings.check_addresses(arm, settings)
    assert good.health is Health.GOOD


def test_a_deleted_log_analytics_workspace_comes_back_or_is_in_the_way(arm: Any) -> None:
    settings, names = stack()
    listed = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.OperationalInsights/deletedWorkspaces"
    kept = f"{names.resource_group_id}/providers/Microsoft.OperationalInsights/workspaces/{names.log_analytics}"
    arm.found[listed] = [{"id": kept.replace("resourceGroups", "resourcegroups"), "location": "West Europe"}]
    (note,) = surroundings.check_kept_logs(arm, settings, names)
    assert note.health is Health.NOTE
    arm.found[listed][0]["location"] = "eastus"
    (bad,) = surroundings.check_kept_logs(arm, settings, names)
    assert bad.text.endswith("of eastus. Set sluice:generation: 2 in Pulumi.dev.yaml")
    others = (f"{kept}-other", kept.replace(names.resource_group, "another"))
    arm.found[listed] = [{"id": one, "location": "eastus"} for one in others]
    assert list(surroundings.check_kept_logs(arm, settings, names)) == []

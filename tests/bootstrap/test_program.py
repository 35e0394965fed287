"""What one environment gets: the whole tree, and what no pipeline may do."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from bootstrap.rights import grant_condition, places_outside
from localazure.arm.role_conditions import Attempt, parse_condition
from naming import Names
from roles import GRANTED_BY_STACK, RIGHTS, Holder, Place, Role
from tests.components.engine import SUBSCRIPTION_ID, Deployment, FakeAzure, deploy
from tests.components.golden import assert_golden

PROGRAM = Path(__file__).parents[2] / "bootstrap" / "__main__.py"
TEAM = "11111111-1111-4111-8111-111111111111"
HUB = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/hub/providers"
VNET = f"{HUB}/Microsoft.Network/virtualNetworks/hub"
ZONE = f"{HUB}/Microsoft.Network/privateDnsZones/privatelink.azurecr.io"
LOGS = f"{HUB}/Microsoft.OperationalInsights/workspaces/logs"
VAULT = f"{HUB}/Microsoft.KeyVault/vaults/keys"
OPERATOR = f"{HUB}/Microsoft.ManagedIdentity/userAssignedIdentities/encryption"
SCOPE = f"{HUB}/Microsoft.Insights/privateLinkScopes/ampls"
ALERTS = f"{HUB}/Microsoft.Insights/actionGroups/oncall"
LEAST: dict[str, Any] = {
    "azure-native:location": "westeurope",
    "bootstrap:team": "payments",
    "bootstrap:environment": "prod",
    "bootstrap:github": {"subject_prefixes": ["repo:acme@1/models@2", "repo:acme@1/more@3"]},
}
MOST = {
    **LEAST,
    "bootstrap:azure_devops": {
        "issuer": "https://login.example.org/v2.0",
        "preview": ["/eid1/a"],
        "deploy": ["/eid1/b"],
    },
    "bootstrap:stacks": ["prod", "prod-eu"],
    "bootstrap:groups": [TEAM],
    "bootstrap:outside": [VNET, f"{VNET}/subnets/endpoints", ZONE, LOGS, VAULT, OPERATOR, ALERTS, SCOPE],
    "bootstrap:tags": {"CostCenter": "4711"},
    "bootstrap:protect": "false",
}


def up(config: dict[str, Any]) -> Deployment:
    azure = FakeAzure(Names(team="payments", stack="prod", subscription_id=SUBSCRIPTION_ID))
    return deploy(
        lambda: runpy.run_path(str(PROGRAM), run_name="__main__"), azure, config=config, stack="payments-prod"
    )


@pytest.fixture(scope="module")
def least() -> Deployment:
    return up(LEAST)


@pytest.fixture(scope="module")
def most() -> Deployment:
    return up(MOST)


def test_an_environment_is_this_tree(least: Deployment) -> None:
    assert_golden("bootstrap-least", least.tree())


def test_an_environment_with_everything_is_this_tree(most: Deployment) -> None:
    assert_golden("bootstrap-most", most.tree())


def roles_of(deployment: Deployment, job: str) -> set[tuple[str, str]]:
    principal = f"principal-of-{job}-identity"
    return {
        (one.inputs["roleDefinitionId"].rsplit("/", 1)[-1], one.inputs["scope"])
        for one in deployment.of_type("RoleAssignment")
        if one.inputs["principalId"] == principal
    }


def test_who_previews_reads_and_writes_nothing(most: Deployment) -> None:
    reading = {Role.READER, Role.STORAGE_BLOB_DATA_READER, Role.KEY_VAULT_CRYPTO_USER}
    assert {role for role, _ in roles_of(most, "preview")} == reading
    assert {role for role, _ in roles_of(most, "preview")} == {right.role for right in RIGHTS[Holder.PREVIEW]}


def test_no_pipeline_has_a_right_on_the_group_of_state_key_and_identities(most: Deployment) -> None:
    own = {most.one("ResourceGroup", "bootstrap-group").id, most.one("Vault").id, most.one("StorageAccount").id}
    assert not {scope for job in ("preview", "deploy") for _, scope in roles_of(most, job)} & own


def test_who_deploys_has_on_each_id_outside_what_its_kind_needs_and_reads_all(most: Deployment) -> None:
    outside = {scope: role for role, scope in roles_of(most, "deploy") if role != Role.READER and scope.startswith(HUB)}
    assert outside == {
        VNET: Role.NETWORK_CONTRIBUTOR,
        f"{VNET}/subnets/endpoints": Role.NETWORK_CONTRIBUTOR,
        ZONE: Role.PRIVATE_DNS_ZONE_CONTRIBUTOR,
        LOGS: Role.LOG_ANALYTICS_CONTRIBUTOR,
        SCOPE: Role.MONITORING_CONTRIBUTOR,
        VAULT: Role.ROLE_BASED_ACCESS_CONTROL_ADMINISTRATOR,
        OPERATOR: Role.MANAGED_IDENTITY_OPERATOR,
    }
    for job in ("preview", "deploy"):
        read = {scope for role, scope in roles_of(most, job) if role == Role.READER and scope.startswith(HUB)}
        assert read == set(MOST["bootstrap:outside"])


def test_whoever_assigns_roles_does_it_under_the_condition(most: Deployment) -> None:
    for one in most.of_type("RoleAssignment"):
        administers = one.inputs["roleDefinitionId"].endswith(Role.ROLE_BASED_ACCESS_CONTROL_ADMINISTRATOR)
        assert one.inputs.get("condition") == (grant_condition([TEAM]) if administers else None), one.name
        assert one.inputs.get("conditionVersion") == ("2.0" if administers else None), one.name


def test_credentials_of_one_identity_are_written_one_after_another(most: Deployment) -> None:
    credentials = most.of_type("FederatedIdentityCredential")
    for job in ("preview", "deploy"):
        own = {one.urn: one for one in credentials if one.name.startswith(f"{job}-")}
        waits_for = [one.depends_on & own.keys() for one in own.values()]
        assert sorted(len(found) for found in waits_for) == [0, 1, 1, 1, 1]
        assert len({next(iter(found)) for found in waits_for if found}) == 4, "two wait for the same one"


def test_a_further_subject_renames_no_credential(least: Deployment) -> None:
    prefixes = ["repo:acme@1/zero@9", *LEAST["bootstrap:github"]["subject_prefixes"]]
    more = up({**LEAST, "bootstrap:github": {"subject_prefixes": prefixes}})
    before, after = ({one.name for one in each.of_type("FederatedIdentityCredential")} for each in (least, more))
    assert before < after


def test_the_config_is_refused_with_everything_that_is_wrong() -> None:
    with pytest.raises(Exception, match=r"bootstrap/Pulumi.payments-prod.yaml has 2 problems; nothing was changed:"):
        up({**LEAST, "bootstrap:team": "P", "bootstrap:environment": "Prod"})


@pytest.mark.parametrize("role", sorted(GRANTED_BY_STACK))
def test_the_condition_lets_every_role_of_the_stack_through_for_identities_and_listed_groups(role: str) -> None:
    condition = parse_condition(grant_condition([TEAM]))
    write = "microsoft.authorization/roleassignments/write"
    assert condition(Attempt(write, request={"roledefinitionid": role, "principaltype": "ServicePrincipal"}))
    assert condition(Attempt(write, request={"roledefinitionid": role, "principaltype": "Group", "principalid": TEAM}))
    assert not condition(
        Attempt(write, request={"roledefinitionid": role, "principaltype": "User", "principalid": "x"})
    )


@pytest.mark.parametrize(
    "role",
    [
        "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        Role.ROLE_BASED_ACCESS_CONTROL_ADMINISTRATOR,
    ],
)
def test_the_condition_refuses_roles_by_which_the_pipeline_could_rise(role: str) -> None:
    condition = parse_condition(grant_condition([TEAM]))
    given = {"roledefinitionid": role, "principaltype": "ServicePrincipal"}
    assert not condition(Attempt("microsoft.authorization/roleassignments/write", request=given))
    assert not condition(Attempt("microsoft.authorization/roleassignments/delete", resource=given))


def test_one_id_in_two_spellings_is_one_id() -> None:
    found = places_outside([VNET, VNET.upper().replace("/SUBSCRIPTIONS/", "/subscriptions/")])
    assert {place: len(ids) for place, ids in found.items()} == {Place.OUTSIDE: 1, Place.NETWORKS_OUTSIDE: 1}

"""The table of roles: the rows that were asked for, the page that shows them, and the names of assignments."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from roles import GRANTED_BY_STACK, RIGHTS, Holder, Place, Right, Role, When, assignment_name, rights_of

PAGE = Path(__file__).parents[1] / "docs" / "roles.md"

DEMANDED = """
id-<base>-workspace | b24988ac | storage account, key vault, container registry, Application Insights, workspace
id-<base>-workspace | ba92f5b4 | storage account
id-<base>-workspace | 69566ab7 | storage account
id-<base>-workspace | 00482a5a | key vault
id-<base>-workspace | b556d68e | resource group, resources of outbound rules in other groups | private stacks
id-<base>-workspace | acdd72a7 | private endpoint of blob, private endpoint of file | private stacks
id-<base>-<key> | 7f951dda | container registry
id-<base>-<key> | 2a2b9908 | storage account
id-<base>-<key> | 635dd51f | workspace
id-<base>-<key> | 1823dd4f | Azure ML registries that its deployments use
id-<base>-<key> | 4633458b | vaults in secret_vaults
id-<base>-<key> | ea01e6af | workspace | with connection_secrets
id-<base>-compute | 8311e382 | container registry
id-<base>-compute | ba92f5b4 | storage account
id-<base>-compute | 974c5e8b | storage account | with compute.batch
id-<base>-compute | 0a9a7e1f | storage account | with compute.batch
customer_key.identity_id | e147488a | customer_key.vault_id
access.scientists | f6c7c914 | workspace
access.scientists | ba92f5b4 | storage account
access.operators | e503ece1 | workspace
access.readers | acdd72a7 | resource group
id-<team>-<environment>-preview | acdd72a7 | resource group, ids outside the group
id-<team>-<environment>-preview | 2a2b9908 | container of the state
id-<team>-<environment>-preview | 12338af0 | key of the state's secrets
id-<team>-<environment>-deploy | b24988ac | resource group
id-<team>-<environment>-deploy | f58310d9 | resource group | restricted to the roles and holders of this page
id-<team>-<environment>-deploy | ba92f5b4 | resource group, container of the state
id-<team>-<environment>-deploy | 12338af0 | key of the state's secrets
id-<team>-<environment>-deploy | acdd72a7 | ids outside the group
id-<team>-<environment>-deploy | 4d97b98b | networks and subnets outside the group
id-<team>-<environment>-deploy | b12aa53e | private DNS zones outside the group
id-<team>-<environment>-deploy | 92aaf0da | Log Analytics workspaces outside the group
id-<team>-<environment>-deploy | 749f88d5 | private link scopes outside the group
id-<team>-<environment>-deploy | f1a07417 | identities outside the group
"""
"""Holder, the role's first digits, places, condition: written by hand, so that a slip in the table shows."""

ROW_WITH_COMMA = (
    *("id-<team>-<environment>-deploy", "f58310d9", "other resources outside the group, but no action groups"),
    "restricted to the roles and holders of this page",
)


def demanded() -> set[tuple[str, str, str, str]]:
    rows = (line.split(" | ") for line in DEMANDED.strip().splitlines())
    found = {(row[0], row[1], place, (*row, "")[3]) for row in rows for place in row[2].split(", ")}
    return {*found, ROW_WITH_COMMA}


def test_the_table_has_the_rows_that_were_asked_for_and_no_others() -> None:
    rows = [(holder, right) for holder, rights in RIGHTS.items() for right in rights]
    assert {(holder, right.role[:8], right.place, right.when) for holder, right in rows} == demanded()
    assert len(rows) == len(demanded())


def row(holder: Holder, right: Right) -> str:
    return f"| `{holder}` | {spoken(right.role)} | `{right.role}` | {right.place} | {right.when or 'always'} |"


def spoken(role: Role) -> str:
    names = {
        Role.ACR_PULL: "AcrPull",
        Role.ACR_PUSH: "AcrPush",
        Role.AZUREML_REGISTRY_USER: "AzureML Registry User",
        Role.AZUREML_METRICS_WRITER: "AzureML Metrics Writer (preview)",
        Role.AZUREML_DATA_SCIENTIST: "AzureML Data Scientist",
        Role.AZUREML_COMPUTE_OPERATOR: "AzureML Compute Operator",
        Role.CONNECTION_SECRETS_READER: "Azure Machine Learning Workspace Connection Secrets Reader",
        Role.NETWORK_CONNECTION_APPROVER: "Azure AI Enterprise Network Connection Approver",
    }
    return names.get(role, role.name.replace("_", " ").title())


def test_the_page_shows_the_table() -> None:
    shown = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert shown == [row(holder, right) for holder, rights in RIGHTS.items() for right in rights]


def test_a_right_has_one_logical_name() -> None:
    for rights in RIGHTS.values():
        one_each = [right for right in rights if right.place is not Place.RULE_TARGETS]
        assert len({right.suffix for right in one_each}) == len(one_each)


def test_a_condition_adds_rows_and_takes_none_away() -> None:
    always = set(rights_of(Holder.COMPUTE))
    batch = set(rights_of(Holder.COMPUTE, When.BATCH))
    assert {right.role for right in batch - always} == {
        Role.STORAGE_QUEUE_DATA_CONTRIBUTOR,
        Role.STORAGE_TABLE_DATA_CONTRIBUTOR,
    }
    assert always < batch


def test_the_stack_assigns_no_role_that_can_assign_roles() -> None:
    owner, access_administrator = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
    access_control_administrator = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"
    assert GRANTED_BY_STACK.isdisjoint({owner, access_administrator, access_control_administrator})


@pytest.mark.parametrize("role", list(Role))
def test_every_role_is_a_guid(role: Role) -> None:
    assert str(UUID(role)) == role


def test_an_assignment_keeps_the_name_that_stacks_of_earlier_versions_have() -> None:
    group = "/subscriptions/00000000-0000-4000-8000-00000000abcd/resourceGroups/rg-payments-dev"
    name = assignment_name(group, role=Role.ACR_PULL, identity_name="id-payments-dev-fraud", scope_name="crpayments")
    assert name == "6db51bd4-bf63-5fb6-ab2d-bef7e2c8dcdb"

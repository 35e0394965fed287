"""Conditions of role assignments: the documented subset, and what it refuses to read."""

from __future__ import annotations

import uuid

import pytest

from localazure.arm.role_conditions import Attempt, attributes_of, parse_condition
from localazure.errors import NotEmulated
from tests.localazure.platform_bodies import GROUP, SUBSCRIPTION

WRITE, DELETE = "microsoft.authorization/roleassignments/write", "microsoft.authorization/roleassignments/delete"
PULL, OWNER = "7f951dda-4ed3-4680-a7ca-43fe172d538d", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
TEAM = "11111111-1111-4111-8111-111111111111"
# As in the examples of the documentation: spread over lines.
CONDITION = f"""
(
 (
  !(ActionMatches{{'Microsoft.Authorization/roleAssignments/write'}})
 )
 OR
 (
  @Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{PULL}}}
  AND
  (
   @Request[Microsoft.Authorization/roleAssignments:PrincipalType]
   ForAnyOfAnyValues:StringEqualsIgnoreCase {{'ServicePrincipal'}}
   OR
   @Request[Microsoft.Authorization/roleAssignments:PrincipalId] ForAnyOfAnyValues:GuidEquals {{{TEAM}}}
  )
 )
)
AND
(
 (
  !(ActionMatches{{'Microsoft.Authorization/roleAssignments/delete'}})
 )
 OR
 (
  @Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{PULL}}}
 )
)
"""


def assignment(role: str = PULL, **properties: str) -> dict[str, str]:
    role_id = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role.upper()}"
    return attributes_of({"roleDefinitionId": role_id, **properties})


@pytest.mark.parametrize(
    ("attempt", "allowed"),
    [
        (Attempt(WRITE, request=assignment(principalType="servicePrincipal")), True),
        (Attempt(WRITE, request=assignment(principalType="Group", principalId=TEAM.upper())), True),
        (Attempt(WRITE, request=assignment(principalType="Group", principalId=str(uuid.uuid4()))), False),
        (Attempt(WRITE, request=assignment()), False),
        (Attempt(WRITE, request=assignment(OWNER, principalType="ServicePrincipal")), False),
        (Attempt(WRITE, resource=assignment(principalType="ServicePrincipal")), False),
        (Attempt(DELETE, resource=assignment()), True),
        (Attempt(DELETE, resource=assignment(OWNER)), False),
        (Attempt(DELETE), False),
        (Attempt("microsoft.authorization/roleassignments/read"), True),
    ],
)
def test_a_condition_decides_about_one_assignment(attempt: Attempt, allowed: bool) -> None:
    assert parse_condition(CONDITION)(attempt) is allowed


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ("ActionMatches{'a'} OR ActionMatches{'b'} AND ActionMatches{'c'}", True),
        ("(ActionMatches{'a'} OR ActionMatches{'b'}) AND ActionMatches{'c'}", False),
        ("NOT ActionMatches{'b'} && !ActionMatches{'c'}", True),
        ("ActionMatches{'b', 'a'}", True),
    ],
)
def test_and_binds_more_than_or_and_not_most(condition: str, allowed: bool) -> None:
    assert parse_condition(condition)(Attempt("a")) is allowed


@pytest.mark.parametrize(
    "condition",
    [
        "",
        "ActionMatches{'a'} AND",
        "ActionMatches{'a'} ActionMatches{'b'}",
        "(ActionMatches{'a'}",
        "ActionMatches{'Microsoft.Authorization/*'}",
        "ActionMatches{a}",
        "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name] StringEquals 'x'",
        "@Environment[UtcNow] DateTimeGreaterThan '2024-05-01'",
        f"@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] GuidEquals {PULL}",
        f"@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAllOfAnyValues:GuidEquals {{{PULL}}}",
        f"@Request[Microsoft.Authorization/roleAssignments:Scope] ForAnyOfAnyValues:GuidEquals {{{PULL}}}",
        "SubOperationMatches{'Blob.List'}",
    ],
)
def test_what_the_subset_does_not_have_is_refused_and_never_taken_for_true(condition: str) -> None:
    with pytest.raises(NotEmulated, match="The condition of a role assignment"):
        parse_condition(condition)


@pytest.fixture
def group(arm):
    arm.make_group()
    return arm


@pytest.mark.proves("roleAssignments", refuses=["properties.condition", "properties.conditionVersion"])
def test_a_condition_is_checked_when_it_is_sent(group) -> None:
    path = f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    sent = {"principalId": TEAM, "roleDefinitionId": f"/x/{PULL}", "condition": CONDITION}
    for version in (None, "1.0"):
        refused = group.put(path, {"properties": sent | {"conditionVersion": version}})
        assert (refused.status, refused.code) == (400, "InvalidRequestContent")
    unread = {"condition": "@Environment[UtcNow] DateTimeGreaterThan 'x'", "conditionVersion": "2.0"}
    assert group.put(path, {"properties": sent | unread}).status == 501
    stored = group.put(path, {"properties": sent | {"conditionVersion": "2.0"}})
    assert (stored.status, stored.properties["condition"]) == (201, CONDITION)


@pytest.mark.proves("roleDefinitions", refuses=["properties.roleName", "properties.assignableScopes"])
def test_a_custom_role_has_a_name_of_its_own_and_stays_while_it_is_assigned(group) -> None:
    base = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"
    path = f"{base}/{uuid.uuid4()}"
    sent = {"roleName": "Locks", "assignableScopes": [GROUP], "permissions": [{"actions": ["a"]}]}
    for field, value in (("roleName", None), ("roleName", ""), ("assignableScopes", []), ("assignableScopes", None)):
        assert group.put(path, {"properties": sent | {field: value}}).status == 400
    assert group.put(path, {"properties": sent | {"roleName": "Owner"}}).code == "RoleDefinitionWithSameNameExists"
    assert group.put(f"{base}/{OWNER}", {"properties": sent}).status == 400
    role = group.put(path, {"properties": sent})
    assert (role.status, role.properties["type"]) == (201, "CustomRole")
    assert group.put(f"{base}/{uuid.uuid4()}", {"properties": sent}).code == "RoleDefinitionWithSameNameExists"
    assert group.put(path, {"properties": sent}).status == 200
    granted = f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    group.put(granted, {"properties": {"principalId": TEAM, "roleDefinitionId": path}})
    assert group.delete(path).code == "RoleDefinitionHasAssignments"
    group.delete(granted)
    assert group.delete(path).status == 200
    assert group.get(path).status == 404

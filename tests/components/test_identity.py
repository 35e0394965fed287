"""Identities and role assignments: exactly the rights named, under names that are the same in every run."""

from __future__ import annotations

import logging
from uuid import UUID

import pulumi
import pytest
from pulumi_azure_native import resources

from assessment.placement import Placement
from components import identity as identity_module
from components.identity import Identity, IdentityArgs
from components.placement import Scope
from components.role_assignment import Grant
from roles import Role
from tests.components.conftest import in_group
from tests.components.engine import SUBSCRIPTION_ID, Deployment, FakeAzure, deploy


def identity(azure: FakeAzure, placement: Placement, *grants: Grant, identity_name: str = "id-one") -> Deployment:
    args = IdentityArgs(placement=in_group(placement), identity_name=identity_name, grants=grants)
    return deploy(lambda: Identity("one", args), azure)


PULL = Grant(suffix="pull", role=Role.ACR_PULL, scope=Scope(id="/registry", name="registry"))
READ = Grant(suffix="read", role=Role.STORAGE_BLOB_DATA_READER, scope=Scope(id="/storage", name="storage"))


def test_an_identity_has_the_rights_it_was_given_and_no_other(azure: FakeAzure, placement: Placement) -> None:
    deployment = identity(azure, placement, PULL, READ)
    assert [(one.inputs["scope"], one.inputs["roleDefinitionId"]) for one in deployment.of_type("RoleAssignment")] == [
        (
            "/registry",
            f"/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.Authorization/roleDefinitions/{PULL.role}",
        ),
        ("/storage", f"/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.Authorization/roleDefinitions/{READ.role}"),
    ]


def test_rights_go_to_the_identitys_principal_without_a_look_up_in_entra(
    azure: FakeAzure, placement: Placement
) -> None:
    assignment = identity(azure, placement, PULL).one("RoleAssignment").inputs
    assert assignment["principalId"] == "principal-of-one-identity"
    assert assignment["principalType"] == "ServicePrincipal"


def test_the_name_of_an_assignment_is_the_same_in_every_run(azure: FakeAzure, placement: Placement) -> None:
    first, second = (identity(azure, placement, PULL).one("RoleAssignment").inputs for _ in range(2))
    assert first["roleAssignmentName"] == second["roleAssignmentName"]
    assert UUID(first["roleAssignmentName"]).version == 5


@pytest.mark.parametrize(
    ("other", "identity_name"),
    [
        (Grant(suffix="pull", role=Role.READER, scope=Scope(id="/registry", name="registry")), "id-one"),
        (Grant(suffix="pull", role=Role.ACR_PULL, scope=Scope(id="/registry", name="another")), "id-one"),
        (PULL, "id-two"),
    ],
)
def test_another_role_scope_or_identity_has_another_assignment(
    azure: FakeAzure, placement: Placement, other: Grant, identity_name: str
) -> None:
    first = identity(azure, placement, PULL).one("RoleAssignment").inputs
    second = identity(azure, placement, other, identity_name=identity_name).one("RoleAssignment").inputs
    assert first["roleAssignmentName"] != second["roleAssignmentName"]


def test_who_depends_on_an_identity_waits_for_its_rights(azure: FakeAzure, placement: Placement) -> None:
    args = IdentityArgs(placement=in_group(placement), identity_name="id", grants=[PULL])

    def program() -> None:
        one = Identity("one", args)
        Identity("two", args, opts=pulumi.ResourceOptions(depends_on=[one]))

    deployment = deploy(program, azure)
    assert deployment.one("RoleAssignment", "one-pull").urn in deployment.one("Identity", "two").depends_on


@pytest.fixture
def waits(azure: FakeAzure, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Ends every wait at once, and records its position among the created resources."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        azure.made.append("wait")

    monkeypatch.setattr(identity_module, "pause", sleep)
    return waits


def used(azure: FakeAzure, placement: Placement, seconds: float, *, preview: bool = False) -> None:
    """An identity with two roles, and a resource that acts as it."""

    def program() -> None:
        args = IdentityArgs(
            placement=in_group(placement),
            identity_name="id-one",
            grants=(PULL, READ),
            role_delay_seconds=seconds,
        )
        one = Identity("one", args)
        resources.ResourceGroup("user", resource_group_name="rg", tags={"acts-as": one.id})

    deploy(program, azure, preview=preview)


def test_what_uses_an_identity_waits_after_its_last_role(
    azure: FakeAzure, placement: Placement, waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    used(azure, placement, 180)
    *before, wait, user = azure.made
    assert (set(before), wait, user) == ({"one-identity", "one-pull", "one-read"}, "wait", "user")
    assert waits == [180]
    assert [record.getMessage() for record in caplog.records if "waiting" in record.getMessage()] == [
        "The roles of id-one are assigned. Azure needs some minutes to put them into effect: waiting 180 s "
        "(sluice:limits.role_delay) before anything uses them."
    ]


@pytest.mark.parametrize(("seconds", "preview"), [(0, False), (180, True)], ids=["no delay", "a preview"])
def test_nothing_is_waited_for_without_a_delay_or_in_a_preview(
    azure: FakeAzure, placement: Placement, waits: list[float], seconds: float, preview: bool
) -> None:
    used(azure, placement, seconds, preview=preview)
    assert waits == []
    assert "user" in azure.made

"""ARM ids: every part by its name, whatever the case."""

from __future__ import annotations

import pytest

from arm_id import ArmId, group_id_of, places_around, subscription_id_of, type_of
from naming import Names

NAMES = Names(team="payments", stack="dev", subscription_id="s-1")


def test_an_id_that_this_program_made_is_read_into_its_names() -> None:
    found = ArmId.parse(NAMES.deployment_id("fraud-dev", "blue"))
    assert (found.subscription_id, found.resource_group) == ("s-1", NAMES.resource_group)
    assert found.type == "microsoft.machinelearningservices/workspaces/onlineendpoints/deployments"
    assert found.names == {"workspaces": NAMES.workspace, "onlineendpoints": "fraud-dev", "deployments": "blue"}
    assert found.name == "blue"


def test_azure_may_write_an_id_in_another_case() -> None:
    found = ArmId.parse(NAMES.workspace_id.lower().replace("resourcegroups", "RESOURCEGROUPS"))
    assert found.type == "microsoft.machinelearningservices/workspaces"
    assert found.resource_group == NAMES.resource_group


@pytest.mark.parametrize(
    "text",
    [
        "",
        "blue",
        NAMES.resource_group_id,
        f"{NAMES.workspace_id}/",
        f"{NAMES.workspace_id}/onlineEndpoints",
        f"{NAMES.workspace_id}/onlineEndpoints/",
        f"{NAMES.resource_group_id}/{NAMES.workspace}",
    ],
)
def test_a_text_that_is_not_an_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not the ARM id"):
        ArmId.parse(text)


@pytest.mark.parametrize(
    ("text", "subscription", "group"),
    [
        (NAMES.workspace_id, "s-1", NAMES.resource_group_id),
        (NAMES.resource_group_id, "s-1", NAMES.resource_group_id),
        (f"{NAMES.workspace_id}/providers/Microsoft.Authorization/roleAssignments/a", "s-1", NAMES.resource_group_id),
        ("/subscriptions/s-1/providers/Microsoft.KeyVault/locations/here", "s-1", None),
        ("/SUBSCRIPTIONS/s-1", "s-1", None),
        ("0e7d1f3c", None, None),
        ("", None, None),
    ],
)
def test_any_id_tells_its_subscription_and_its_group(text: str, subscription: str | None, group: str | None) -> None:
    assert (subscription_id_of(text), group_id_of(text)) == (subscription, group)


def test_what_a_resource_lies_in_is_listed_from_the_nearest_to_its_group():
    group = "/subscriptions/s/resourceGroups/g"
    account = f"{group}/providers/Microsoft.Storage/storageAccounts/st"
    assert places_around(f"{account}/blobServices/default") == [account, group]
    assert places_around(f"{account}/providers/Microsoft.Authorization/roleAssignments/a") == [account, group]
    assert places_around(f"{group}/providers/Microsoft.Authorization/roleAssignments/a") == [group]
    assert places_around(group) == []
    assert places_around("/subscriptions/s/providers/Microsoft.Authorization/roleAssignments/a") == []
    assert type_of(f"{account}/blobServices/default") == "Microsoft.Storage/storageAccounts/blobServices"

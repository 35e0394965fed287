"""ARM ids: every part by its name, whatever the case."""

from __future__ import annotations

import pytest

from arm_id import ArmId
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

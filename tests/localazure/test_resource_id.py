"""ARM ids: what each part of one is."""

from __future__ import annotations

import pytest

from localazure.resource_id import ResourceId

GROUP = "/subscriptions/s/resourceGroups/g"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/w"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (GROUP, ()),
        (WORKSPACE, ("w",)),
        (f"{WORKSPACE}/onlineEndpoints/fraud/deployments/blue", ("w", "fraud", "blue")),
        (f"{WORKSPACE}/providers/Microsoft.Insights/diagnosticSettings/logs", ("logs",)),
        (f"{WORKSPACE}/onlineEndpoints", ("w",)),
    ],
)
def test_the_names_of_an_id_are_those_in_its_provider(text: str, names: tuple[str, ...]) -> None:
    assert ResourceId(text).names == names


@pytest.mark.parametrize("text", [WORKSPACE, f"{WORKSPACE}/onlineEndpoints/fraud", f"{WORKSPACE}/onlineEndpoints"])
def test_the_outermost_ancestor_of_an_id_in_a_workspace_is_the_workspace(text: str) -> None:
    assert ResourceId(text).ancestor(1) == WORKSPACE


def test_an_ancestor_is_named_by_its_level() -> None:
    deployment = ResourceId(f"{WORKSPACE}/onlineEndpoints/fraud/deployments/blue")
    assert deployment.ancestor(2) == f"{WORKSPACE}/onlineEndpoints/fraud"
    assert deployment.ancestor(3) == deployment.text
    with pytest.raises(AssertionError, match="has no ancestor 4"):
        deployment.ancestor(4)


@pytest.mark.parametrize(("text", "group"), [(GROUP, GROUP), (WORKSPACE, GROUP), ("/subscriptions/s", "")])
def test_the_group_of_an_id_is_known_by_its_id(text: str, group: str) -> None:
    assert ResourceId(text).resource_group_id == group

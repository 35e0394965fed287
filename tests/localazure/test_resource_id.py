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

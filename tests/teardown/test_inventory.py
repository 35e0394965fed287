"""What a state document contains: the order of dependencies, what is protected, what serves."""

from typing import Any

import pytest

from teardown.inventory import beside, dependents_of, items_of, still_serving, unprotected

ORDER = ["group", "logs", "insights", "workspace", "endpoint", "deployment", "alone"]


def resource(name: str, **more: Any) -> dict[str, Any]:
    return {"urn": name, "type": f"azure-native:x:{name}", "id": f"/rg/{name}", **more}


STATE = {
    "deployment": {
        "resources": [
            resource("group", protect=True),
            resource("logs", dependencies=["group"]),
            resource("insights", propertyDependencies={"workspaceResourceId": ["logs"]}),
            resource("workspace", dependencies=["insights"], protect=True),
            resource("endpoint", parent="workspace", protect=True),
            resource("deployment", deletedWith="endpoint"),
            {"urn": "alone", "type": "sluice:index:Component"},
        ]
    }
}


@pytest.mark.parametrize(
    ("urn", "needing"),
    [
        ("workspace", ["endpoint", "deployment"]),
        ("logs", ["insights", "workspace", "endpoint", "deployment"]),
        ("deployment", []),
        ("group", ORDER[1:-1]),
    ],
)
def test_what_cannot_outlive_a_resource_is_found_through_every_kind_of_need(urn: str, needing: list[str]) -> None:
    assert [item.urn for item in dependents_of(items_of(STATE), urn)] == needing


def test_only_the_named_resources_lose_their_protection() -> None:
    changed = unprotected(STATE, {"group", "endpoint"})["deployment"]["resources"]
    assert [one["urn"] for one in changed if one.get("protect")] == ["workspace"]
    assert [one["urn"] for one in STATE["deployment"]["resources"] if one.get("protect")]  # the original is unchanged


def test_live_and_mirror_weights_both_serve_and_zero_does_not() -> None:
    endpoints = [
        {"name": "a", "properties": {"traffic": {"blue": 90, "green": 10}, "mirrorTraffic": {}}},
        {"name": "b", "properties": {"traffic": {"blue": 0}, "mirrorTraffic": {"green": 20}}},
        {"name": "c", "properties": {"traffic": {"blue": 0}, "mirrorTraffic": None}},
        {"name": "d", "properties": None},
    ]
    assert still_serving(endpoints) == ["a serves: blue 90, green 10", "b serves: mirror green 20"]


def test_what_is_in_the_group_and_not_in_the_state_is_named() -> None:
    assert beside(items_of(STATE), [{"id": "/RG/logs"}, {"id": "/rg/nic"}, {}]) == ["/rg/nic"]

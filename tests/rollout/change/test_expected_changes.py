"""Which changes of a preview belong to a change of instances: those, and nothing that only looks like them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rollout.change.expected_changes import autoscale_update, count_update, others, removal, scale_down
from rollout.events import Change, Preview

SETTING = "azure-native:monitor:AutoscaleSetting"
DEPLOYMENT = "azure-native:machinelearningservices:OnlineDeployment"
RULES = "profiles[0].rules[0].metricTrigger.threshold"


def profiles(least: int, default: int = 8, *, night: int = 2) -> dict[str, Any]:
    def profile(name: str, minimum: int) -> dict[str, Any]:
        return {"name": name, "capacity": {"minimum": str(minimum), "maximum": "10", "default": str(default)}}

    return {"profiles": [profile("default", least), profile('{"for":"night"}', least), profile("night", night)]}


UPDATE = Change(
    op="update",
    urn="urn:setting",
    type=SETTING,
    name="fraud-blue-autoscale-setting",
    diffs=("profiles[0].capacity.minimum", "profiles[1].capacity.minimum"),
    old_inputs=profiles(3),
    inputs=profiles(8),
)


def test_the_update_of_the_floor_is_expected() -> None:
    expected = autoscale_update("fraud", "blue", {"autoscale.min": 8, "instances": 8})
    assert others(Preview(changes=(UPDATE,)), expected) == ()
    assert others(Preview(), expected) == ()


@pytest.mark.parametrize(
    "change",
    [
        replace(UPDATE, op="replace"),
        replace(UPDATE, type=DEPLOYMENT),
        replace(UPDATE, name="fraud-green-autoscale-setting"),
        replace(UPDATE, diffs=()),
        replace(UPDATE, diffs=(*UPDATE.diffs, RULES)),
        replace(UPDATE, inputs=profiles(7)),
        replace(UPDATE, inputs=profiles(8, night=4)),
        replace(UPDATE, inputs=profiles(8, default=9)),
        replace(UPDATE, inputs={}),
    ],
)
def test_anything_else_about_the_setting_is_told(change: Change) -> None:
    expected = autoscale_update("fraud", "blue", {"autoscale.min": 8})
    assert others(Preview(changes=(change,)), expected) == (str(change),)


def test_a_count_is_the_fewest_and_nothing_else() -> None:
    change = replace(
        UPDATE,
        type=DEPLOYMENT,
        name="fraud-blue-deployment",
        diffs=("sku.capacity",),
        inputs={"sku": {"name": "Default", "capacity": 1}},
    )
    expected = count_update("fraud", "blue")
    assert expected(change)
    assert not expected(replace(change, diffs=("sku.capacity", "tags")))
    assert not expected(replace(change, inputs={"sku": {"capacity": 2}}))


def test_a_colour_that_is_scaled_down_loses_its_minimum_or_its_count() -> None:
    expected = scale_down("fraud", "blue")
    assert expected(replace(UPDATE, inputs=profiles(1, default=1, night=1)))
    assert not expected(UPDATE)


@pytest.mark.parametrize(
    ("name", "type_", "expected"),
    [
        ("fraud-blue", "sluice:index:OnlineDeployment", True),
        ("fraud-blue-deployment", DEPLOYMENT, True),
        ("fraud-blue-autoscale", "sluice:index:Autoscale", True),
        ("fraud-blue-autoscale-setting", SETTING, True),
        ("fraud-0a1b-model", "azure-native:machinelearningservices:ModelVersion", True),
        ("fraud-green-deployment", DEPLOYMENT, False),
        ("churn-0a1b-model", "azure-native:machinelearningservices:ModelVersion", False),
        ("fraud-endpoint", "azure-native:machinelearningservices:OnlineEndpoint", False),
    ],
)
def test_a_removal_deletes_the_colour_and_its_assets(name: str, type_: str, expected: bool) -> None:
    change = Change(op="delete", urn=f"urn:{name}", type=type_, name=name)
    assert removal("fraud", "blue")(change) is expected
    assert not removal("fraud", "blue")(replace(change, op="update"))

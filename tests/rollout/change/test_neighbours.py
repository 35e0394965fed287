"""What another endpoint's rollout has begun explains its change in the preview; anything else stops a step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rollout.change.neighbours import unexplained
from rollout.events import Change
from rollout.record.chain import Chain, record_folder
from rollout.record.event import Kind
from tests.rollout.change.world import Clock
from tests.rollout.record.rollouts import T0, started

FLOOR = {"deployment": "blue", "minimum": 8, "was": {"autoscale.min": 3}, "now": {"autoscale.min": 8}}
RAISED = (Kind.RESERVING, FLOOR)
RETURNED = (Kind.RETURNED, {"deployment": "blue", "values": {"autoscale.min": 3}, "left": []})
REMOVING = (Kind.RETIRING, {"how": "remove", "deployment": "blue"})
SCALING = (Kind.RETIRING, {"how": "scale_down", "deployment": "blue"})


def setting(least: int, before: int = 3, key: str = "churn") -> Change:
    def profiles(minimum: int) -> dict[str, Any]:
        return {"profiles": [{"name": "default", "capacity": {"minimum": minimum, "maximum": 10, "default": minimum}}]}

    return Change(
        op="update",
        urn="urn:setting",
        type="azure-native:monitor:AutoscaleSetting",
        name=f"{key}-blue-autoscale-setting",
        diffs=("profiles[0].capacity.minimum",),
        old_inputs=profiles(before),
        inputs={"profiles": [{**profiles(least)["profiles"][0], "capacity": _but_default(least, before)}]},
    )


def _but_default(least: int, before: int) -> dict[str, int]:
    return {"minimum": least, "maximum": 10, "default": 1 if least == 1 else before}


DELETION = Change(
    op="delete",
    urn="urn:deployment",
    type="azure-native:machinelearningservices:OnlineDeployment",
    name="churn-blue-deployment",
)


@pytest.mark.parametrize(
    ("events", "change", "explained"),
    [
        ([RAISED], setting(8), True),
        ([RAISED], setting(3, before=8), True),
        ([RAISED], setting(7), False),
        ([RAISED], setting(8, key="other"), False),
        ([RAISED, RETURNED], setting(8), False),
        ([], setting(8), False),
        ([REMOVING], DELETION, True),
        ([REMOVING], replace(DELETION, name="churn-green-deployment"), False),
        ([SCALING], setting(1), True),
        ([SCALING], DELETION, False),
    ],
)
def test_a_change_of_instances_is_explained_while_it_is_under_way(
    tmp_path: Path, events: list[tuple[Kind, dict[str, Any]]], change: Change, explained: bool
) -> None:
    chain = Chain(record_folder(tmp_path, "prod", "churn") / "20261127T140000Z-green.jsonl")
    chain.append(Kind.STARTED, started(endpoint="churn"), T0)
    for kind, data in events:
        chain.append(kind, data, T0)
    left = unexplained([change], record_folder(tmp_path, "prod", "fraud-detection"), Clock())
    assert left == (() if explained else (change,))

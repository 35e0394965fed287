"""What an exported state says."""

from __future__ import annotations

from delivery.run.pulumi_state import STACK_TYPE, outputs_of, splits_of
from rollout.events import ENDPOINT_TYPE
from rollout.split import Split


def test_the_state_says_the_weights_by_azures_name() -> None:
    resource = {
        "type": ENDPOINT_TYPE,
        "inputs": {"endpointName": "e-dev", "properties": {"traffic": {"blue": 90, "green": 10}, "mirrorTraffic": {}}},
    }
    exported = {"deployment": {"resources": [{"type": "other"}, resource, {**resource, "delete": True, "inputs": {}}]}}
    assert splits_of(exported) == {"e-dev": Split(traffic={"blue": 90, "green": 10})}
    assert splits_of({"deployment": None}) == {}


def test_the_outputs_are_those_of_the_stack() -> None:
    stack = {"type": STACK_TYPE, "outputs": {"endpoints": {"e": {"settled": True}}}}
    exported = {"deployment": {"resources": [{"type": "other", "outputs": {"id": "x"}}, stack]}}
    assert outputs_of(exported) == {"endpoints": {"e": {"settled": True}}}
    assert outputs_of({"deployment": {"resources": [{"type": STACK_TYPE}]}}) == {}
    assert outputs_of({"deployment": None}) == {}

"""Clusters on the real engine, beside autoscale by rules and a colour that idles: created, stable, gone again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.rehearsal import MODEL, Azure, Stack

pytestmark = pytest.mark.integration
SETTINGS_API = "2022-10-01"
SCALE = {
    **{"min": 2, "max": 5, "default": 3, "idle_instances": 1},
    "rules": {
        "cpu": {"above": 70},
        "memory": {"above": 90},
        "requests_per_instance": {"above": 600},
        "latency_p95": {"above": 300},
    },
    "scale_in": {"step": 2, "window": "15m", "cooldown": "30m"},
}
BATCH = {"cpu": {"sku": "Standard_DS3_v2", "max_nodes": 4, "idle": "2m"}}


def cluster(azure: Azure, stack: Stack, name: str) -> tuple[str, int, int, str]:
    """Size, nodes from, to, and for how long a node idles."""
    found = azure.get(f"{stack.names.workspace_id}/computes/{name}")["properties"]["properties"]
    scale = found["scaleSettings"]
    return found["vmSize"], scale["minNodeCount"], scale["maxNodeCount"], scale["nodeIdleTimeBeforeScaleDown"]


def profile(azure: Azure, stack: Stack, colour: str) -> dict[str, Any]:
    """The regular profile of a colour's autoscale setting."""
    setting = stack.names.autoscale_id(stack.names.endpoint(MODEL), colour)
    status, body = azure.request("GET", setting, api_version=SETTINGS_API)
    assert status == 200, body
    return dict(body["properties"]["profiles"][0])


def is_empty_after_a_refresh(stack: Stack) -> bool:
    stack.engine.refresh()
    return stack.engine.preview().is_empty


def test_clusters_and_autoscale_are_stable_and_go_with_the_stack(simulated_azure: Azure) -> None:
    stack = Stack(simulated_azure, "clusters")
    stack.edit(lambda config: config.update({"sluice:compute": {"batch": BATCH}}))
    stack.deployment("blue", autoscale=SCALE)
    stack.settle()
    stack.deployment("green", autoscale=SCALE)
    stack.up()
    assert stack.engine.preview().is_empty
    assert is_empty_after_a_refresh(stack)
    assert cluster(simulated_azure, stack, "batch-cpu") == ("Standard_DS3_v2", 0, 4, "PT2M")
    blue, green = (profile(simulated_azure, stack, colour) for colour in ("blue", "green"))
    assert blue["capacity"] == {"minimum": "2", "maximum": "5", "default": "3"}
    assert green["capacity"] == {"minimum": "1", "maximum": "5", "default": "1"}
    assert len(blue["rules"]) == 6
    assert all(rule["metricTrigger"]["metricNamespace"] for rule in blue["rules"])
    larger = {"cpu": {"sku": "Standard_DS4_v2", "max_nodes": 2, "idle": "1h"}}
    stack.edit(lambda config: config.update({"sluice:compute": {"batch": larger}}))
    (change,) = stack.engine.preview().changes
    assert (change.name, change.op) == ("platform-batch-cpu-cluster", "replace"), change
    stack.engine.up()
    assert cluster(simulated_azure, stack, "batch-cpu") == ("Standard_DS4_v2", 0, 2, "PT1H")
    stack.weights(blue=0)
    stack.engine.up()
    stack.engine.destroy()
    assert stack.engine.export()["deployment"].get("resources", []) == []
    status, _ = simulated_azure.request("GET", stack.names.workspace_id)
    assert status == 404


def test_a_private_stack_gets_what_batch_jobs_need_and_nothing_else_changes(simulated_azure: Azure) -> None:
    stack = Stack(simulated_azure, "closed", like="prod")
    stack.edit(lambda config: config.update({"sluice:network": {"mode": "private", "address_space": "10.9.0.0/22"}}))
    stack.settle()
    stack.edit(lambda config: config.update({"sluice:compute": {"build": {"max_nodes": 2}, "batch": BATCH}}))
    changed = {change.name for change in stack.engine.preview().changes if change.custom}
    assert not {name for name in changed if name.startswith(MODEL)}, changed
    stack.engine.up()
    assert is_empty_after_a_refresh(stack)
    assert cluster(simulated_azure, stack, "image-build") == ("Standard_DS3_v2", 0, 2, "PT5M")
    assert cluster(simulated_azure, stack, "batch-cpu") == ("Standard_DS3_v2", 0, 4, "PT2M")
    rules = simulated_azure.get(stack.names.workspace_id)["properties"]["managedNetwork"]["outboundRules"]
    assert {"batch-queue", "batch-table"} < rules.keys()
    assert stack.live_traffic() == {"blue": 100}

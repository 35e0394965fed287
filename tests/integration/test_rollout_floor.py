"""The stable colour's autoscale minimum is raised, held and given back, and the old colour is removed afterwards.

On the real engine, under load, with one-second intervals and simulated deployments.
"""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

import pytest

from tests.integration.drill import PLAN, callers
from tests.integration.rehearsal import MODEL, SLUICE, Azure, Stack
from tests.integration.test_rollout import record_of
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

SETTINGS_API = "2022-10-01"
SCALE = {"min": 1, "max": 3, "default": 1, "target_cpu_percent": 1}
"""So that nothing scales in: below 0 % of a processor."""
NIGHT = {"name": "night", "days": ["Monday"], "start": "20:00", "end": "06:00", "min": 1, "max": 2, "default": 1}


def minima(stack: Stack) -> dict[str, int]:
    """The minimum of each profile of blue's autoscale setting in Azure."""
    setting_id = stack.names.autoscale_id(stack.names.endpoint(MODEL), "blue")
    status, setting = stack.azure.request("GET", setting_id, api_version=SETTINGS_API)
    assert status == 200, setting
    profiles = setting["properties"]["profiles"]
    return {profile["name"]: int(profile["capacity"]["minimum"]) for profile in profiles}


def scale_out(stack: Stack, instances: int) -> None:
    """What autoscale does under load."""
    deployment_id = f"{stack.endpoint_id}/deployments/blue"
    sku = {"sku": {"name": "Default", "capacity": instances}}
    status, answer = stack.azure.request("PATCH", deployment_id, sku)
    assert status in (200, 202), answer

    def is_out() -> bool:
        blue = stack.live_deployments()["blue"]
        return blue["sku"]["capacity"] == instances and blue["properties"]["provisioningState"] == "Succeeded"

    wait_until(is_out, "the scale-out")


def watch(stack: Stack) -> list[tuple[dict[str, int], dict[str, int]]]:
    """Run the rollout; return weights and minima as they were seen together while it ran."""
    seen = []
    with stack.file.with_name("run.log").open("w") as log:
        process = subprocess.Popen(
            [str(SLUICE), "rollout", "run", MODEL, "--stack", stack.name],
            cwd=stack.project,
            env=stack.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            while process.poll() is None:
                weights = stack.live_traffic()
                found = minima(stack)
                if stack.live_traffic() == weights:
                    seen.append((weights, found))
                time.sleep(0.2)
        finally:
            process.kill()
            process.wait()
    assert process.returncode == 0, stack.file.with_name("run.log").read_text()
    return seen


def assert_nothing_is_pending(stack: Stack) -> None:
    """A refresh may find the count that autoscale chose; that is no change of an update."""
    assert stack.engine.preview().is_empty
    assert [change for change in stack.engine.preview(refresh=True).changes if change.op != "refresh"] == []


def numbers(stack: Stack) -> Any:
    """What the stack file declares for its colours."""
    endpoints = stack.engine.config()["sluice:endpoints"]
    return endpoints[MODEL]["deployments"]


def test_the_stable_colour_keeps_its_instances_and_is_removed_after_the_window(simulated_azure: Azure) -> None:
    stack = Stack(simulated_azure, "dev")
    plan = {**PLAN, "hold_stable": True, "retire": "remove", "rollback_window": "5s"}
    stack.edit(lambda config: config["sluice:rollout"][MODEL].update(plan=plan))
    stack.deployment("blue", sku="Standard_DS3_v2", autoscale={**SCALE, "schedules": [NIGHT]})
    stack.engine.up()
    scale_out(stack, 3)
    declared = numbers(stack)
    assert stack.engine.preview().is_empty
    with callers(stack) as load:
        seen = watch(stack)
        kinds = [event["kind"] for event in record_of(stack)]
        order = ["reserving", "reserved", "intent", "ended", "returned"]
        assert [kind for kind in dict.fromkeys(kinds) if kind in order] == order
        under_way = [found for weights, found in seen if weights.get("green") in (10, 50)]
        raised = {'{"name":"Auto created default scale condition","for":"night"}': 3, "default": 3, "night": 2}
        assert under_way
        assert all(found == raised for found in under_way)
        assert set(minima(stack).values()) == {1}
        assert numbers(stack) == declared
        assert stack.live_deployments()["blue"]["sku"]["capacity"] == 3, "autoscale lets it go, not the rollout"
        assert_nothing_is_pending(stack)

        ended = time.time()
        wait_until(lambda: time.time() > ended + 5, "the end of the window")
        said = stack.sluice("rollout", "step", MODEL, "--stack", stack.name)
        assert "blue is removed" in said.stdout
        assert set(stack.live_deployments()) == {"green"}
        assert set(numbers(stack)) == {"green"}
        assert stack.live_traffic() == {"green": 100}
        assert_nothing_is_pending(stack)
        assert load.total.failed == 0
    assert [event["kind"] for event in record_of(stack)][-2:] == ["retiring", "retired"]
    status = json.loads(stack.sluice("rollout", "status", MODEL, "--stack", stack.name, "--json").stdout)
    assert status["next"] is None

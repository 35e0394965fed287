"""Foreign changes to a settled stack: reported if the engine would do nothing, kept if they are not the program's.

Deployments are simulated. Each test begins with the stack that the committed file declares and a state that matches it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from rollout.errors import EngineRefused
from rollout.events import Outcome
from tests.integration.rehearsal import MODEL, Azure, Stack, copy_project

pytestmark = pytest.mark.integration

REFRESH = "pulumi up --refresh --stack drift"
OPERATION = "AzureAsyncOperationUri"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    azure = Azure.started(tmp_path_factory.mktemp("drift"), "--compute", "simulated")
    yield azure
    azure.stop()


@pytest.fixture(scope="module")
def settled(simulated: Azure) -> Stack:
    """Blue at 100 %, green at 0 %."""
    stack = Stack(simulated, "drift", project=copy_project(simulated.folder / "checkout"))
    stack.deployment("green", instances=1)
    stack.settle()
    return stack


@pytest.fixture
def stack(settled: Stack) -> Iterator[Stack]:
    """The settled stack, restored afterwards: its file, its model's files, Azure and the state."""
    file, model = settled.file.read_text(), settled.project / "models" / MODEL / "blue.yml"
    blue = model.read_text()
    yield settled
    settled.file.write_text(file)
    model.write_text(blue)
    settled.engine.up(refresh=True)
    settled.settle()


def send(stack: Stack, method: str, path: str, body: Any = None) -> None:
    """Send someone else's request; wait until the resource is settled or gone."""
    status, answer = stack.azure.request(method, path, body)
    assert status < 300, answer
    for _ in range(600):
        status, found = stack.azure.request("GET", path)
        if status == 404 or found["properties"]["provisioningState"] in ("Succeeded", "Failed"):
            return
    raise AssertionError(f"{path} is still {found['properties']['provisioningState']}")


def warnings(outcome: Outcome) -> list[str]:
    """Return the messages about differences; other warnings (a VM size that retires) are not tested here."""
    said = [item.message.strip() for item in outcome.diagnostics if item.severity == "warning"]
    return [text for text in said if REFRESH in text]


def output(stack: Stack) -> dict[str, Any]:
    found: dict[str, Any] = stack.engine.outputs()["endpoints"][MODEL]
    return found


@pytest.mark.parametrize(
    ("traffic", "mirror", "said"),
    [
        ({"blue": 0}, {}, "live none, mirrored none"),
        ({"blue": 100}, {"green": 10}, "live blue=100, mirrored green=10"),
    ],
    ids=["emptied", "mirrored"],
)
def test_previews_and_updates_report_foreign_weights_until_a_refresh_restores_them(
    stack: Stack, traffic: dict[str, int], mirror: dict[str, int], said: str
) -> None:
    endpoint = copy.deepcopy(stack.live_endpoint())
    endpoint["properties"] |= {"traffic": traffic, "mirrorTraffic": mirror}
    send(stack, "PUT", stack.endpoint_id, endpoint)
    preview = stack.engine.preview()
    (told,) = warnings(preview)
    assert preview.is_empty
    assert f"has other weights in Azure ({said}) than declared (live blue=100, mirrored none)." in told
    assert f"Run {REFRESH} to restore the declared weights." in told

    update = stack.engine.up()
    assert warnings(update) == [told]
    now = output(stack)
    assert (now["settled"], now["next"]) == (False, REFRESH)
    weights = {name: one["weight"] for name, one in now["deployments"].items() if one["weight"]}
    assert weights == {name: weight for name, weight in traffic.items() if weight}
    live = stack.live_endpoint()["properties"]
    assert (live["traffic"], live["mirrorTraffic"] or {}) == (traffic, mirror)  # no foreign change was reverted

    again = stack.engine.preview(refresh=True)
    (change,) = [change for change in again.changes if change.op != "refresh"]
    assert change.name == f"{MODEL}-endpoint"
    assert all(path.startswith(("properties.traffic", "properties.mirrorTraffic")) for path in change.diffs)
    assert warnings(again) == []
    stack.engine.up(refresh=True)
    assert stack.live_traffic() == {"blue": 100}
    assert (output(stack)["settled"], output(stack)["next"]) == (True, None)


def test_the_advice_for_a_deployment_that_was_deleted_by_hand_leads_out(stack: Stack) -> None:
    send(stack, "DELETE", f"{stack.endpoint_id}/deployments/green")
    assert (
        f"The deployment green of {stack.names.endpoint(MODEL)} is declared but" in warnings(stack.engine.preview())[0]
    )
    stack.weights(blue=90, green=10)
    with pytest.raises(EngineRefused, match=f"green must be 0 for now.* run {REFRESH}"):
        stack.engine.preview()
    stack.weights(blue=100, green=0)
    stack.engine.up()
    assert (output(stack)["settled"], output(stack)["next"]) == (False, REFRESH)
    stack.engine.up(refresh=True)
    assert output(stack)["settled"] is True
    stack.weights(blue=90, green=10)
    stack.engine.up()
    assert stack.live_traffic() == {"blue": 90, "green": 10}


def test_a_refresh_after_operations_of_others_finds_nothing(stack: Stack) -> None:
    stack.deployment("blue", instances=1, autoscale={"min": 1, "max": 6, "default": 1, "target_cpu_percent": 70})
    stack.engine.up()
    blue = f"{stack.endpoint_id}/deployments/blue"
    before = [one["properties"]["properties"][OPERATION] for one in (stack.live_endpoint(), stack.azure.get(blue))]
    send(stack, "PUT", stack.endpoint_id, stack.live_endpoint())
    send(stack, "PATCH", blue, {"sku": {"name": "Default", "capacity": 4}})
    workspace = stack.azure.get(stack.names.workspace_id)
    send(stack, "PUT", stack.names.workspace_id, workspace)
    after = [one["properties"]["properties"][OPERATION] for one in (stack.live_endpoint(), stack.azure.get(blue))]
    assert not set(before) & set(after)
    preview = stack.engine.preview(refresh=True)
    planned = [str(change) for change in preview.changes if change.op != "refresh"]
    assert planned == []


def test_an_update_keeps_the_instances_that_autoscale_added(stack: Stack) -> None:
    stack.deployment("blue", instances=1, autoscale={"min": 1, "max": 6, "default": 1, "target_cpu_percent": 70})
    stack.engine.up()
    send(stack, "PATCH", f"{stack.endpoint_id}/deployments/blue", {"sku": {"name": "Default", "capacity": 4}})
    assert stack.engine.preview().is_empty
    file = stack.project / "models" / MODEL / "blue.yml"
    file.write_text(file.read_text().replace("description: Logistic regression", "description: of Jo"))
    (change,) = stack.engine.preview().changes
    assert change.name == f"{MODEL}-blue-deployment"
    stack.engine.up()
    blue = stack.live_deployments()["blue"]
    assert (blue["sku"]["capacity"], blue["properties"]["description"]) == (4, "of Jo")
    assert stack.engine.preview().is_empty

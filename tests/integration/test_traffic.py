"""A settled dev stack: a change of traffic is one previewed update; what may not be is refused and changes nothing.

The tests share one stack; each leaves it serving blue at 100 %.
"""

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from rollout.errors import EngineRefused
from tests.integration.rehearsal import MODEL, ROOT, Azure, Stack

pytestmark = pytest.mark.integration

SAMPLE = ROOT / "models" / MODEL / "sample-request.json"


@pytest.fixture(scope="module")
def two_colours(dev: Stack) -> Stack:
    """Blue at 100 %, green at 0 %."""
    dev.deployment("green", instances=1)
    dev.engine.up()
    return dev


def test_dev_comes_up_from_nothing_by_doing_what_it_says(dev: Stack) -> None:
    assert dev.said == [
        "sluice release publish fraud-detection --stack dev && pulumi up --stack dev",
        "pulumi up --stack dev",
    ]


def test_an_update_of_a_settled_stack_is_empty(dev: Stack) -> None:
    assert dev.engine.preview().is_empty
    endpoint = dev.engine.outputs()["endpoints"][MODEL]
    assert (endpoint["settled"], endpoint["next"]) == (True, None)
    assert dev.live_traffic() == {"blue": 100}


def test_no_output_holds_a_key(dev: Stack) -> None:
    _, key = dev.target()
    assert key not in str(dev.engine.export())


def test_the_endpoint_answers_with_a_key_and_only_with_it(dev: Stack) -> None:
    uri, key = dev.target()
    status, text, headers = dev.azure.score(uri, key, SAMPLE.read_bytes())
    assert (status, headers["azureml-model-deployment"]) == (200, "blue")
    assert '"fraud_probability"' in text
    assert dev.azure.score(uri, "wrong", SAMPLE.read_bytes())[0] in (401, 403)


def test_invoke_and_logs_go_through_azure_ai_ml(dev: Stack) -> None:
    answer = dev.sluice("invoke", MODEL, "--request-file", str(SAMPLE)).stdout
    assert '"version": "blue"' in answer
    assert "score" in dev.sluice("deployment-logs", MODEL, "blue").stdout
    unknown = dev.sluice("invoke", MODEL, "--request-file", str(SAMPLE), "--deployment", "pink", expect=2)
    assert "pink" in unknown.stderr
    assert "Traceback" not in unknown.stderr


def test_doctor_finds_nothing_wrong(dev: Stack) -> None:
    text = dev.sluice("doctor", "--stack", dev.name).stdout
    assert "PROBLEM" not in text


def test_a_change_of_weights_previews_as_one_update_and_is_observed(two_colours: Stack) -> None:
    stack = two_colours
    stack.weights(blue=50, green=50)
    preview = stack.engine.preview()
    assert preview.is_one_traffic_update(stack.names.endpoint(MODEL)), list(map(str, preview.changes))
    stack.engine.up()
    assert stack.live_traffic() == {"blue": 50, "green": 50}
    uri, key = stack.target()
    seen = Counter(stack.azure.score(uri, key, SAMPLE.read_bytes())[2]["azureml-model-deployment"] for _ in range(200))
    assert set(seen) == {"blue", "green"}
    assert 60 <= seen["green"] <= 140  # 100 expected, 5.6 standard deviations
    stack.weights(blue=100, green=0)
    assert stack.engine.preview().is_one_traffic_update(stack.names.endpoint(MODEL))
    stack.engine.up()
    assert stack.live_traffic() == {"blue": 100}


def test_the_deployment_of_one_call_is_not_carried_into_the_next(two_colours: Stack) -> None:
    """azure-ai-ml keeps request headers in a dictionary of its module, the deployment and the key among them."""
    code = (
        "import sys; from pathlib import Path\n"
        "from cli.workspace import EndpointAddress; from cli.invoke import invoke\n"
        "address, sample = EndpointAddress(*sys.argv[1:5]), Path(sys.argv[5])\n"
        "print(invoke(address, sample, 'green'), invoke(address, sample, None))"
    )
    _, _, subscription, _, group, *_, workspace, _, endpoint = two_colours.endpoint_id.split("/")
    done = subprocess.run(
        [sys.executable, "-c", code, subscription, group, workspace, endpoint, str(SAMPLE)],
        cwd=ROOT,
        env=two_colours.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.index('"version": "green"') < done.stdout.index('"version": "blue"')


def rollout(**lines: Any) -> Callable[[dict[str, Any]], None]:
    return lambda config: config["sluice:rollout"][MODEL].update(lines)


def deployments(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = config["sluice:endpoints"][MODEL]["deployments"]
    return found


def remove_blue(config: dict[str, Any]) -> None:
    del deployments(config)["blue"]
    config["sluice:rollout"][MODEL].update(stable="green", traffic={"green": 0})


def remove_the_endpoint(config: dict[str, Any]) -> None:
    config["sluice:endpoints"], config["sluice:rollout"] = {}, {}


def rename_the_endpoint(config: dict[str, Any]) -> None:
    config["sluice:endpoints"][MODEL]["name"] = "another-name"


def new_colour_with_weight(config: dict[str, Any]) -> None:
    deployments(config)["amber"] = {"instances": 1}
    config["sluice:rollout"][MODEL]["traffic"] = {"blue": 90, "amber": 10}


def everything_at_once(config: dict[str, Any]) -> None:
    deployments(config)["blue"].update(instances=0, sku="Standard_NC6")
    config["sluice:rollout"][MODEL]["traffic"] = {"blue": "90", "green": 33.5, "Pink": -1}
    config["sluice:teem"] = "typo"


REFUSED: dict[str, tuple[Callable[[dict[str, Any]], None], tuple[str, ...]]] = {
    "weights that sum to 95": (rollout(traffic={"blue": 90, "green": 5}), ("95",)),
    "a jump beyond the limit": (rollout(traffic={"blue": 20, "green": 80}), ("green", "50")),
    "a new colour with weight": (new_colour_with_weight, ("amber",)),
    "removal of a live colour": (remove_blue, ("blue",)),
    "another size under live weight": (
        lambda config: deployments(config)["blue"].update(sku="Standard_F4s_v2"),
        ("blue", "allow_live_change"),
    ),
    "removal of a live endpoint": (remove_the_endpoint, (f"{MODEL}-dev",)),
    "another name for a live endpoint": (rename_the_endpoint, (f"{MODEL}-dev",)),
    "everything at once": (
        everything_at_once,
        ("instances", "Standard_NC6", "90", "33.5", "-1", "Pink", "sluice:teem"),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_change_names_every_reason_and_leaves_state_and_azure_alone(two_colours: Stack, case: str) -> None:
    stack, (change, reasons) = two_colours, REFUSED[case]
    good, before = stack.file.read_text(), stack.snapshot()
    try:
        stack.edit(change)
        with pytest.raises(EngineRefused) as refused:
            stack.engine.up(skip_preview=True)
        for reason in reasons:
            assert reason in str(refused.value)
        assert stack.snapshot() == before
    finally:
        stack.file.write_text(good)


def test_another_clients_change_shows_with_refresh_and_is_taken_back(two_colours: Stack) -> None:
    stack = two_colours
    body = stack.live_endpoint()
    body["properties"]["traffic"] = {"blue": 0, "green": 100}
    status, answer = stack.azure.request("PUT", stack.endpoint_id, body)
    assert status in (200, 201), answer
    wait_until(lambda: stack.live_traffic() == {"green": 100})
    assert stack.engine.preview().is_empty  # without refresh the engine compares with its state alone
    preview = stack.engine.preview(refresh=True)
    (drift,) = [item for item in preview.changes if item.op == "refresh"]
    assert {path for path in drift.diffs if "traffic" in path} == {
        "properties.traffic.blue",
        "properties.traffic.green",
    }
    (update,) = [item for item in preview.changes if item.op != "refresh"]
    assert update.op == "update"
    stack.engine.up(refresh=True)
    assert stack.live_traffic() == {"blue": 100}


def test_an_endpoint_imported_into_a_fresh_state_keeps_its_traffic(two_colours: Stack, azure: Azure) -> None:
    """Issue: after an import there are no outputs, and a program that believed its own would set traffic to nothing."""
    lost = Stack(azure, two_colours.name, state="fresh-state")
    before = lost.live_endpoint()["properties"]
    lost.sluice("recover", "--stack", lost.name)
    assert lost.live_endpoint()["properties"] == before
    preview = lost.engine.preview()
    assert preview.is_empty, list(map(str, preview.changes))
    lost.engine.up()
    assert lost.live_endpoint()["properties"] == before
    shutil.rmtree(azure.folder / "fresh-state")


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    import time

    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)

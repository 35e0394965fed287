"""A settled dev stack: a change of traffic is one previewed update, and foreign changes are noticed.

In every test the stack first serves blue at 100 %, with green at 0 %.
"""

import subprocess
import sys

import pytest

from tests.integration.rehearsal import MODEL, ROOT, Azure, Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

SAMPLE = ROOT / "models" / MODEL / "sample-request.json"


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
    # tests/localazure/scoring/test_router.py proves the shares, with seeded randomness.
    seen = {stack.azure.score(uri, key, SAMPLE.read_bytes())[2]["azureml-model-deployment"] for _ in range(100)}
    assert seen == {"blue", "green"}
    stack.weights(blue=100, green=0)
    assert stack.engine.preview().is_one_traffic_update(stack.names.endpoint(MODEL))
    stack.engine.up()
    assert stack.live_traffic() == {"blue": 100}


def test_the_deployment_of_one_call_is_not_carried_into_the_next(two_colours: Stack) -> None:
    """azure-ai-ml keeps request headers, including the deployment and the key, in a dictionary of its module."""
    code = (
        "import sys; from pathlib import Path\n"
        "from endpoint_client.address import EndpointAddress; from endpoint_client.invocation import invoke\n"
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
    """Issue: after an import there are no outputs, and a program that trusted its own would clear the traffic."""
    lost = Stack(azure, two_colours.name, state="fresh-state")
    before = lost.live_endpoint()["properties"]
    lost.sluice("recover", "--stack", lost.name)
    assert lost.live_endpoint()["properties"] == before
    preview = lost.engine.preview()
    assert preview.is_empty, list(map(str, preview.changes))
    lost.engine.up()
    assert lost.live_endpoint()["properties"] == before

"""`sluice rollout` on the real engine, under load: a good colour goes to 100 % by itself, a bad one comes back.

Deployments are simulated and the metrics have one-second intervals, so that a step takes seconds.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from endpoint_client.load import Load
from rehearsal.faults import add_fault
from tests.integration.drill import PLAN, callers, weights_that_were_set
from tests.integration.rehearsal import MODEL, SLUICE, Azure, Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture
def stack(simulated_azure: Azure) -> Stack:
    """Blue at 100 %, green at 0 %, and a plan of seconds."""
    stack = Stack(simulated_azure, "dev")
    stack.edit(lambda config: config["sluice:rollout"][MODEL].update(plan=PLAN))
    return stack


@pytest.fixture
def load(stack: Stack) -> Iterator[Load]:
    with callers(stack) as load:
        yield load


def record_of(stack: Stack) -> list[dict[str, Any]]:
    """The events of the only record."""
    (file,) = records_of(stack)
    return [json.loads(line) for line in file.read_text().splitlines()]


def records_of(stack: Stack) -> list[Path]:
    return sorted((stack.file.parent / "rollouts" / stack.name / MODEL).glob("*.jsonl"))


def status_of(stack: Stack) -> dict[str, Any]:
    answer = stack.sluice("rollout", "status", MODEL, "--stack", stack.name, "--json", expect=None)
    return dict(json.loads(answer.stdout))


def test_a_good_colour_goes_to_100_percent_by_itself_and_becomes_stable(stack: Stack, load: Load) -> None:
    done = stack.sluice("rollout", "run", MODEL, "--stack", stack.name)
    events = record_of(stack)
    green = [{"blue": 90, "green": 10}, {"blue": 50, "green": 50}, {"green": 100}]
    assert weights_that_were_set(events) == [*green, {"green": 100}]
    assert stack.live_traffic() == {"green": 100}
    assert "stable: green" in stack.file.read_text()
    assert stack.engine.preview(refresh=True).is_empty
    assert events[-1]["kind"] == "ended"
    assert events[-1]["data"]["outcome"] == "done"
    updates = [event["data"]["update"] for event in events if event["kind"] == "applied"]
    assert all(update.startswith("dev-") for update in updates[:-1])
    assert len(set(updates[:-1])) == len(green)
    assert "every step has passed" in done.stdout
    assert load.total.failed == 0
    status = status_of(stack)
    assert (status["phase"], status["exit_code"], status["next"]) == ("done", 0, None)
    assert status["weights"]["declared"] == status["weights"]["live"] == status["weights"]["record"]

    # Inside the window, and also after the end, the old weights are one command away.
    stack.sluice("rollout", "rollback", MODEL, "--stack", stack.name, "--reason", "a rehearsal")
    assert stack.live_traffic() == {"blue": 100}
    assert "stable: blue" in stack.file.read_text()
    assert stack.engine.preview(refresh=True).is_empty
    assert load.total.failed == 0


def test_a_colour_that_fails_comes_back_by_itself(stack: Stack, load: Load) -> None:
    before = stack.file.read_text()
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
            wait_until(lambda: stack.live_traffic() == {"blue": 90, "green": 10}, "the first step")
            endpoint = stack.names.endpoint(MODEL)
            add_fault(stack.azure.home, kind="errors", name=f"{endpoint}/green", share_percent=60)
            process.wait()
        finally:
            process.kill()
            process.wait()
    said = stack.file.with_name("run.log").read_text()
    assert process.returncode == 1, said
    assert stack.live_traffic() == {"blue": 100}
    assert stack.file.read_text().count("green: 0") == 1
    assert stack.file.read_text().replace("green: 0", "").split() == before.split()
    assert stack.engine.preview(refresh=True).is_empty
    events = record_of(stack)
    assert weights_that_were_set(events)[-1] == {"blue": 100}
    assert events[-1]["data"]["outcome"] == "rolled_back"
    assert "green failed" in said.splitlines()[-1]
    assert load.total.failed == load.total.errors_by_deployment["green"]
    assert status_of(stack)["exit_code"] == 1
    refused = stack.sluice("rollout", "run", MODEL, "--stack", stack.name, expect=2)
    assert "name it with --to" in refused.stderr

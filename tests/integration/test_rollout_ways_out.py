"""Ways out on the real engine: drift, a colour that is gone, a broken stack file or record, a full disk."""

import json
import resource
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.drill import BLUE, GREEN, HALF, TEN, weights_that_were_set
from tests.integration.rehearsal import MODEL, SLUICE, Azure, Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

LEAST = 20
PLAN = {
    "steps": [
        {"weight": 10, "bake": "4s"},
        {"weight": 50, "bake": "4s", "approve": True},
        {"weight": 100, "bake": "4s"},
    ],
    "gates": {"error_rate": {"max": 0.02, "vs_stable": 1.5}},
    "min_requests": LEAST,
    "load": {"rpm": 3000},
}


class Rollout:
    """A rollout of green in a rehearsal, whose only requests are the controller's own."""

    def __init__(self, azure: Azure) -> None:
        self.stack = Stack(azure, "dev")
        self.stack.edit(lambda config: config["sluice:rollout"][MODEL].update(plan=PLAN))
        self.place = (MODEL, "--stack", "dev")
        self.said = self.sluice("run", expect=3)

    def sluice(self, verb: str, *flags: str, expect: int = 0) -> str:
        done = self.stack.sluice("rollout", verb, *self.place, *flags, expect=expect)
        return done.stdout + done.stderr

    @property
    def status(self) -> dict[str, Any]:
        answer = self.stack.sluice("rollout", "status", *self.place, "--json", expect=None)
        return dict(json.loads(answer.stdout))

    def sluice_on_a_full_disk(self, verb: str, *flags: str, expect: int) -> str:
        """A command that, like its engine and its git, can make no file longer."""
        done = subprocess.run(
            [str(SLUICE), "rollout", verb, *self.place, *flags],
            cwd=self.stack.project,
            env=self.stack.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr

    @property
    def record(self) -> Path:
        (file,) = (self.stack.file.parent / "rollouts" / "dev" / MODEL).glob("*.jsonl")
        return file

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.record.read_text().splitlines()]

    def require_agreed(self, traffic: dict[str, int]) -> None:
        """Declared = live, and nothing in the preview."""
        weights = self.status["weights"]
        assert weights["declared"] == weights["live"], weights
        assert self.stack.live_traffic() == traffic
        assert self.stack.engine.preview(refresh=True).is_empty

    def set_in_azure(self, traffic: dict[str, int]) -> None:
        """Another client sets weights."""
        endpoint = self.stack.live_endpoint()
        for name in ("id", "name", "type", "systemData"):
            endpoint.pop(name, None)
        identity = endpoint["identity"]
        ids: dict[str, Any] = {one: {} for one in identity.get("userAssignedIdentities") or {}}
        endpoint["identity"] = {"type": identity["type"], "userAssignedIdentities": ids}
        for name in ("scoringUri", "swaggerUri", "provisioningState"):
            endpoint["properties"].pop(name, None)
        endpoint["properties"]["traffic"] = traffic
        status, body = self.stack.azure.request("PUT", self.stack.endpoint_id, endpoint)
        assert status in (200, 201, 202), body
        wait_until(lambda: self.stack.live_endpoint()["properties"]["provisioningState"] == "Succeeded", "the PUT")


@pytest.fixture
def at_ten(simulated_azure: Azure) -> Rollout:
    """Green has 10 % and waits for an approval."""
    rollout = Rollout(simulated_azure)
    assert rollout.stack.live_traffic() == TEN
    return rollout


def test_the_controllers_own_load_is_evidence_and_drift_is_put_back(at_ten: Rollout) -> None:
    assert at_ten.events[0]["data"]["synthetic"] is True
    status = at_ten.status
    assert (status["synthetic"], status["held"]["kind"]) == (True, "approval")
    assert status["requests"] >= LEAST

    at_ten.set_in_azure({"blue": 60, "green": 40})
    drifted = at_ten.sluice("step", expect=2)
    assert "Azure has blue 60 %, green 40 %, the rollout set blue 90 %, green 10 % (changed by" in drifted
    assert at_ten.events[-1]["data"]["hold"] == "drift"
    at_ten.sluice("approve")
    at_ten.sluice("run", expect=2)
    at_ten.sluice("resume", "--restore", "--reason", "a slip")
    at_ten.sluice("run")
    assert weights_that_were_set(at_ten.events) == [TEN, TEN, HALF, GREEN, GREEN]
    assert at_ten.events[-1]["data"]["synthetic"] is True
    assert at_ten.stack.live_traffic() == GREEN
    assert at_ten.stack.engine.preview(refresh=True).is_empty


def test_a_rollback_needs_no_stack_file_that_can_be_read(at_ten: Rollout) -> None:
    stack = at_ten.stack
    good = stack.file.read_text()
    stack.file.write_text(f"<<<<<<< ours\n{good}")
    said = at_ten.sluice("rollback", "--reason", "the file is broken", expect=2)
    assert stack.live_traffic() == BLUE
    assert "the stack file is left aside, and the way back goes on" in said
    assert f"sluice rollout step {MODEL} --stack dev" in said

    # Without a record Azure itself says where the endpoint is.
    shutil.move(stack.file.parent / "rollouts", stack.file.parent / "kept")
    by_hand = at_ten.sluice("rollback", "--to", "blue=90,green=10")
    assert stack.live_traffic() == TEN
    assert (
        f"{MODEL} has blue 90 %, green 10 % in Azure; Pulumi.dev.yaml and Pulumi's state do not say so yet." in by_hand
    )
    at_ten.sluice("rollback", "--to", "blue=100")
    assert stack.live_traffic() == BLUE

    shutil.rmtree(stack.file.parent / "rollouts")
    shutil.move(stack.file.parent / "kept", stack.file.parent / "rollouts")
    stack.file.write_text(good)
    at_ten.sluice("step", expect=1)
    status = at_ten.status
    assert (status["phase"], status["weights"]["declared"]) == ("rolled_back", status["weights"]["live"])
    assert stack.engine.preview(refresh=True).is_empty


@pytest.mark.drill
def test_a_colour_that_another_client_deletes_is_taken_back(at_ten: Rollout) -> None:
    at_ten.set_in_azure(BLUE)
    stack = at_ten.stack
    status, body = stack.azure.request("DELETE", f"{stack.endpoint_id}/deployments/green")
    assert status in (200, 202, 204), body
    wait_until(lambda: "green" not in stack.live_deployments(), "the DELETE")
    said = at_ten.sluice("step", expect=1)
    assert "green" in said
    assert at_ten.events[-1]["data"]["outcome"] == "rolled_back"
    weights = at_ten.status["weights"]
    assert weights["declared"] == weights["live"] == weights["record"]
    assert stack.live_traffic() == BLUE
    stack.engine.up(refresh=True)  # green is declared, at 0 %
    at_ten.require_agreed(BLUE)


@pytest.mark.drill
def test_an_edited_record_stops_steps_and_no_rollback(at_ten: Rollout) -> None:
    at_ten.sluice("approve")
    whole = at_ten.record.read_text()
    assert '"green":10' in whole
    at_ten.record.write_text(whole.replace('"green":10', '"green":15'))
    said = at_ten.sluice("step", expect=2)
    assert "git checkout" in said
    assert at_ten.stack.live_traffic() == TEN
    said = at_ten.sluice("rollback", "--reason", "the record was edited")
    assert "NOT IN THE RECORD" in said
    at_ten.require_agreed(BLUE)


@pytest.mark.drill
def test_a_full_disk_stops_steps_and_no_rollback(at_ten: Rollout) -> None:
    at_ten.sluice("approve")
    before = at_ten.events
    said = at_ten.sluice_on_a_full_disk("step", expect=4)
    assert "File too large" in said
    assert (at_ten.events, at_ten.stack.live_traffic()) == (before, TEN)
    said = at_ten.sluice_on_a_full_disk("rollback", "--reason", "the disk is full", expect=4)
    assert at_ten.stack.live_traffic() == BLUE
    at_ten.sluice("rollback", "--reason", "there is room again")
    at_ten.require_agreed(BLUE)

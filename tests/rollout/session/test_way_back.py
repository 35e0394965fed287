"""A way back where the stack file is broken, on a local Azure: the weights come back, and a person is told the rest."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli import main as command
from localazure import identity
from project import project_root
from rollout.change import break_glass
from rollout.decision.order import Direction, Order
from rollout.record.chain import Chain, record_folder
from rollout.record.event import Kind
from rollout.split import Split
from tests.localazure.conftest import FakePlane, LocalAzure
from tests.localazure.platform_bodies import HERE, MANAGED, PLATFORM, WORKSPACE
from tests.rollout.record.rollouts import BLUE, started
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

ENDPOINT = f"{WORKSPACE}/onlineEndpoints/fraud-dev-0a1b2c"
TEN = Split(traffic={"blue": 90, "green": 10})


class Live:
    """An endpoint with two colours on a local Azure, whose stack file cannot be read."""

    def __init__(self, azure: LocalAzure, folder: Path) -> None:
        self.azure = azure
        self.file = folder / "Pulumi.dev.yaml"
        self.file.write_text("config: [\n")
        for path, body in PLATFORM:
            self.put(path, body | ({"tags": {"sluice:stack": "dev"}} if path == WORKSPACE else {}))
        self.weigh({})
        for colour in ("blue", "green"):
            sku = {"name": "Default", "capacity": 1}
            self.put(f"{ENDPOINT}/deployments/{colour}", HERE | {"properties": MANAGED, "sku": sku})
        self.weigh(TEN.traffic)

    def put(self, path: str, body: dict[str, Any]) -> None:
        answer = self.azure.request("PUT", path, body)
        assert answer.ok, answer.text
        wait_until(lambda: self._state(path) == "Succeeded", f"{path} is not ready")

    def _state(self, path: str) -> str:
        properties = self.azure.request("GET", path).json().get("properties") or {}
        return str(properties.get("provisioningState") or "Succeeded")

    def weigh(self, traffic: Any) -> None:
        properties = {"authMode": "Key", "traffic": dict(traffic)}
        self.put(ENDPOINT, HERE | {"identity": {"type": "SystemAssigned"}, "properties": properties})

    def traffic(self) -> dict[str, int]:
        return dict(self.azure.request("GET", ENDPOINT).json()["properties"]["traffic"])

    def record(self) -> Chain:
        """The record of a rollout that has given green 10 %."""
        now = int(time.time()) - 60
        chain = Chain(record_folder(self.file.parent, "dev", "fraud") / "20261127T140000Z-green.jsonl")
        place = {"stack": "dev", "endpoint": "fraud", "endpoint_id": ENDPOINT, "workspace": "ws1"}
        colours = {name: {"release": None, "content": name} for name in ("blue", "green")}
        data = started() | place | {"subscription": identity.SUBSCRIPTION_ID, "colours": colours}
        chain.append(Kind.STARTED, data, now)
        order = Order(start=BLUE, to=TEN, direction=Direction.FORWARD, step=0, why="the first step")
        intent = chain.append(Kind.INTENT, order.as_values(), now + 1)
        chain.append(Kind.APPLIED, {"intent": intent.seq, "found": False, "update": None, "seconds": {}}, now + 2)
        return chain


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    azure = LocalAzure(tmp_path / "home", FakePlane())
    for name, value in azure.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ARM_SUBSCRIPTION_ID", identity.SUBSCRIPTION_ID)
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", str(tmp_path / "Pulumi.dev.yaml"))
    monkeypatch.setattr(break_glass, "PAUSE_SECONDS", 0.1)
    yield Live(azure, tmp_path)
    azure.close()


def test_a_rollback_sets_the_weights_from_before_the_start(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    chain = live.record()
    assert command.main(["rollout", "rollback", "fraud", "--stack", "dev"]) == 2
    assert live.traffic() == {"blue": 100}
    assert Chain(chain.path).events[-1].kind is Kind.BREAK_GLASS
    said = capsys.readouterr()
    assert "Azure has blue 100 %; the stack file and Pulumi's state have yet to follow" in said.err
    assert "sluice rollout step fraud --stack dev" in said.err


def test_weights_by_hand_need_neither_record_nor_stack_file(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["rollout", "rollback", "fraud", "--stack", "dev", "--to", "blue=100"]) == 0
    assert live.traffic() == {"blue": 100}
    said = capsys.readouterr().out
    assert said.startswith("fraud has blue 100 % in Azure; Pulumi.dev.yaml and Pulumi's state do not say so yet.")
    assert said.rstrip().endswith("run `pulumi up --refresh --stack dev`.")


def test_weights_by_hand_for_a_colour_that_azure_does_not_have_are_refused(
    live: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["rollout", "rollback", "fraud", "--stack", "dev", "--to", "bleu=100"]) == 2
    assert live.traffic() == TEN.traffic
    assert (
        "fraud has no deployment bleu in Azure (there: blue, green). Nothing was changed. Did you mean blue?"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "has no events"), (b"hello\n", "is broken at line 1"), (None, "has had no rollout in dev")],
)
def test_without_a_record_the_command_that_needs_none_is_named(
    content: bytes | None, told: str, live: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        live.record().path.write_bytes(content)
    assert command.main(["rollout", "rollback", "fraud", "--stack", "dev"]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert "`sluice rollout rollback fraud --stack dev --to blue=100`" in said


def test_a_read_only_record_stops_no_rollback(
    live: Live, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, opened = live.record(), os.open

    def read_only(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if "rollouts" in str(path) and flags & (os.O_RDWR | os.O_WRONLY | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return opened(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", read_only)
    assert command.main(["rollout", "rollback", "fraud", "--stack", "dev"]) == 2
    assert live.traffic() == {"blue": 100}
    said = capsys.readouterr().err
    assert f"NOT IN THE RECORD: the record {chain.path} cannot be written: " in said
    assert "Nothing was changed" not in said


def test_an_endpoint_that_was_never_made_has_no_rollout(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    live.file.write_text((project_root() / "Pulumi.dev.yaml").read_text())
    assert command.main(["rollout", "start", "fraud-detection", "--stack", "dev"]) == 2
    assert capsys.readouterr().err.endswith(
        "no rollout of fraud-detection in dev was started, and nothing was changed:\n"
        "  - the endpoint fraud-detection does not exist in Azure. Run `pulumi up --stack dev` first.\n"
    )


def test_what_only_shows_needs_no_stack_file_that_can_be_read(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    live.record()
    empty = record_folder(live.file.parent, "dev", "fraud") / "20261126T140000Z-green.jsonl"
    empty.touch()
    assert command.main(["rollout", "status", "fraud", "--stack", "dev"]) == 0
    shown = capsys.readouterr().out
    assert "live step 1 of 3" in shown
    assert "Pulumi.dev.yaml cannot be read" in shown
    assert command.main(["rollout", "report", "fraud", "--stack", "dev", "-o", str(live.file.with_name("r.html"))]) == 0
    assert "<title>fraud" in live.file.with_name("r.html").read_text()
    capsys.readouterr()
    assert command.main(["rollout", "history", "fraud", "--stack", "dev"]) == 0
    newest, oldest = capsys.readouterr().out.splitlines()
    assert newest.startswith("20261127T140000Z-green  blue → green")
    assert oldest == f"20261126T140000Z-green  {empty} has no events. Restore it (git checkout)."

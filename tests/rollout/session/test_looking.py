"""The picture of a rollout without a tick, where Azure does not answer."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from command_errors import UnavailableError
from endpoint_client.address import EndpointAddress
from rollout.decision.order import Direction, Order
from rollout.record.chain import Chain, record_folder
from rollout.record.event import Kind
from rollout.record.journal import Journal
from rollout.session.looking import look
from rollout.session.session import Session
from rollout.session.site import Site
from rollout.split import Split
from tests.rollout.record.rollouts import BLUE, T0, started

TEN = Split(traffic={"blue": 90, "green": 10})
ORDER = Order(start=BLUE, to=TEN, direction=Direction.FORWARD, step=0, why="")


def silent() -> None:
    raise UnavailableError("Azure did not answer")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text("config:\n  sluice:rollout:\n    fraud-detection: {stable: blue, traffic: {blue: 100}}\n")
    for endpoint in ("credit-score", "fraud-detection"):
        chain = Chain(record_folder(tmp_path, "prod", endpoint) / "20261127T140000Z-green.jsonl")
        chain.append(Kind.STARTED, {**started(), "endpoint": endpoint}, T0)
        if endpoint == "credit-score":
            chain.append(Kind.INTENT, ORDER.as_values(), T0)
    azure: Any = SimpleNamespace(endpoint=silent)
    monkeypatch.setattr(Site, "azure", azure)
    session = Session(
        say=print,
        locks_of=lambda engine, say: pytest.fail("no locks"),
        colours_of=lambda *_: {},
        require_quota=lambda *_: pytest.fail("no quota"),
    )
    address = EndpointAddress("0", "rg", "mlw-payments-prod", "fraud-detection-prod-1")
    return Site(session, "prod", "fraud-detection", address, pytest.fail, file)  # type: ignore[arg-type]  # not read


def test_what_cannot_be_read_and_what_other_endpoints_leave_open_are_notes(site: Site) -> None:
    seen = look(site, Journal(Chain(next(site.folder.glob("*.jsonl"))), site.session.clock))
    assert (seen.live, seen.declared) == (None, BLUE)
    silence, neighbour = seen.notes[0], seen.notes[-1]
    assert silence == "live weights are not known: Azure did not answer"
    assert neighbour.startswith(
        "credit-score of this stack has an open change (blue 90 %, green 10 %): steps here go on"
    )

"""A stack that is delivered: how often the engine starts, when an update ends the work, what a person has to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from command_errors import UsageError, WaitingError
from delivery.run import stack as delivered
from delivery.run.pulumi_state import STACK_TYPE
from delivery.run.source_checkout import SourceCheckout
from delivery.run.stack import MOST_UPDATES, DeliveredStack
from rollout.engine import PulumiEngine
from rollout.errors import EngineLocked
from rollout.events import Change, Outcome, Preview
from rollout.session.session import Session

CHANGE = Change(
    urn="urn:pulumi:dev::sluice::t::n",
    type="azure-native:machinelearningservices:OnlineDeployment",
    op="update",
    name="n",
)


@dataclass
class Engine:
    """Counts its processes; after `updates` updates the preview is empty."""

    project: Path
    updates: int = 0
    endpoints: dict[str, Any] = field(default_factory=lambda: {"e": {"settled": True}})
    pending: bool = False
    locked: bool = False
    change: Change = CHANGE
    stack: str = "dev"
    environment: dict[str, str] = field(default_factory=dict)
    did: list[str] = field(default_factory=list)

    def export(self) -> dict[str, Any]:
        self.did.append("export")
        operations = [{"type": "creating", "resource": {"urn": "u", "type": "t"}}] if self.pending else []
        resources = [{"type": STACK_TYPE, "outputs": {"endpoints": self.endpoints}}]
        return {"deployment": {"resources": resources, "pending_operations": operations}}

    def preview(self) -> Preview:
        self.did.append("preview")
        return Preview(changes=(self.change,) if self.updates else ())

    def up(self) -> Outcome:
        self.did.append("up")
        if self.locked:
            raise EngineLocked("the stack is locked by root@vm")
        self.updates -= 1
        return Outcome()


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr(delivered, "sites_of", lambda session, stack: [])
    return Engine(tmp_path)


def stack_of(engine: Engine, said: list[str]) -> DeliveredStack:
    unused = cast(Any, None)
    session = Session(
        say=said.append, locks_of=unused, colours_of=unused, require_quota=lambda *_: engine.did.append("quota")
    )
    return DeliveredStack(
        session, "dev", cast(PulumiEngine, engine), cast(SourceCheckout, None), publish=lambda models: None
    )


def always() -> bool:
    return True


def test_a_delivery_with_nothing_to_do_starts_the_engine_twice(engine: Engine) -> None:
    stack = stack_of(engine, [])
    assert stack.problems() == ()
    assert stack.deploy(always)
    assert engine.did == ["export", "preview"]
    assert stack.problems() == ()
    assert engine.did == ["export", "preview", "export"], "the next round reads the state again"


def test_after_an_update_the_state_is_read_again(engine: Engine) -> None:
    engine.updates = 1
    stack = stack_of(engine, said := [])
    stack.problems()
    assert stack.deploy(always)
    assert engine.did == ["export", "preview", "quota", "up", "preview", "export"]
    assert said[1] == "updating dev: 1 resource changes"


@pytest.mark.parametrize(
    ("op", "kind", "checked"),
    [
        ("update", "machinelearningservices:OnlineEndpoint", False),
        ("delete", "machinelearningservices:OnlineDeployment", False),
        ("create", "machinelearningservices:OnlineDeployment", True),
        ("update", "monitor:AutoscaleSetting", True),
        ("create-replacement", "machinelearningservices:Compute", True),
    ],
)
def test_quota_stops_no_update_that_only_moves_weights_or_deletes(
    engine: Engine, op: str, kind: str, checked: bool
) -> None:
    engine.updates, engine.change = 1, replace(CHANGE, op=op, type=f"azure-native:{kind}")
    stack_of(engine, []).deploy(always)
    assert ("quota" in engine.did) is checked


def test_a_stack_that_is_not_settled_names_the_next_command(engine: Engine) -> None:
    engine.endpoints = {"e": {"settled": False, "next": "pulumi up --stack dev"}}
    with pytest.raises(UsageError, match=r"e \(next: pulumi up --stack dev\)"):
        stack_of(engine, []).deploy(always)


def test_another_runner_that_is_faster_is_no_failure(engine: Engine) -> None:
    engine.updates, engine.locked = 1, True
    with pytest.raises(WaitingError, match="another runner updates dev, and this one leaves it to that: the stack is"):
        stack_of(engine, []).deploy(always)


def test_an_update_that_always_changes_something_is_given_up(engine: Engine) -> None:
    engine.updates = 99
    with pytest.raises(UsageError, match=f"still has changes after {MOST_UPDATES} updates"):
        stack_of(engine, []).deploy(always)
    assert engine.did.count("up") == MOST_UPDATES


@pytest.mark.parametrize(
    ("may_begin", "did"), [(always, ["export", "preview", "quota", "up"]), (lambda: False, ["export", "preview"])]
)
def test_no_update_begins_when_the_time_is_over(engine: Engine, may_begin: Callable[[], bool], did: list[str]) -> None:
    engine.updates = 1
    stack_of(engine, []).deploy(may_begin)
    assert engine.did[: len(did)] == did
    assert ("up" in engine.did) is may_begin()

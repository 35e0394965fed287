"""The load of `plan.load`: begun and ended with the phases, with a token that is renewed before it expires."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from command_errors import UnavailableError
from endpoint_client.invocation import Target
from endpoint_client.load import Load
from rollout.record.state import Phase
from rollout.session import load as rollout_load
from rollout.session.load import RENEWAL_SECONDS, SyntheticLoad


class Rig:
    """A load whose clock, tokens and requests are fakes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.asked = 0
        self.error: UnavailableError | None = None
        self.loads: list[Load] = []
        site: Any = SimpleNamespace(azure=SimpleNamespace(arm=None), address=None, key="fraud-detection")
        monkeypatch.setattr(rollout_load, "find_target", self._find)
        monkeypatch.setattr(rollout_load, "traffic_of", lambda folder: [json.dumps({}).encode()])
        monkeypatch.setattr(rollout_load, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(Load, "run", _no_requests)
        self.load = SyntheticLoad(site)

    def follow(self, phase: Phase = Phase.LIVE) -> str:
        """Follow a state in this phase; returns the header that requests carry now."""
        state: Any = SimpleNamespace(phase=phase, plan=SimpleNamespace(load=SimpleNamespace(rpm=60)))
        self.load.follow(state)
        return self.loads[-1].headers["Authorization"] if self.loads else ""

    def _find(self, arm: object, address: object) -> Target:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return Target("http://127.0.0.1/score", f"token-{self.asked}")


async def _no_requests(_: Load) -> None:
    """Stand in for `Load.run`."""


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    made = Rig(monkeypatch)
    begin = Load.__init__

    def noted(load: Load, *arguments: Any, **options: Any) -> None:
        begin(load, *arguments, **options)
        made.loads.append(load)

    monkeypatch.setattr(Load, "__init__", noted)
    return made


def test_nothing_is_sent_before_the_first_weight(rig: Rig) -> None:
    assert rig.follow(Phase.VERIFY) == ""
    assert rig.asked == 0


def test_a_token_is_renewed_after_ten_minutes_in_the_same_load(rig: Rig) -> None:
    assert rig.follow() == "Bearer token-1"
    rig.now += RENEWAL_SECONDS - 1
    assert rig.follow() == "Bearer token-1"
    rig.now += 1
    assert rig.follow() == "Bearer token-2"
    assert rig.follow(Phase.BAKE) == "Bearer token-2"
    assert len(rig.loads) == 1


def test_the_load_keeps_its_token_while_azure_does_not_answer(rig: Rig) -> None:
    rig.follow()
    rig.now += RENEWAL_SECONDS
    rig.error = UnavailableError("no answer")
    assert rig.follow() == "Bearer token-1"
    rig.error = None
    assert rig.follow() == "Bearer token-3"
    rig.follow(Phase.DONE)
    assert len(rig.loads) == 1

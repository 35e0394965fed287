"""Which run asks about a step, and what a reviewer's no becomes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from command_errors import UsageError
from delivery.run.approval_runs import dispatched, rejection, require_asked, run_of, waiting_step
from git_server.port import Approval
from rollout.record.event import Event, Kind
from rollout.record.state import Hold, HoldKind
from tests.rollout.states import NOON, state_of

HELD = Hold(kind=HoldKind.APPROVAL, reason="step 2 needs approval", since=NOON)
WAITING = state_of(step=0, held=HELD, approval_requested=frozenset({1}))


def asked(step: int, run: str | None) -> Event:
    return Event(seq=1, at=NOON, kind=Kind.APPROVAL_REQUESTED, data={"step": step, "run": run})


def test_the_step_that_waits_is_the_next_one_and_only_while_it_waits() -> None:
    assert waiting_step(WAITING) == 1
    assert waiting_step(replace(WAITING, held=None)) is None
    assert waiting_step(replace(WAITING, approval_requested=frozenset())) is None
    assert waiting_step(replace(WAITING, approved={1: "bo"})) is None


def test_an_answer_about_another_rollout_or_step_approves_nothing() -> None:
    require_asked(WAITING, WAITING.id, 2)
    require_asked(WAITING, None, None)
    with pytest.raises(UsageError, match=r"asks about the rollout other, .* Nothing was approved"):
        require_asked(WAITING, "other", 2)
    with pytest.raises(UsageError, match=r"asks about step 3 of .*, and step 2 waits\. Nothing was approved"):
        require_asked(WAITING, None, 3)


def test_a_run_is_dispatched_once_per_step() -> None:
    assert run_of([asked(1, None)], 1) is None
    assert run_of([asked(1, None), asked(1, "77"), asked(3, None)], 1) == "77"
    assert run_of([asked(1, "77")], 3) is None
    deed = dispatched(WAITING, 1, "77", "https://github.com/acme/models/actions/runs/77")
    assert (deed.kind, deed.data) == (Kind.APPROVAL_REQUESTED, {"step": 1, "run": "77"})


def test_only_a_persons_last_word_rejects() -> None:
    no = Approval(user="bo", state="rejected", comment="too slow")
    yes = Approval(user="bo", state="approved")
    bot = Approval(user="github-actions[bot]", state="rejected")
    found = rejection([no], "https://run")
    assert found is not None
    assert (found[0].name, found[0].run, found[1]) == ("bo", "https://run", "too slow")
    assert rejection([no, yes], "") is None
    assert rejection([yes, bot], "") is None
    assert rejection([], "") is None

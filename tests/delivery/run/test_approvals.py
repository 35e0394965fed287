"""A step that waits is asked about once; a person's no goes into the record."""

from __future__ import annotations

import pytest

from delivery.run.approvals import WITHOUT_A_COMMENT, WITHOUT_REVIEWERS, Approvals
from git_server.port import Approval, Environment
from rollout.record.event import Event, Kind
from rollout.record.state import Hold, HoldKind, RolloutState
from tests.git_server.memory import MemoryServer, refused
from tests.rollout.states import NOON, state_of

WAITING = state_of(
    step=0,
    held=Hold(kind=HoldKind.APPROVAL, reason="step 2 needs approval", since=NOON),
    approval_requested=frozenset({1}),
)


def approvals(server: MemoryServer) -> Approvals:
    return Approvals(server, "sluice-approve.yml", "main")


def asked(run: str | None) -> Event:
    return Event(seq=1, at=NOON, kind=Kind.APPROVAL_REQUESTED, data={"step": 1, "run": run})


def test_the_question_names_stack_endpoint_rollout_and_step_and_is_asked_once() -> None:
    server = MemoryServer()
    deed = approvals(server).asked([asked(None)], WAITING)
    assert deed is not None
    assert (deed.kind, deed.data) == (Kind.APPROVAL_REQUESTED, {"step": 1, "run": "1"})
    inputs = {"stack": "prod", "endpoint": "fraud-detection", "rollout": WAITING.id, "step": "2"}
    assert server.runs == [("sluice-approve.yml", "main", inputs)]
    assert approvals(server).asked([asked(None), asked("1")], WAITING) is None
    assert len(server.runs) == 1


@pytest.mark.parametrize(
    ("environments", "is_told"),
    [
        ({}, True),
        ({"prod-approval": Environment(name="prod-approval", has_branch_policy=True, has_reviewers=False)}, True),
        ({"prod-approval": Environment(name="prod-approval", has_branch_policy=True, has_reviewers=True)}, False),
    ],
)
def test_an_environment_without_reviewers_is_told(environments: dict[str, Environment], is_told: bool) -> None:
    deed = approvals(MemoryServer(environments=environments)).asked([asked(None)], WAITING)
    assert deed is not None
    assert deed.told.endswith(WITHOUT_REVIEWERS) is is_told


def test_nothing_is_asked_while_no_step_waits() -> None:
    server = MemoryServer()
    assert approvals(server).asked([], state_of()) is None
    assert not server.runs


@pytest.mark.parametrize(("comment", "reason"), [("too slow", "too slow"), ("", WITHOUT_A_COMMENT)])
def test_a_persons_no_becomes_a_rejection(comment: str, reason: str) -> None:
    server = MemoryServer(reviews={"1": (Approval(user="bo", state="rejected", comment=comment),)})
    deed = approvals(server).rejected([asked("1")], WAITING)
    assert deed is not None
    assert deed.kind is Kind.REJECTED
    assert (deed.data["by"], deed.data["reason"], deed.data["step"]) == ("bo", reason, 1)


@pytest.mark.parametrize("state", [WAITING, state_of()])
def test_a_yes_is_left_to_the_job_of_its_run(state: RolloutState) -> None:
    server = MemoryServer(reviews={"1": (Approval(user="bo", state="approved"),)})
    assert approvals(server).rejected([asked("1")], state) is None


def test_a_run_that_could_not_be_started_is_not_in_the_record() -> None:
    server = MemoryServer(refuses={"dispatch": refused(403)})
    with pytest.raises(type(refused(403))):
        approvals(server).asked([asked(None)], WAITING)

"""On a way back, nothing that git or origin refuses stops it; only another runner's events must be answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_errors import UsageError
from rollout.errors import Overtaken, PushRefused, PushUnanswered
from rollout.instances import DeploymentEdit, Removal
from rollout.ports import Message, Repository
from rollout.repository.best_effort import BestEffort
from tests.rollout.repository.clones import Remote

MESSAGE = Message(subject="back")


class Failing:
    """A repository whose every call fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def sync(self) -> str | None:
        raise self.error

    def publish(self, message: Message, *, patient: bool = True, edit: DeploymentEdit | None = None) -> None:
        raise self.error


@pytest.mark.parametrize("error", [PushRefused("protected branch"), PushUnanswered("no route"), UsageError("staged")])
def test_what_fails_is_told_and_goes_on(error: Exception) -> None:
    said: list[str] = []
    repository = BestEffort(lambda: Failing(error), said.append)
    assert repository.sync() is None
    repository.publish(MESSAGE)
    assert said == [
        f"the way back goes on; what others pushed is not known: {error}",
        f"the way back goes on; not pushed: {error}",
    ]


def test_an_edit_of_a_deployment_is_no_part_of_the_way_back_and_is_not_swallowed() -> None:
    def closed() -> Repository:
        raise UsageError("no branch")

    edit = Removal(deployment="blue")
    with pytest.raises(PushRefused):
        BestEffort(lambda: Failing(PushRefused("protected")), lambda text: None).publish(MESSAGE, edit=edit)
    with pytest.raises(UsageError, match="the stack file cannot be committed: no branch"):
        BestEffort(closed, lambda text: None).publish(MESSAGE, edit=edit)


def test_a_clone_that_cannot_be_opened_commits_nothing(tmp_path: Path) -> None:
    said: list[str] = []

    def opened() -> Repository:
        checkout = Remote(tmp_path).checkout("runner")
        checkout.git("checkout", "--quiet", "--detach")
        return checkout.clone()

    repository = BestEffort(opened, said.append)
    assert repository.sync() is None
    repository.publish(MESSAGE)
    (told,) = said
    assert told.startswith("the way back goes on; nothing is committed: ")
    assert "has no branch checked out" in told


def test_another_runners_events_are_the_callers_to_answer() -> None:
    with pytest.raises(Overtaken):
        BestEffort(lambda: Failing(Overtaken("first")), lambda text: None).publish(MESSAGE)

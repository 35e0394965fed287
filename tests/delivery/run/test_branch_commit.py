"""One commit of some files on a branch of origin, on real repositories."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_errors import UsageError, WaitingError
from delivery.run import branch_commit
from delivery.run.branch_commit import push_files
from rollout.ports import Message
from rollout.repository import attempts
from rollout.repository.git import Git
from rollout.repository.push import Answer
from tests.rollout.repository.clones import Checkout, Remote

pytestmark = pytest.mark.slow
LOCK = {"models/m/release.lock.yml": b"model: m\n"}
MESSAGE = Message(subject="release(dev): publish m")


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remote:
    monkeypatch.setattr(attempts, "PAUSE_SECONDS", 0.0)
    return Remote(tmp_path)


def push(checkout: Checkout) -> str | None:
    return push_files(Git(checkout.path, checkout.environment), "main", LOCK, MESSAGE)


def test_a_push_of_another_in_between_is_kept(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    other, make = remote.checkout("other"), branch_commit.commit_of
    waiting = [lambda: other.commit("README.md", "newer\n")]

    def raced(*arguments: object, **named: object) -> str:
        if waiting:
            waiting.pop()()
        return make(*arguments, **named)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(branch_commit, "commit_of", raced)
    tip = push(remote.checkout("runner", "--depth=1"))
    assert tip == remote.git("rev-parse", "main")
    assert remote.show("README.md") == "newer"
    assert remote.show("models/m/release.lock.yml") == "model: m"


def test_pushes_that_always_come_first_end_with_waiting_and_not_with_a_network_error(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(branch_commit.Remote, "push", lambda *arguments: Answer.RACED)
    with pytest.raises(WaitingError, match=r"^other pushes to main came first, 5 times in a row\. Nothing was changed"):
        push(remote.checkout("runner", "--depth=1"))


def test_a_branch_that_is_gone_is_named(remote: Remote) -> None:
    runner = remote.checkout("runner", "--depth=1")
    remote.git("branch", "-m", "main", "trunk")
    with pytest.raises(UsageError, match=r"^origin has no branch main any more\."):
        push(runner)

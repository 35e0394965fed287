"""An edit of a deployment is committed with the record, and only where the remote's file has the expected values."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_errors import UsageError
from rollout.errors import Overtaken
from rollout.instances import NumbersEdit, Removal
from rollout.ports import Message
from rollout.repository import clone as clone_module
from rollout.repository.working_tree import WorkingTree
from tests.rollout.repository.clones import CANARY, Checkout, Remote

pytestmark = pytest.mark.slow

STACK = """\
# prod
config:
  sluice:endpoints:
    fraud:
      deployments:
        blue: {autoscale: {min: 3, max: 10, default: 3}} # big
        green: {instances: 3}
  sluice:rollout:
    fraud: {stable: green, traffic: {blue: 0, green: 100}}
"""
RAISED = STACK.replace("{min: 3, max: 10, default: 3}", "{min: 8, max: 10, default: 8}")
MESSAGE = Message(subject="rollout(fraud): blue keeps at least 8 instances in prod")
FLOOR = NumbersEdit(
    deployment="blue",
    start={"autoscale.min": 3, "autoscale.default": 3},
    to={"autoscale.min": 8, "autoscale.default": 8},
)


class Killed(BaseException):
    """kill -9."""


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remote:
    monkeypatch.setattr(clone_module, "PAUSE_SECONDS", 0.0)
    return Remote(tmp_path, stack=STACK)


@pytest.fixture
def runner(remote: Remote) -> Checkout:
    checkout = remote.checkout("runner", "--depth=1")
    checkout.append("reserving")
    return checkout


@pytest.fixture
def other(remote: Remote) -> Checkout:
    return remote.checkout("other")


def test_the_edit_is_in_the_commit_and_then_in_the_file(remote: Remote, runner: Checkout) -> None:
    clone = runner.clone()
    clone.publish(MESSAGE, edit=FLOOR)
    assert remote.show("Pulumi.prod.yaml") == RAISED.strip()
    assert runner.stack.text() == RAISED
    assert runner.git("status", "--porcelain") == ""
    tip = remote.git("rev-parse", "main")
    clone.publish(MESSAGE, edit=FLOOR)
    assert remote.git("rev-parse", "main") == tip, "it may be repeated"


def test_a_commit_of_weights_leaves_the_edit(remote: Remote, runner: Checkout) -> None:
    clone = runner.clone()
    clone.publish(MESSAGE, edit=FLOOR)
    runner.append("intent")
    runner.stack.write(CANARY)
    clone.publish(MESSAGE)
    assert "min: 8" in remote.show("Pulumi.prod.yaml")


def test_a_removal_is_committed_too(remote: Remote, runner: Checkout) -> None:
    runner.clone().publish(MESSAGE, edit=Removal(deployment="blue"))
    assert "blue" not in remote.show("Pulumi.prod.yaml")
    assert "blue" not in runner.stack.text()


def test_a_persons_edits_are_neither_committed_nor_lost(remote: Remote, runner: Checkout) -> None:
    mine = STACK.replace("green: {instances: 3}", "green: {instances: 5}")
    runner.stack.path.write_text(mine)
    runner.clone().publish(MESSAGE, edit=FLOOR)
    assert remote.show("Pulumi.prod.yaml") == RAISED.strip()
    assert runner.stack.text() == RAISED.replace("green: {instances: 3}", "green: {instances: 5}")
    assert runner.git("rev-parse", "HEAD") == remote.git("rev-parse", "main")


def test_unrelated_commits_stop_no_edit(remote: Remote, runner: Checkout, other: Checkout) -> None:
    clone = runner.clone()
    clone.sync()
    other.commit("Pulumi.prod.yaml", STACK.replace("# prod", "# production"))
    clone.publish(MESSAGE, edit=FLOOR)
    assert remote.show("Pulumi.prod.yaml") == RAISED.replace("# prod", "# production").strip()
    assert runner.stack.text() == RAISED.replace("# prod", "# production")


def test_values_that_were_edited_on_the_remote_are_not_overwritten(
    remote: Remote, runner: Checkout, other: Checkout
) -> None:
    clone = runner.clone()
    clone.sync()
    theirs = STACK.replace("min: 3", "min: 5").replace("default: 3", "default: 5")
    other.commit("Pulumi.prod.yaml", theirs)
    with pytest.raises(UsageError, match=r"autoscale\.min is 5; the rollout expects 3, to set it to 8"):
        clone.publish(MESSAGE, edit=FLOOR)
    assert remote.show("Pulumi.prod.yaml") == theirs.strip()
    assert runner.stack.text() == STACK


def test_another_runners_event_comes_first(remote: Remote, runner: Checkout, other: Checkout) -> None:
    clone = runner.clone()
    clone.sync()
    other.append("reserving")
    other.append("reserved")
    other.clone().publish(MESSAGE, edit=FLOOR)
    with pytest.raises(Overtaken):
        clone.publish(MESSAGE, edit=FLOOR)
    assert runner.stack.text() == RAISED, "the file is that of the remote"


def test_a_kill_between_push_and_file_is_made_good_by_the_next_tick(
    remote: Remote, runner: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*arguments: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        first = runner.clone()
        first.sync()
        patch.setattr(WorkingTree, "move", killed)
        with pytest.raises(Killed):
            first.publish(MESSAGE, edit=FLOOR)
    assert runner.stack.text() == STACK
    clone = runner.clone()
    clone.sync()
    assert runner.stack.text() == RAISED
    clone.publish(MESSAGE, edit=FLOOR)
    assert remote.git("rev-list", "--count", "main") == "3"


def test_without_push_the_edit_is_on_the_branch_only(remote: Remote, runner: Checkout) -> None:
    runner.clone(push=False).publish(MESSAGE, edit=FLOOR)
    assert runner.stack.text() == RAISED
    assert runner.git("status", "--porcelain") == ""
    assert remote.show("Pulumi.prod.yaml") == STACK.strip()

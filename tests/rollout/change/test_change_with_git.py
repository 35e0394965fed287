"""Changes of weights with real repositories: kills, then resuming in place or in a fresh clone; two runners at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exit_codes import ExitCode
from rollout.decision.order import Ending
from rollout.instances import DeploymentEdit
from rollout.ports import Message
from rollout.repository.clone import Clone
from rollout.repository.working_tree import WorkingTree
from tests.rollout.change.world import BACK, CLOSING, FORWARD, STACK, TEN, Killed, World, begin
from tests.rollout.record.rollouts import BLUE
from tests.rollout.repository.clones import Checkout, Remote

pytestmark = pytest.mark.slow


class Steps:
    """The clone of one runner, in which a kill can be planned."""

    def __init__(self, clone: Clone, world: World) -> None:
        self.clone = clone
        self.world = world

    def sync(self) -> str | None:
        return self.clone.sync()

    def publish(self, message: Message, *, patient: bool = True, edit: DeploymentEdit | None = None) -> None:
        self.world.step("push")
        self.clone.publish(message, patient=patient, edit=edit)
        self.world.step("pushed")


class Runner(World):
    """A world whose repository is a clone of a real remote."""

    def __init__(self, remote: Remote, name: str) -> None:
        self.origin = remote
        remote.checkout(name, "--depth=1")
        super().__init__(remote.folder / f"{name}-files")
        self.use_clone(name)

    def use_clone(self, name: str) -> None:
        self.checkout = Checkout(self.origin.folder / name, self.origin.environment)
        self.move_to(self.checkout.path)
        clone = Clone(self.file, self.path, push=True, environment=self.origin.environment, say=self.said.append)
        self.repository = Steps(clone, self)
        self.restart()

    def tick(self) -> None:
        """Begin a tick: take over what others pushed."""
        remote = self.repository.sync()
        assert remote is not None
        self.record.take_over(remote)

    def require_settled(self, split: Any) -> None:
        assert self.file.lines().split == self.azure.split == self.record.state.weights == split
        assert self.record.state.open_intent is None
        assert self.record.broken is None
        assert self.engine.preview().is_empty
        name = str(self.path.relative_to(self.folder))
        assert self.origin.show(name) == self.path.read_text().strip()
        assert self.origin.show("Pulumi.prod.yaml") == self.file.text().strip()
        assert self.checkout.git("rev-parse", "HEAD") == self.origin.git("rev-parse", "main")
        assert self.checkout.git("status", "--porcelain") == ""


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    remote = Remote(tmp_path, stack=STACK)
    seed = Checkout(tmp_path / "seed", remote.environment)
    begin(seed.path)
    (seed.path / ".gitignore").write_text("rollouts/**/.lock\n")
    seed.git("add", "rollouts", ".gitignore")
    seed.git("commit", "--quiet", "-m", "Start")
    seed.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    for name in ("runner-files", "other-files"):
        (tmp_path / name).mkdir()
    return remote


@pytest.fixture
def runner(remote: Remote) -> Runner:
    return Runner(remote, "runner")


def killed_in_move(*arguments: object) -> None:
    raise Killed("between push and branch")


@pytest.mark.parametrize("place", ["in place", "in a fresh clone"])
@pytest.mark.parametrize("point", ["after intent", "push", "move", "pushed", "put"])
def test_a_step_forward_goes_on_after_a_kill(
    remote: Remote, runner: Runner, point: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.tick()
    runner.kill_at = point
    move = WorkingTree.move
    monkeypatch.setattr(WorkingTree, "move", killed_in_move if point == "move" else move)
    with pytest.raises(Killed):
        runner.change.make(runner.record, FORWARD, None)
    monkeypatch.setattr(WorkingTree, "move", move)
    if place == "in place":
        runner.use_clone("runner")
    else:
        remote.checkout("fresh", "--depth=1")
        runner.use_clone("fresh")
    runner.tick()
    runner.finish(FORWARD, None)
    runner.repository.publish(Message(subject="the next event"))
    runner.require_settled(TEN)
    assert runner.kinds().count("applied") == 1


@pytest.mark.parametrize("place", ["in place", "in a fresh clone"])
@pytest.mark.parametrize("point", ["written", "put", "after applied"])
def test_a_way_back_goes_on_after_a_kill(remote: Remote, runner: Runner, point: str, place: str) -> None:
    runner.tick()
    runner.change.make(runner.record, FORWARD, None)
    runner.kill_at = point
    with pytest.raises(Killed):
        runner.change.make(runner.record, BACK, CLOSING)
    if place == "in place":
        runner.use_clone("runner")
    else:
        remote.checkout("fresh", "--depth=1")
        runner.use_clone("fresh")
    runner.tick()
    while runner.record.state.weights != BLUE or runner.record.state.open_intent:
        runner.finish(BACK, CLOSING)
    runner.repository.publish(Message(subject="the next event"))
    runner.require_settled(BLUE)


def test_two_runners_at_once_one_moves_and_the_other_has_changed_nothing(remote: Remote, runner: Runner) -> None:
    other = Runner(remote, "other")
    other.azure, other.engine.azure = runner.azure, runner.azure
    other.use_clone("other")
    for each in (runner, other):
        each.tick()
    assert runner.change.make(runner.record, FORWARD, None).ending is Ending.APPLIED
    changed = other.change.make(other.record, FORWARD, None)
    assert (changed.ending, changed.exit_code) == (Ending.OVERTAKEN, ExitCode.WAITING)
    assert other.engine.calls == []
    other.record.refresh()
    other.engine.state = TEN
    other.require_settled(TEN)


def test_a_protected_branch_changes_neither_file_nor_azure(remote: Remote, runner: Runner) -> None:
    runner.tick()
    remote.hook("update", "echo 'protected branch' >&2; exit 1")
    changed = runner.change.make(runner.record, FORWARD, None)
    assert (changed.ending, changed.exit_code) == (Ending.REFUSED, ExitCode.USAGE)
    assert "protected branch" in changed.reason
    assert runner.file.lines().split == runner.azure.split == BLUE
    assert runner.engine.calls == []
    assert runner.kinds() == ["intent", "withdrawn"]


def test_a_forward_runner_that_was_slower_than_a_rollback_stops(remote: Remote, runner: Runner) -> None:
    """The rollback pushed its intent beside its update, so that the other runner's push is refused."""
    runner.tick()
    runner.change.make(runner.record, FORWARD, None)
    other = Runner(remote, "other")
    other.use_clone("other")
    other.tick()
    assert runner.change.make(runner.record, BACK, CLOSING).ending is Ending.APPLIED
    assert other.change.make(other.record, FORWARD, None).ending is Ending.OVERTAKEN
    assert other.engine.calls == []
    runner.require_settled(BLUE)

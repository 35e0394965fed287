"""The clone of a run moves to the stack's branch, also when that cannot take over what the source branch has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from command_errors import UsageError
from delivery.run.deliver import Look
from delivery.run.pipeline_world import PipelineWorld
from delivery.run.source_checkout import SourceCheckout
from delivery.stack_branch import own_branch
from delivery.stack_branch.delivery import SyncedBranch
from delivery.stack_branch.own_branch import OwnBranch
from tests.delivery.stack_branch.branches import PLACE, STACK
from tests.rollout.repository.clones import Checkout, Remote

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch) -> None:
    """What settings and names say; every tree is one that the program takes, but for one with the word `broken`."""

    def runnable(folder: object, stack: str) -> None:
        if "broken" in (folder / "README.md").read_text():  # type: ignore[operator]  # a Path
            raise UsageError("unknown key")

    monkeypatch.setattr(OwnBranch, "_place", lambda _: PLACE)
    monkeypatch.setattr(own_branch, "require_runnable", runnable)


def own_in(clone: Checkout, said: list[str]) -> OwnBranch:
    world = PipelineWorld(clone.path, {**clone.environment, "GITHUB_BASE_REF": "main"})
    return OwnBranch(world, "prod", "sluice/prod", said.append)


def test_a_run_goes_on_with_what_the_branch_has_if_the_source_branch_is_refused(remote: Remote) -> None:
    own_in(remote.checkout("first"), []).enter_synced()
    tip = remote.git("rev-parse", "sluice/prod")
    remote.checkout("person").commit("README.md", "broken\n")
    clone = remote.checkout("next")
    own = own_in(clone, [])
    own.enter_synced()
    assert clone.git("rev-parse", "HEAD") == tip
    assert clone.git("branch", "--show-current") == "sluice/prod"
    branch = SyncedBranch(own, SourceCheckout(clone.path, clone.path / "Pulumi.prod.yaml", clone.environment, dict))
    with pytest.raises(UsageError, match="unknown key"):
        branch.look()
    assert remote.git("rev-parse", "sluice/prod") == tip


def test_a_branch_that_is_there_is_delivered_as_it_is_while_the_stack_before_is_late(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_in(remote.checkout("first"), []).enter_synced()
    monkeypatch.setattr(OwnBranch, "_place", lambda _: replace(PLACE, after=("dev", "sluice/dev")))
    clone = remote.checkout("next")
    own = own_in(clone, [])
    own.enter_synced()
    branch = SyncedBranch(own, SourceCheckout(clone.path, clone.path / "Pulumi.prod.yaml", clone.environment, dict))
    assert branch.look() is Look.MOVED
    assert "dev has no branch yet" in str(branch.behind())


def test_without_a_branch_to_go_on_with_the_refusal_ends_the_run(remote: Remote) -> None:
    remote.checkout("person").commit("README.md", "broken\n")
    clone = remote.checkout("first")
    with pytest.raises(UsageError, match="unknown key"):
        own_in(clone, []).enter_synced()
    assert clone.git("branch", "--show-current") == "main"


def test_a_commit_that_changes_nothing_for_the_stack_is_a_reason_to_deploy(remote: Remote) -> None:
    """Another stack waits for it (`sluice:after`)."""
    clone, said = remote.checkout("ci"), list[str]()
    own = own_in(clone, said)
    own.enter_synced()
    branch = SyncedBranch(own, SourceCheckout(clone.path, clone.path / "Pulumi.prod.yaml", clone.environment, dict))
    assert branch.look() is Look.MOVED  # the first look reads the stack file
    assert branch.look() is Look.SAME
    person = remote.checkout("person")
    person.commit("Pulumi.dev.yaml", STACK)
    assert branch.look() is Look.MOVED
    assert branch.look() is Look.SAME
    assert said[-1] == f"sluice/prod has main at {person.git('rev-parse', 'HEAD')[:12]}"

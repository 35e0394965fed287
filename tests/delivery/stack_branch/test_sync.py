"""A sync in real git repositories: what the branch has afterwards, and what is never pushed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from command_errors import UsageError, WaitingError
from delivery.stack_branch.source_document import SourceDocument, parse
from delivery.stack_branch.tree import Branches, StackTree
from rollout.errors import PushRefused
from rollout.record.event import Kind
from tests.delivery.stack_branch.branches import BY_HAND, CANARY, NAME, NOON, PLACE, STACK, branch_in, on_branch
from tests.rollout.record.rollouts import Story
from tests.rollout.repository.clones import Remote

pytestmark = pytest.mark.slow


def step(
    remote: Remote, stack_file: str = CANARY, *, ended: bool = False, floor: Mapping[str, Any] | None = None
) -> None:
    """What the controller pushes to the stack's branch: a record, and its weights."""
    runner = remote.checkout("runner", "--branch=sluice/prod")
    story = Story()
    if floor:
        story.at(0, Kind.RESERVED, **floor)
    story.move(0, 0, applied=5)
    if ended:
        story.move(60, -1, applied=5)
        story.at(70, Kind.ENDED, outcome="rolled_back", reason="error_rate 64:1")
    (runner.path / NAME).parent.mkdir(parents=True)
    (runner.path / NAME).write_text("".join(f"{event.line()}\n" for event in story.events))
    (runner.path / "Pulumi.prod.yaml").write_text(stack_file)
    runner.git("add", "--all")
    runner.git("commit", "--quiet", "-m", "rollout")
    runner.git("push", "--quiet", "origin", "HEAD:sluice/prod")


@pytest.mark.parametrize("flags", [(), ("--depth=1",)])
def test_the_branch_is_the_source_without_workflows_and_with_its_document(
    remote: Remote, flags: tuple[str, ...]
) -> None:
    clone = remote.checkout("ci", *flags)
    before = clone.files()
    synced = branch_in(clone).sync()
    assert synced.is_new
    names = remote.git("ls-tree", "-r", "--name-only", "sluice/prod").split()
    assert names == ["Pulumi.prod.yaml", "README.md", "rollouts/prod/source.json"]
    assert on_branch(remote, "Pulumi.prod.yaml") == STACK.strip()
    document = parse(on_branch(remote, "rollouts/prod/source.json"), "source.json")
    assert document == synced.document
    assert (document.commit, document.deployed) == (remote.git("rev-parse", "main"), False)
    assert remote.git("rev-list", "--count", "sluice/prod") == "1"
    assert "[skip ci]" in remote.git("log", "-1", "--format=%B", "sluice/prod")
    assert clone.files() == before
    again = branch_in(clone).sync()
    assert (again.tip, again.is_new) == (synced.tip, False)


def test_the_weights_of_a_rollout_stay_while_the_rest_follows(remote: Remote) -> None:
    clone = remote.checkout("ci", "--depth=1")
    branch_in(clone).sync()
    step(remote)
    remote.checkout("person").commit("Pulumi.prod.yaml", STACK.replace("# prod", "# production"))
    synced = branch_in(clone).sync()
    assert on_branch(remote, "Pulumi.prod.yaml") == CANARY.replace("# prod", "# production").strip()
    assert "green" in on_branch(remote, NAME)
    assert remote.git("rev-list", "--count", "sluice/prod") == "3"
    assert synced.document.weights["fraud-detection"].split.traffic == {"blue": 100}


def test_weights_that_a_person_changes_during_a_rollout_are_not_pushed(remote: Remote) -> None:
    clone = remote.checkout("ci")
    branch_in(clone).sync()
    step(remote)
    tip = remote.git("rev-parse", "sluice/prod")
    remote.checkout("person").commit("Pulumi.prod.yaml", BY_HAND)
    with pytest.raises(
        UsageError, match=r"source branch says blue 50 %, green 50 %.*branch says blue 90 %, green 10 %"
    ):
        branch_in(clone).sync()
    assert remote.git("rev-parse", "sluice/prod") == tip


def test_a_person_changes_weights_when_no_rollout_is_open(remote: Remote) -> None:
    clone = remote.checkout("ci")
    branch_in(clone).sync()
    remote.checkout("person").commit("Pulumi.prod.yaml", BY_HAND)
    branch_in(clone).sync()
    assert on_branch(remote, "Pulumi.prod.yaml") == BY_HAND.strip()


def test_a_raised_floor_is_carried_and_an_edit_of_it_is_asked_about(remote: Remote) -> None:
    blue = "{autoscale: {min: 3, max: 9, default: 3}}"
    scaled = STACK + f"  sluice:endpoints: {{fraud-detection: {{deployments: {{blue: {blue}}}}}}}\n"
    person = remote.checkout("person")
    person.commit("Pulumi.prod.yaml", scaled)
    clone = remote.checkout("ci")
    branch_in(clone).sync()
    was, now = ({"autoscale.min": count, "autoscale.default": count} for count in (3, 5))
    floor = {"deployment": "blue", "minimum": 5, "was": was, "now": now}
    step(remote, scaled.replace("min: 3", "min: 5").replace("default: 3", "default: 5"), floor=floor)
    person.commit("README.md", "newer\n")
    branch_in(clone).sync()
    assert "min: 5, max: 9, default: 5" in on_branch(remote, "Pulumi.prod.yaml")
    assert on_branch(remote, "README.md") == "newer"
    person.commit("Pulumi.prod.yaml", scaled.replace("min: 3", "min: 4"))
    with pytest.raises(UsageError, match=r"(?s)lines that a rollout moves were changed.*autoscale.min"):
        branch_in(clone).sync()


def test_the_weights_that_a_rollout_left_come_back_by_a_record_pull_request(remote: Remote) -> None:
    remote.checkout("person").commit("Pulumi.prod.yaml", BY_HAND)
    clone = remote.checkout("ci")
    branch_in(clone).sync()
    step(remote, STACK, ended=True)
    runner = remote.checkout("next", "--branch=sluice/prod")
    (runner.path / "Pulumi.prod.yaml").write_text(BY_HAND.replace("50, green: 50", "80, green: 20"))
    runner.git("commit", "--quiet", "--all", "-m", "the next rollout")
    runner.git("push", "--quiet", "origin", "HEAD:sluice/prod")
    remote.checkout("merged").commit("Pulumi.prod.yaml", STACK)
    synced = branch_in(clone).sync()
    assert "blue: 80, green: 20" in on_branch(remote, "Pulumi.prod.yaml")
    assert synced.document.weights["fraud-detection"].split.traffic == {"blue": 100}


def test_a_tree_that_the_program_refuses_is_not_pushed(remote: Remote) -> None:
    def refuse(folder: Path) -> None:
        assert (folder / "rollouts/prod/source.json").is_file()
        raise UsageError("unknown key")

    with pytest.raises(UsageError, match="unknown key"):
        branch_in(remote.checkout("ci"), check=refuse).sync()
    assert "sluice/prod" not in remote.git("branch", "--list")


def test_a_runner_that_was_faster_is_no_error(remote: Remote) -> None:
    first, second = remote.checkout("one"), remote.checkout("two")

    def faster(folder: Path) -> None:
        if "sluice/prod" not in remote.git("branch", "--list"):
            branch_in(first, now=NOON - 1).sync()

    synced = branch_in(second, check=faster).sync()
    assert (synced.tip, synced.is_new) == (remote.git("rev-parse", "sluice/prod"), False)


def test_the_policy_of_the_server_is_told(remote: Remote) -> None:
    remote.hook("pre-receive", "echo 'GH013: rule violations' >&2; exit 1")
    with pytest.raises(PushRefused, match="GH013"):
        branch_in(remote.checkout("ci")).sync()


def test_prod_takes_what_dev_has_deployed(remote: Remote) -> None:
    remote.git("config", "uploadpack.allowAnySHA1InWant", "true")
    seed = remote.checkout("person")
    seed.commit("Pulumi.dev.yaml", STACK)
    good = remote.git("rev-parse", "main")
    clone = remote.checkout("ci", "--depth=1")
    dev = branch_in(clone, replace(PLACE, stack="dev", stack_branch="sluice/dev"))
    with pytest.raises(WaitingError, match="dev has no branch yet"):
        branch_in(clone, replace(PLACE, after=("dev", "sluice/dev"))).sync()
    dev.sync()
    with pytest.raises(WaitingError, match=f"has not deployed {good[:12]}"):
        branch_in(clone, replace(PLACE, after=("dev", "sluice/dev"))).sync()
    assert dev.mark_deployed(good).document.deployed
    seed.commit("README.md", "newer\n")
    prod = branch_in(remote.checkout("other", "--depth=1"), replace(PLACE, after=("dev", "sluice/dev")))
    assert prod.sync().document.commit == good
    assert on_branch(remote, "README.md") == "models"


def test_a_commit_that_came_meanwhile_is_not_called_deployed(remote: Remote) -> None:
    clone = remote.checkout("ci")
    branch = branch_in(clone)
    first = branch.sync().document.commit
    remote.checkout("person").commit("README.md", "newer\n")
    tip = branch.sync().tip
    noted = branch.mark_deployed(first)
    assert (noted.tip, noted.is_new, noted.document.deployed) == (tip, False, False)
    assert branch.mark_deployed(noted.document.commit).is_new


def test_a_tree_is_built_again_only_after_a_branch_has_moved(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    build = StackTree.build

    def counted(tree: StackTree, branches: Branches, document: SourceDocument) -> str:
        built.append(branches.source)
        return build(tree, branches, document)

    monkeypatch.setattr(StackTree, "build", counted)
    branch = branch_in(remote.checkout("ci"))
    first, again = branch.sync(), branch.sync()
    assert (again.tip, again.is_new, len(built)) == (first.tip, False, 1)
    step(remote)
    assert branch.sync().tip == remote.git("rev-parse", "sluice/prod")
    remote.checkout("person").commit("README.md", "newer\n")
    assert branch.sync().is_new
    assert len(built) == 3


def test_a_broken_document_is_an_error_with_everything_that_is_wrong() -> None:
    values = {"commit": "abc", "at": "now", "weights": {"fraud": 1}, "extra": 1}
    with pytest.raises(UsageError) as caught:
        parse(json.dumps(values), "source.json")
    for problem in ("arm_host is missing", "extra is not known", "at must be int", "commit must be", "weights.fraud"):
        assert problem in str(caught.value)

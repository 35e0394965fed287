"""Commit and push on real repositories: the record is compared and swapped, and a refused push changes nothing."""

from __future__ import annotations

import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from command_errors import UnavailableError, UsageError
from rollout.declaration.stack_file import StackFile
from rollout.errors import Overtaken, PushRefused, PushUnanswered
from rollout.ports import Message
from rollout.repository import clone as clone_module
from rollout.repository.clone import Clone
from rollout.repository.commit import message_text
from rollout.split import Split
from tests.rollout.repository.clones import CANARY, RECORD, STACK, Checkout, Remote

pytestmark = pytest.mark.slow

MESSAGE = Message(
    subject="rollout(fraud): green 0 → 10 % in prod",
    trailers={"Rollout": RECORD.stem, "Step": "0", "Evidence": "sha256:0\nab", "Actor": "Ada", "Run": ""},
)


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remote:
    monkeypatch.setattr(clone_module, "PAUSE_SECONDS", 0.0)
    return Remote(tmp_path)


@pytest.fixture
def runner(remote: Remote) -> Checkout:
    return remote.checkout("runner", "--depth=1")


@pytest.fixture
def other(remote: Remote) -> Checkout:
    """Another clone: a person's, or a second runner's."""
    return remote.checkout("other")


def move(checkout: Checkout, to: Split = CANARY, line: str = "intent") -> None:
    """What a tick does before it publishes."""
    checkout.append(line)
    checkout.stack.write(to)


def test_one_commit_of_both_files_is_pushed_with_its_trailers(remote: Remote, runner: Checkout) -> None:
    move(runner)
    runner.clone().publish(MESSAGE)
    assert remote.git("log", "-1", "--format=%B", "main").strip() == (
        f"{MESSAGE.subject}\n\n[skip ci]\n\nRollout: {RECORD.stem}\nStep: 0\nEvidence: sha256:0 ab\nActor: Ada"
    )
    assert remote.git("log", "-1", "--format=%(trailers:key=Rollout,valueonly)", "main").strip() == RECORD.stem
    assert sorted(remote.git("diff", "--name-only", "main~1", "main").split()) == ["Pulumi.prod.yaml", str(RECORD)]
    assert (
        remote.show("Pulumi.prod.yaml") == STACK.replace("blue: 100}}\n    c", "blue: 90, green: 10}}\n    c").strip()
    )
    assert runner.git("rev-parse", "HEAD") == remote.git("rev-parse", "main")
    assert runner.git("status", "--porcelain") == ""


def test_without_room_for_temporary_files_nothing_is_committed(
    runner: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(runner)
    clone, head = runner.clone(), runner.git("rev-parse", "HEAD")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "full"))
    with pytest.raises(UnavailableError, match="no temporary file can be made"):
        clone.publish(MESSAGE)
    assert runner.git("rev-parse", "HEAD") == head


def test_nothing_new_makes_no_commit(remote: Remote, runner: Checkout) -> None:
    move(runner)
    clone = runner.clone()
    clone.publish(MESSAGE)
    tip = remote.git("rev-parse", "main")
    clone.publish(MESSAGE)
    assert remote.git("rev-parse", "main") == tip == runner.git("rev-parse", "HEAD")


def test_without_push_the_commit_is_on_the_branch_only(remote: Remote, runner: Checkout) -> None:
    move(runner)
    clone = runner.clone(push=False)
    assert clone.sync() is None
    clone.publish(MESSAGE)
    assert runner.git("log", "-1", "--format=%s") == MESSAGE.subject
    assert remote.git("log", "-1", "--format=%s", "main") == "Change Pulumi.prod.yaml"


@pytest.mark.parametrize("branch", ["promote/fraud", "record/prod"])
def test_branches_whose_checks_must_run_do_not_skip_them(branch: str, remote: Remote, runner: Checkout) -> None:
    runner.git("checkout", "--quiet", "-b", branch)
    move(runner)
    runner.clone().publish(MESSAGE)
    assert "[skip ci]" not in remote.git("log", "-1", "--format=%B", branch)


@pytest.mark.parametrize("depth", [(), ("--depth=1",)], ids=["full", "shallow"])
def test_an_unrelated_commit_between_fetch_and_push_stops_nothing(
    depth: tuple[str, ...], remote: Remote, other: Checkout
) -> None:
    runner = remote.checkout("second", *depth)
    clone = runner.clone()
    clone.sync()
    move(runner)
    other.commit("README.md", "models of the payments team\n")
    clone.publish(MESSAGE)
    assert remote.git("log", "-2", "--format=%s", "main").splitlines() == [MESSAGE.subject, "Change README.md"]
    assert runner.files()["README.md"] == "models of the payments team\n"
    assert runner.git("rev-parse", "HEAD") == remote.git("rev-parse", "main")
    assert runner.git("status", "--porcelain") == ""
    assert runner.git("rev-parse", "--is-shallow-repository") == ("true" if depth else "false")


def test_newer_edits_of_the_stack_file_are_kept(remote: Remote, runner: Checkout, other: Checkout) -> None:
    clone = runner.clone()
    clone.sync()
    move(runner)
    other.commit(
        "Pulumi.prod.yaml", STACK.replace("# prod", "# prod, since May").replace("churn: {t", "churn: {stable: blue, t")
    )
    clone.publish(MESSAGE)
    for text in (remote.show("Pulumi.prod.yaml"), runner.stack.text()):
        assert "since May" in text
        assert "churn: {stable: blue" in text
        assert "green: 10" in text
    assert runner.git("status", "--porcelain") == ""


def test_another_endpoints_rollout_stops_nothing(remote: Remote, runner: Checkout, other: Checkout) -> None:
    clone = runner.clone()
    clone.sync()
    move(runner)
    other.commit(
        "Pulumi.prod.yaml", STACK.replace("churn: {traffic: {blue: 100}}", "churn: {traffic: {blue: 50, red: 50}}")
    )
    clone.publish(MESSAGE)
    assert "{blue: 50, red: 50}" in remote.show("Pulumi.prod.yaml")
    assert runner.stack.read().split == CANARY


def test_two_runners_one_moves_and_the_other_is_overtaken(remote: Remote, runner: Checkout, other: Checkout) -> None:
    clones = [runner.clone(), other.clone()]
    for clone, checkout in zip(clones, (runner, other), strict=True):
        clone.sync()
        move(checkout, line=f"intent of {checkout.path.name}")
    clones[0].publish(MESSAGE)
    with pytest.raises(Overtaken, match=r"another runner has appended to rollouts/.* Nothing was changed") as overtaken:
        clones[1].publish(MESSAGE)
    assert overtaken.value.exit_code == 3
    assert remote.git("log", "--format=%s", "main").count("rollout") == 1
    assert other.files() == runner.files()
    assert other.git("status", "--porcelain") == ""


def test_weights_that_a_person_merged_meanwhile_are_not_overwritten(
    remote: Remote, runner: Checkout, other: Checkout
) -> None:
    clone = runner.clone()
    clone.sync()
    move(runner)
    other.commit("Pulumi.prod.yaml", STACK.replace("blue: 100}}\n    c", "blue: 0}}\n    c"))
    with pytest.raises(Overtaken, match=r"the weights in Pulumi.prod.yaml were changed to no live weights on origin"):
        clone.publish(MESSAGE)
    assert "blue: 0" in remote.show("Pulumi.prod.yaml")
    assert runner.stack.read().split == Split()


def test_a_protected_branch_is_named_and_nothing_changes(remote: Remote, runner: Checkout) -> None:
    remote.hook("pre-receive", 'echo "GH006: Protected branch update failed for refs/heads/main." >&2; exit 1')
    clone = runner.clone()
    clone.sync()
    move(runner)
    before, head = runner.files(), runner.git("rev-parse", "HEAD")
    with pytest.raises(
        PushRefused, match=r"pre-receive hook declined.*GH006: Protected branch .* Nothing was"
    ) as refused:
        clone.publish(MESSAGE)
    assert refused.value.exit_code == 2
    assert (runner.files(), runner.git("rev-parse", "HEAD")) == (before, head)
    assert remote.git("log", "-1", "--format=%s", "main") == "Change Pulumi.prod.yaml"


def test_a_branch_that_stays_locked_on_the_server_is_tried_five_times(remote: Remote, runner: Checkout) -> None:
    (remote.path / "refs" / "heads" / "main.lock").touch()
    move(runner)
    with pytest.raises(PushUnanswered, match="in 5 attempts"):
        runner.clone().publish(MESSAGE)


def test_a_short_lock_on_the_server_is_waited_for(
    remote: Remote, runner: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = remote.path / "refs" / "heads" / "main.lock"
    lock.touch()
    monkeypatch.setattr(clone_module.time, "sleep", lambda seconds: lock.unlink(missing_ok=True))
    move(runner)
    runner.clone().publish(MESSAGE)
    assert remote.git("log", "-1", "--format=%s", "main") == MESSAGE.subject


def test_a_remote_that_is_gone_gives_no_answer(remote: Remote, runner: Checkout) -> None:
    runner.git("remote", "set-url", "origin", "http://127.0.0.1:1/models.git")
    move(runner)
    with pytest.raises(PushUnanswered, match=r"git push of main: .*127.0.0.1.* Check the network") as unanswered:
        runner.clone().publish(MESSAGE)
    assert unanswered.value.exit_code == 4
    with pytest.raises(PushUnanswered, match="git fetch of main"):
        runner.clone().sync()


def test_a_push_whose_answer_was_lost_is_recognized(remote: Remote, runner: Checkout) -> None:
    clone = runner.clone()
    clone.sync()
    move(runner)
    head = runner.git("rev-parse", "HEAD")
    runner.clone().publish(MESSAGE)
    runner.git("update-ref", "HEAD", head)  # as if the branch had never moved here
    clone.publish(MESSAGE)
    assert runner.git("rev-parse", "HEAD") == remote.git("rev-parse", "main")
    assert remote.git("rev-list", "--count", "main") == "3"


def test_a_pre_push_hook_that_refuses_is_named(runner: Checkout) -> None:
    hook = runner.path / ".git" / "hooks" / "pre-push"
    hook.write_text("#!/bin/sh\necho 'no pushes on Friday' >&2; exit 1\n")
    hook.chmod(0o755)
    move(runner)
    with pytest.raises(PushRefused, match=r"no pushes on Friday\. Nothing was changed\. A pre-push hook"):
        runner.clone().publish(MESSAGE)


def test_hooks_for_a_persons_commits_do_not_run(remote: Remote, runner: Checkout) -> None:
    for name in ("pre-commit", "commit-msg"):
        hook = runner.path / ".git" / "hooks" / name
        hook.write_text("#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
    move(runner)
    runner.clone().publish(MESSAGE)
    assert remote.git("log", "-1", "--format=%s", "main") == MESSAGE.subject


def test_rollouts_of_two_endpoints_commit_from_one_clone(remote: Remote, runner: Checkout) -> None:
    churn = runner.path / "rollouts/prod/churn/20261127T140731Z-red.jsonl"
    churn.parent.mkdir(parents=True)
    churn.write_text("intent\n")
    other = StackFile(runner.stack.path, "churn")
    clones = [runner.clone(), Clone(other, churn, push=True, environment=runner.environment)]
    move(runner)
    other.write(Split(traffic={"red": 100}))
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda clone: clone.publish(MESSAGE), clones))
    assert remote.git("log", "--format=%s", "main").splitlines().count(MESSAGE.subject) == 2
    assert remote.show("Pulumi.prod.yaml") == runner.stack.text().strip()
    assert runner.git("status", "--porcelain") == ""
    assert runner.git("rev-parse", "HEAD") == remote.git("rev-parse", "main")


def test_commits_are_signed_where_git_is_told_to(remote: Remote, runner: Checkout, tmp_path: Path) -> None:
    signer = tmp_path / "gpg"
    signer.write_text("#!/bin/sh\ncat > /dev/null\necho '[GNUPG:] SIG_CREATED ' >&2\necho signed-by-ada\n")
    signer.chmod(0o755)
    runner.git("config", "gpg.program", str(signer))
    runner.git("config", "commit.gpgsign", "true")
    move(runner)
    runner.clone().publish(MESSAGE)
    assert "gpgsig signed-by-ada" in remote.git("cat-file", "commit", "main")


# A person works in the same clone


def test_a_persons_edits_stay_as_they_are(remote: Remote, runner: Checkout, other: Checkout) -> None:
    (runner.path / "README.md").write_text("staged\n")
    runner.git("add", "README.md")
    (runner.path / "README.md").write_text("and edited\n")
    (runner.path / "notes.txt").write_text("untracked\n")
    clone = runner.clone()
    clone.sync()
    other.commit("other.txt", "new\n")
    move(runner)
    clone.publish(MESSAGE)
    assert runner.git("status", "--porcelain").splitlines() == ["MM README.md", "?? notes.txt"]
    assert runner.git("show", ":README.md") == "staged"
    assert remote.show("README.md") == "models"


def test_an_uncommitted_edit_of_the_stack_file_is_not_committed(remote: Remote, runner: Checkout) -> None:
    runner.stack.path.write_text(STACK.replace("# prod", "# draft"))
    move(runner)
    runner.clone().publish(MESSAGE)
    assert remote.show("Pulumi.prod.yaml").startswith("# prod\n")
    assert "green: 10" in remote.show("Pulumi.prod.yaml")
    assert runner.stack.text().startswith("# draft\n")
    assert re.findall(r"^[-+]\w*#? .*", runner.git("diff"), re.M) == ["-# prod", "+# draft"]


def test_edits_on_both_sides_of_the_stack_file_are_refused_before_the_push(
    remote: Remote, runner: Checkout, other: Checkout
) -> None:
    clone = runner.clone()
    clone.sync()
    runner.stack.path.write_text(STACK.replace("# prod", "# draft"))
    move(runner)
    other.commit("Pulumi.prod.yaml", STACK.replace("# prod", "# prod, since May"))
    with pytest.raises(UsageError, match=r"Pulumi.prod.yaml has edits that are not committed.*Commit or stash yours"):
        clone.publish(MESSAGE)
    assert "green" not in remote.show("Pulumi.prod.yaml")


def test_edits_of_another_file_that_are_in_the_way_are_refused_before_the_push(
    remote: Remote, runner: Checkout, other: Checkout
) -> None:
    clone = runner.clone()
    clone.sync()
    (runner.path / "README.md").write_text("mine\n")
    move(runner)
    other.commit("README.md", "theirs\n")
    with pytest.raises(UsageError, match=r"your edits are in their way: .*README.md.*Commit or stash them"):
        clone.publish(MESSAGE)
    assert "green" not in remote.show("Pulumi.prod.yaml")
    assert runner.files()["README.md"] == "mine\n"


def test_staged_edits_of_the_stack_file_are_refused(runner: Checkout) -> None:
    runner.stack.path.write_text(STACK.replace("# prod", "# draft"))
    runner.git("add", "Pulumi.prod.yaml")
    with pytest.raises(UsageError, match=r"Pulumi.prod.yaml has staged edits.*git restore --staged Pulumi.prod.yaml"):
        runner.clone().publish(MESSAGE)


def test_a_persons_own_commits_are_not_lost_by_following_others(runner: Checkout, other: Checkout) -> None:
    (runner.path / "mine.txt").write_text("mine\n")
    runner.git("add", "mine.txt")
    runner.git("commit", "--quiet", "-m", "Mine")
    other.commit("other.txt", "new\n")
    with pytest.raises(UsageError, match=r"have different commits.*git pull --rebase origin main"):
        runner.clone().sync()
    assert runner.git("log", "-1", "--format=%s") == "Mine"


# Following the remote


def test_sync_takes_over_what_another_runner_did(remote: Remote, runner: Checkout, other: Checkout) -> None:
    move(other)
    other.clone().publish(MESSAGE)
    other.commit("other.txt", "new\n")
    runner.append("evidence that was never committed")
    assert runner.clone().sync() == "intent\n"
    assert runner.record.read_text() == "evidence that was never committed\n", "its owner merges the two"
    runner.record.write_text("intent\n")
    assert runner.files() == other.files()
    assert runner.git("status", "--porcelain") == ""


def test_an_impatient_push_beside_an_update_leaves_the_files_of_others_for_later(
    remote: Remote, runner: Checkout, other: Checkout
) -> None:
    clone = runner.clone()
    clone.sync()
    move(runner)
    other.commit("README.md", "new\n")
    clone.publish(MESSAGE, patient=False)
    assert remote.git("log", "-1", "--format=%s", "main") == MESSAGE.subject
    assert runner.files()["README.md"] == "models\n"
    runner.append("applied")
    clone.publish(MESSAGE)
    assert runner.files()["README.md"] == "new\n"
    assert remote.show(str(RECORD)) == "intent\napplied"
    assert runner.git("rev-parse", "HEAD") == remote.git("rev-parse", "main")


def test_sync_keeps_what_is_not_pushed_yet_while_the_record_there_is_the_same(
    runner: Checkout, other: Checkout
) -> None:
    move(runner)
    runner.clone().publish(MESSAGE)
    runner.append("evidence")
    other.git("pull", "--quiet")
    other.commit("other.txt", "new\n")
    assert runner.clone().sync() == "intent\n"
    assert runner.record.read_text() == "intent\nevidence\n"
    assert runner.git("rev-parse", "HEAD") == other.git("rev-parse", "HEAD")


def test_sync_keeps_a_declared_change_that_is_not_pushed_yet(runner: Checkout, other: Checkout) -> None:
    move(runner)
    other.commit("Pulumi.prod.yaml", STACK.replace("# prod", "# prod, since May"))
    runner.clone().sync()
    assert runner.stack.read().split == CANARY
    assert "since May" in runner.stack.text()


def test_squashed_history_changes_nothing(remote: Remote, runner: Checkout, other: Checkout) -> None:
    move(runner)
    runner.clone().publish(MESSAGE)
    other.git("fetch", "--quiet")
    squashed = other.git("commit-tree", "origin/main^{tree}", "-m", "Squashed")
    other.git("push", "--quiet", "--force", "origin", f"{squashed}:refs/heads/main")
    clone = runner.clone()
    assert clone.sync() == "intent\n"
    move(runner, Split(traffic={"blue": 75, "green": 25}))
    clone.publish(MESSAGE)
    assert remote.git("log", "--format=%s", "main").splitlines() == [MESSAGE.subject, "Squashed"]


# Where nothing can be committed


def test_a_checkout_of_a_commit_needs_a_branch(remote: Remote, runner: Checkout) -> None:
    runner.git("checkout", "--quiet", "--detach")
    with pytest.raises(UsageError, match=r"has no branch checked out.*git checkout <branch>"):
        runner.clone()
    runner.environment["BUILD_SOURCEBRANCH"] = "refs/heads/main"
    move(runner)
    runner.clone().publish(MESSAGE)
    assert remote.git("log", "-1", "--format=%s", "main") == MESSAGE.subject


def test_a_committer_must_be_known(runner: Checkout) -> None:
    for name in ("GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "EMAIL"):
        runner.environment.pop(name, None)
    runner.git("config", "user.useConfigOnly", "true")
    with pytest.raises(UsageError, match=r"git does not know who commits.*git config user.name"):
        runner.clone()


def test_a_remote_is_needed_only_to_push(runner: Checkout) -> None:
    runner.git("remote", "remove", "origin")
    with pytest.raises(UsageError, match="has no remote origin"):
        runner.clone()
    runner.clone(push=False)


def test_a_stack_file_outside_of_the_repository_is_refused(runner: Checkout, tmp_path: Path) -> None:
    (runner.path / ".gitignore").write_text("/rollouts/\n")
    with pytest.raises(UsageError, match="is not in the repository"):
        runner.clone()
    outside = Checkout(tmp_path / "elsewhere", runner.environment)
    outside.path.mkdir()
    outside.stack.path.write_text(STACK)
    with pytest.raises(UsageError, match=r"git finds no repository there \(fatal: not a git repository"):
        outside.clone()


def test_the_body_of_a_message_stands_before_its_trailers() -> None:
    message = Message(subject="done", body="green is stable; 9 callers\nsaw green.", trailers={"Rollout": "x"})
    text = message_text(message, skip_checks=True)
    assert text == "done\n\ngreen is stable; 9 callers saw green.\n\n[skip ci]\n\nRollout: x\n"

"""The checkout moves to the stack's branch, and loses nothing that exists only here."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_errors import UsageError
from delivery.stack_branch.checkout import move_to, tip_of
from rollout.repository.git import Git
from tests.delivery.stack_branch.branches import branch_in
from tests.rollout.repository.clones import Checkout, Remote

pytestmark = pytest.mark.slow


def git_of(checkout: Checkout) -> Git:
    return Git(checkout.path, checkout.environment)


def moved(checkout: Checkout) -> bool:
    git = git_of(checkout)
    return move_to(git, "sluice/prod", tip_of(git, "sluice/prod", 60))


@pytest.mark.parametrize("flags", [(), ("--depth=1",)])
def test_the_checkout_moves_and_the_program_stays_the_same(remote: Remote, flags: tuple[str, ...]) -> None:
    branch_in(remote.checkout("ci")).sync()
    checkout = remote.checkout("runner", *flags)
    assert moved(checkout) is False
    assert checkout.git("rev-parse", "--abbrev-ref", "HEAD") == "sluice/prod"
    assert sorted(checkout.files()) == ["Pulumi.prod.yaml", "README.md", "rollouts/prod/source.json"]
    assert moved(checkout) is False


def test_another_program_is_said(remote: Remote) -> None:
    branch_in(remote.checkout("ci")).sync()
    remote.checkout("person").commit("settings.py", "X = 1\n")
    assert moved(remote.checkout("runner")) is True


def test_edits_and_commits_that_exist_only_here_stay(remote: Remote) -> None:
    branch_in(remote.checkout("ci")).sync()
    checkout = remote.checkout("runner")
    (checkout.path / "README.md").write_text("mine\n")
    with pytest.raises(UsageError, match="edits that are not committed"):
        moved(checkout)
    assert (checkout.path / "README.md").read_text() == "mine\n"
    checkout.git("checkout", "--quiet", "-b", "sluice/prod")
    checkout.git("commit", "--quiet", "--all", "-m", "mine")
    with pytest.raises(UsageError, match="commits that origin does not have"):
        moved(checkout)


def test_a_branch_that_does_not_exist_yet_is_said(remote: Remote, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="first `sluice ci deliver` of the stack makes it"):
        moved(remote.checkout("runner"))

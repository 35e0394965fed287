"""The branch of a checkout: what is checked out, else what the pipeline says."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_errors import UsageError
from rollout.repository.branch import branch_of, skips_checks
from rollout.repository.git import Git
from tests.rollout.repository.clones import isolated


@pytest.fixture
def git(tmp_path: Path) -> Git:
    git = Git(tmp_path, isolated(tmp_path))
    git.run("init", "--quiet", "--initial-branch=release")
    git.run("commit", "--quiet", "--allow-empty", "-m", "First")
    return git


def test_the_branch_that_is_checked_out_wins(git: Git) -> None:
    assert branch_of(git, {"GITHUB_REF": "refs/heads/main"}) == "release"


@pytest.mark.parametrize(
    "variables",
    [
        {"GITHUB_REF": "refs/heads/teams/main"},
        {"BUILD_SOURCEBRANCH": "refs/heads/teams/main"},
        {"CI_COMMIT_BRANCH": "teams/main"},
    ],
    ids=["GitHub", "Azure Pipelines", "GitLab"],
)
def test_a_pipeline_names_the_branch_of_its_commit(git: Git, variables: dict[str, str]) -> None:
    git.run("checkout", "--quiet", "--detach")
    assert branch_of(git, variables) == "teams/main"


def test_a_pull_request_has_no_branch_to_commit_to(git: Git) -> None:
    git.run("checkout", "--quiet", "--detach")
    with pytest.raises(UsageError, match=r"GITHUB_REF is refs/pull/7/merge.*leave out --commit"):
        branch_of(git, {"GITHUB_REF": "refs/pull/7/merge"})


def test_checks_run_on_the_branches_that_need_them() -> None:
    assert [skips_checks(branch) for branch in ("main", "promote/a", "record/b", "promoted")] == [
        True,
        False,
        False,
        True,
    ]

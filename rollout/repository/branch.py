"""Which branch of origin a clone stands for: the one that is checked out, else the one that the pipeline names.

Pipelines check out a commit, not a branch (Azure Pipelines and GitLab always). The variables are documented:
"Variables reference" of GitHub Actions, "Use predefined variables" of Azure Pipelines, "Predefined CI/CD variables" of
GitLab.
"""

from __future__ import annotations

from collections.abc import Mapping

from command_errors import UsageError
from rollout.repository.git import Git

HEADS = "refs/heads/"
REFERENCES = ("GITHUB_REF", "BUILD_SOURCEBRANCH")
GITLAB_BRANCH = "CI_COMMIT_BRANCH"
CHECKED_BRANCHES = ("promote/", "record/")
"""Branches whose checks must run: a commit on them may not skip them."""


def branch_of(git: Git, variables: Mapping[str, str]) -> str:
    """Return the branch. Raises UsageError for a checkout of a commit that no pipeline explains."""
    checked_out = git.find("symbolic-ref", "--quiet", "--short", "HEAD")
    if checked_out:
        return checked_out
    for name in REFERENCES:
        if variables.get(name, "").startswith(HEADS):
            return variables[name].removeprefix(HEADS)
    if variables.get(GITLAB_BRANCH):
        return variables[GITLAB_BRANCH]
    named = next((f" ({name} is {variables[name]})" for name in REFERENCES if variables.get(name)), "")
    raise UsageError(
        f"{git.folder} has no branch checked out{named}, so there is no branch to commit to. Run `git checkout "
        "<branch>`; a command of `sluice rollout` may also leave out --commit and --push."
    )


def skips_checks(branch: str) -> bool:
    """Whether commits on the branch say `[skip ci]`."""
    return not branch.startswith(CHECKED_BRANCHES)

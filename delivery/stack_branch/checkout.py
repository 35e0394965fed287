"""The checkout of a pipeline, moved from the source branch to a stack's own branch.

A program that is run on the stack's branch must be the one of that branch: where its files differ from those that the
running command has read, the caller starts the command again.
"""

from __future__ import annotations

from command_errors import UsageError
from delivery.run.source_checkout import changed_paths, is_program
from rollout.repository.git import Git
from rollout.repository.remote import REMOTE, Remote


def move_to(git: Git, branch: str, tip: str) -> bool:
    """Check out a stack's branch at its tip on origin; whether that changes the program.

    Raises UsageError, with nothing changed, if edits or commits that exist only here would be lost. A detached head, as
    pipelines have it, holds nothing.
    """
    if git.text("status", "--porcelain", "--untracked-files=no"):
        raise UsageError(
            f"the checkout has edits that are not committed, so it cannot move to {branch}. Commit or stash them, then "
            "run this command again."
        )
    local = git.find("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}")
    if local is not None and local != tip and not _is_behind(git, local, tip):
        raise UsageError(
            f"{branch} here has commits that {REMOTE} does not have, and only pipelines write that branch. Remove it "
            f"here (git branch -D {branch}), then run this command again."
        )
    changed = changed_paths(git, "HEAD", tip)
    git.run("checkout", "--quiet", "-B", branch, tip)
    return is_program(changed)


def tip_of(git: Git, branch: str, seconds: float) -> str:
    """Fetch a stack's branch and return its tip. Raises UsageError if origin does not have it."""
    tip = Remote(git).fetch(branch, seconds)
    if tip is None:
        raise UsageError(f"{REMOTE} has no branch {branch} yet. The first `sluice ci deliver` of the stack makes it.")
    return tip


def _is_behind(git: Git, local: str, tip: str) -> bool:
    """Whether the local branch is an old state of the remote's; the history of a shallow clone does not say it."""
    shallow = git.text("rev-parse", "--is-shallow-repository") == "true"
    return shallow or git.holds("merge-base", "--is-ancestor", local, tip)

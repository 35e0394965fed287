"""The tree of an older commit in a temporary folder, with the bytes that the commit has."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from command_errors import UsageError
from rollout.errors import PushRefused, PushUnanswered
from rollout.repository.git import NETWORK_SECONDS, Git
from rollout.repository.remote import Remote

AS_COMMITTED = (
    *(
        "-c",
        "core.autocrlf=false",
        "-c",
        "core.eol=lf",
        "-c",
        "core.symlinks=true",
        "-c",
        f"core.hooksPath={os.devnull}",
    ),
    *("-c", "filter.lfs.smudge=", "-c", "filter.lfs.process=", "-c", "filter.lfs.required=false"),
)
"""Options with which git converts nothing, runs no hook and downloads nothing."""


class CommitMissing(UsageError):
    """The commit is neither in this clone nor on the remote: squashed away, rewritten, or never pushed."""


@contextlib.contextmanager
def commit_tree(project: Path, commit: str) -> Iterator[Path]:
    """Yield the project's folder as a commit has it, in a temporary worktree; fetch the commit if it is not here.

    `commit` is anything that git takes for one; only a whole id can be fetched. Raises CommitMissing.
    """
    git = Git(project)
    top = Path(git.text("rev-parse", "--show-toplevel")).resolve()
    sha = _found(git, commit)
    with tempfile.TemporaryDirectory(prefix="sluice-commit-") as folder:
        tree = Path(folder).resolve() / "tree"
        git.run(*AS_COMMITTED, "worktree", "add", "--quiet", "--no-checkout", "--detach", str(tree), sha)
        try:
            # Without the index, git would not see the attributes of the commit while it writes the files.
            Git(tree).run(*AS_COMMITTED, "read-tree", sha)
            Git(tree).run(*AS_COMMITTED, "checkout-index", "--all", "--force")
            yield tree / project.resolve().relative_to(top)
        finally:
            git.ask("worktree", "remove", "--force", str(tree))


def _found(git: Git, commit: str) -> str:
    if (sha := git.find("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")) is not None:
        return sha
    reason = "this clone does not have it"
    if len(commit) in (40, 64) and git.holds("remote", "get-url", "origin"):
        try:
            Remote(git).fetch_commit(commit, NETWORK_SECONDS)
            return git.text("rev-parse", "--verify", f"{commit}^{{commit}}")
        except (PushRefused, PushUnanswered) as error:
            reason = f"this clone does not have it, and {str(error).rstrip('.')}"
    raise CommitMissing(f"there is no commit {commit}: {reason}. It may have been squashed away or never pushed.")

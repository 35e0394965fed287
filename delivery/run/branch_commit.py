"""One commit of some files on top of a branch of origin, beside the working tree, pushed and never forced.

Where another push was first, a new commit is made on the new tip: the caller's files are its own, so nothing of
others can be lost.
"""

from __future__ import annotations

from collections.abc import Mapping

from command_errors import UsageError
from rollout.ports import Message
from rollout.repository.attempts import always_overtaken, attempts
from rollout.repository.commit import commit_of
from rollout.repository.git import NETWORK_SECONDS, Git
from rollout.repository.push import Answer
from rollout.repository.remote import REMOTE, Remote
from rollout.repository.tree import tree_of, tree_with


def push_files(git: Git, branch: str, files: Mapping[str, bytes], message: Message) -> str | None:
    """Commit and push files (by path from the top of the repository); return the new tip, None if nothing differs.

    Raises PushRefused (the server's policy), PushUnanswered, UsageError if the branch is gone, and WaitingError if
    other pushes were first each time.
    """
    remote = Remote(git)
    for _ in attempts():
        tip = remote.fetch(branch, NETWORK_SECONDS)
        if tip is None:
            raise UsageError(f"{REMOTE} has no branch {branch} any more. Nothing was changed. Push that branch.")
        tree = tree_with(git, tip, files)
        if tree == tree_of(git, tip):
            return None
        commit = commit_of(git, tree, message, branch=branch, parents=[tip])
        if remote.push(commit, branch, NETWORK_SECONDS) is Answer.TAKEN:
            return commit
    raise always_overtaken(branch)

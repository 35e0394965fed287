"""One commit of some files on top of a branch of origin, beside the working tree, pushed and never forced.

Where another push was first, a new commit is made on the new tip: the caller's files are its own, so nothing of
others can be lost.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rollout.errors import PushUnanswered
from rollout.ports import Message
from rollout.repository.branch import skips_checks
from rollout.repository.clone import message_text
from rollout.repository.git import NETWORK_SECONDS, Git
from rollout.repository.push import Answer
from rollout.repository.remote import REMOTE, Remote

ATTEMPTS = 5
PAUSE_SECONDS = 0.3


def push_files(git: Git, branch: str, files: Mapping[str, bytes], message: Message) -> str | None:
    """Commit and push files (by path from the top of the repository); return the new tip, None if nothing differs.

    Raises PushRefused (the server's policy) and PushUnanswered.
    """
    remote = Remote(git)
    for attempt in range(ATTEMPTS):
        time.sleep(PAUSE_SECONDS * attempt)
        tip = remote.fetch(branch, NETWORK_SECONDS)
        if tip is None:
            break
        commit = commit_of(git, files, message, branch=branch, base=tip)
        if commit is None:
            return None
        if remote.push(commit, branch, NETWORK_SECONDS) is Answer.TAKEN:
            return commit
    raise PushUnanswered(
        f"{REMOTE} did not take the push of {branch} in {ATTEMPTS} attempts: other pushes came first each time, or the "
        "branch is gone. Nothing was changed. Run this command again."
    )


def commit_of(
    git: Git, files: Mapping[str, bytes], message: Message, *, branch: str, base: str, parents: Sequence[str] = ()
) -> str | None:
    """Return a commit for `branch` with the files of the commit `base` and these; None if `base` has them so.

    `parents` are its parents if they are others than `base`.
    """
    with tempfile.TemporaryDirectory(prefix="sluice-index-") as folder:
        index = Path(folder) / "index"
        git.run("read-tree", base, index=index)
        for path, content in files.items():
            blob = git.run("hash-object", "-w", "--stdin", stdin=content).text
            mode = (git.text("ls-tree", base, "--", path) or "100644").split()[0]
            git.run("update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}", index=index)
        tree = git.run("write-tree", index=index).text
    if tree == git.text("rev-parse", f"{base}^{{tree}}"):
        return None
    sign = ["-S"] if git.find("config", "--type=bool", "commit.gpgsign") == "true" else []
    text = message_text(message, skip_checks=skips_checks(branch)).encode()
    flags = [flag for parent in parents or (base,) for flag in ("-p", parent)]
    return git.run("commit-tree", tree, *flags, *sign, "-F", "-", stdin=text).text

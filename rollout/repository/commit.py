"""A commit of a tree, with git's own signing settings; until it is pushed, it is on no branch."""

from __future__ import annotations

from collections.abc import Sequence

from rollout.ports import Message
from rollout.repository.branch import skips_checks
from rollout.repository.git import Git


def commit_of(git: Git, tree: str, message: Message, *, branch: str, parents: Sequence[str]) -> str:
    """Return the id of a commit that is meant for `branch`."""
    sign = ["-S"] if git.find("config", "--type=bool", "commit.gpgsign") == "true" else []
    flags = [flag for parent in parents for flag in ("-p", parent)]
    text = message_text(message, skip_checks=skips_checks(branch)).encode()
    return git.run("commit-tree", tree, *flags, *sign, "-F", "-", stdin=text).text


def message_text(message: Message, *, skip_checks: bool) -> str:
    """Return the message of a commit: subject, body, `[skip ci]`, trailers.

    GitHub and Azure Pipelines honour `[skip ci]` anywhere in the message; pushes by deploy keys, Apps and Azure's build
    service would start pipelines. Trailers must stand in the last paragraph, each in one line.
    """
    trailers = "\n".join(f"{name}: {' '.join(value.split())}" for name, value in message.trailers.items() if value)
    body = " ".join(message.body.split())
    parts = [" ".join(message.subject.split()), body, "[skip ci]" if skip_checks else "", trailers]
    return "\n\n".join(part for part in parts if part) + "\n"

"""The commits of a record's file, which the record itself cannot name: it is part of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from command_errors import UsageError
from rollout.repository.git import Git


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit that changed the record; most of them also changed the weights in the stack file."""

    sha: str
    at: int
    """Seconds since 1970."""
    subject: str


def commits_of(record: Path, environment: Mapping[str, str] | None = None) -> tuple[Commit, ...]:
    """The commits of a record that this clone has, oldest first; none outside of a repository or without git.

    A clone of depth 1 has the last one only.
    """
    try:
        text = Git(record.parent, environment).find("log", "--reverse", "--format=%H%x09%ct%x09%s", "--", record.name)
    except UsageError:  # without git
        return ()
    rows = [line.split("\t", 2) for line in (text or "").splitlines()]
    return tuple(Commit(sha=sha, at=int(at), subject=subject) for sha, at, subject in rows)

"""The records of rollouts as the remote branch has them: what they prove cannot come from a pull request's own tree.

The branch is fetched once; only its tip is read, so that a shallow clone, a squashed and a rewritten history do.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from command_errors import UnavailableError, UsageError
from delivery.record_branch import record_branch
from rollout.errors import PushRefused
from rollout.record.chain import FOLDER
from rollout.repository.git import NETWORK_SECONDS, Git
from rollout.repository.remote import REMOTE, Remote


class RecordsUnreachable(UnavailableError):
    """The branch that has the records could not be fetched."""


class RemoteRecords:
    """Files at the tip of the branch of origin that keeps the records; paths are relative to the project's folder."""

    def __init__(self, git: Git, branch: str, tip: str, prefix: str) -> None:
        self._git = git
        self._prefix = prefix
        self.branch = branch
        self.tip = tip
        """The commit that is read."""

    @classmethod
    def fetched(cls, project: Path, variables: Mapping[str, str]) -> RemoteRecords:
        """Fetch the branch. Raises RecordsUnreachable, and UsageError outside of a repository with an origin."""
        here = Git(project, variables)
        top = here.find("rev-parse", "--show-toplevel")
        if top is None or here.find("remote", "get-url", REMOTE) is None:
            raise UsageError(
                f"{project} is not a clone with a remote {REMOTE}, so there is no branch to read the records of "
                f"rollouts from. Add it (git remote add {REMOTE} <address>)."
            )
        git = Git(Path(top), variables)
        branch = record_branch(git, variables)
        try:
            tip = Remote(git).fetch(branch, NETWORK_SECONDS)
        except PushRefused as error:
            raise RecordsUnreachable(str(error)) from error
        if tip is None:
            raise RecordsUnreachable(
                f"{REMOTE} has no branch {branch}, so the records of rollouts cannot be read. Push that branch."
            )
        prefix = project.resolve().relative_to(Path(top).resolve()).as_posix()
        return cls(git, branch, tip, "" if prefix == "." else f"{prefix}/")

    def read(self, path: str) -> bytes | None:
        """Return the content of a file; None if there is none."""
        said = self._git.ask("cat-file", "blob", f"{self.tip}:{self._prefix}{path}")
        return said.stdout if said and said.returncode == 0 else None

    def ids(self, stack: str, endpoint: str) -> tuple[str, ...]:
        """Return the ids of an endpoint's rollouts, oldest first."""
        return tuple(sorted(name.removesuffix(".jsonl") for name in self._names(f"{FOLDER}/{stack}/{endpoint}")))

    def endpoints(self, stack: str) -> tuple[str, ...]:
        """Return the endpoints of a stack that have records."""
        return tuple(name for name in self._names(f"{FOLDER}/{stack}") if "." not in name)

    def _names(self, folder: str) -> list[str]:
        listed = self._git.find("ls-tree", "--name-only", f"{self.tip}:{self._prefix}{folder}")
        return listed.splitlines() if listed else []

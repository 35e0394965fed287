"""The records of rollouts as the remote has them: what they prove cannot come from a pull request's own tree.

A branch is fetched once; only its tip is read, so that a shallow clone, a squashed and a rewritten history do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from command_errors import UsageError
from delivery.proofs.record_branch import RecordsUnreachable, record_branch, source_branch
from record_folders import FOLDER
from rollout.errors import PushRefused
from rollout.repository.git import NETWORK_SECONDS, Git
from rollout.repository.remote import REMOTE, Remote
from rollout.repository.tree import unpacked

RECORD = ".jsonl"


class NoBranch(RecordsUnreachable):
    """Origin does not have the branch."""


class BranchTip:
    """The files at the tip of a branch of origin; paths are relative to the project's folder."""

    def __init__(self, git: Git, branch: str, tip: str, prefix: str) -> None:
        """`prefix` is the project's folder from the top of the repository, "" or with a slash at its end."""
        self._git = git
        self._prefix = prefix
        self.branch = branch
        self.tip = tip
        """The commit."""

    def read(self, path: str) -> bytes | None:
        """Return the content of a file; None if there is none."""
        return self._git.blob(self.tip, f"{self._prefix}{path}")

    def rollouts(self, stack: str) -> tuple[tuple[str, str], ...]:
        """Return id and endpoint of every rollout of a stack that has a record, oldest first."""
        names = self._names(f"{FOLDER}/{stack}", "-r")
        parts = [name.removesuffix(RECORD).split("/") for name in names if name.endswith(RECORD)]
        return tuple(sorted((part[1], part[0]) for part in parts if len(part) == 2))

    @contextlib.contextmanager
    def unpacked(self) -> Iterator[Path]:
        """A temporary copy of the project's folder, without git."""
        with unpacked(self._git, self.tip) as folder:
            yield folder / self._prefix

    def _names(self, folder: str, *options: str) -> list[str]:
        listed = self._git.find("ls-tree", "--name-only", *options, f"{self.tip}:{self._prefix}{folder}")
        return listed.splitlines() if listed else []


class RemoteRecords:
    """The branches of origin that keep the records of the project's stacks."""

    def __init__(self, project: Path, variables: Mapping[str, str]) -> None:
        """Raises UsageError outside of a clone with an origin."""
        here = Git(project, variables)
        top = here.find("rev-parse", "--show-toplevel")
        if top is None or here.find("remote", "get-url", REMOTE) is None:
            raise UsageError(
                f"{project} is not a clone with a remote {REMOTE}, so there is no branch to read the records of "
                f"rollouts from. Add it (git remote add {REMOTE} <address>)."
            )
        prefix = project.resolve().relative_to(Path(top).resolve()).as_posix()
        self.prefix = "" if prefix == "." else f"{prefix}/"
        """The project's folder from the top of the repository."""
        self.git = Git(Path(top), variables)
        """Works at the top of the repository."""
        self._variables = variables
        self._tips: dict[str, BranchTip] = {}

    @cached_property
    def source(self) -> BranchTip:
        """The source branch. Raises RecordsUnreachable."""
        return self._fetched(source_branch(self.git, self._variables))

    def of(self, stack: str) -> BranchTip:
        """The branch that has the records of a stack. Raises RecordsUnreachable."""
        return self._fetched(record_branch(self.source.read(f"Pulumi.{stack}.yaml"), self.source.branch))

    def of_target(self, stack: str) -> BranchTip:
        """The branch that has the weights of a stack; before its first delivery the source branch, which it begins as.

        Not for proofs: their records are only where `of` looks. Raises RecordsUnreachable.
        """
        try:
            return self.of(stack)
        except NoBranch:
            return self.source

    def _fetched(self, branch: str) -> BranchTip:
        if branch not in self._tips:
            try:
                tip = Remote(self.git).fetch(branch, NETWORK_SECONDS)
            except PushRefused as error:
                raise RecordsUnreachable(str(error)) from error
            if tip is None:
                raise NoBranch(
                    f"{REMOTE} has no branch {branch}, so the records of rollouts cannot be read. Push that branch; "
                    "that of a stack comes with its first `sluice ci deliver`."
                )
            self._tips[branch] = BranchTip(self.git, branch, tip, self.prefix)
        return self._tips[branch]

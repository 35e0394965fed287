"""The `git` command: run without a terminal, in English, with a deadline; its refusals become errors with its words.

It never asks a question. What a caller's shell or a git hook has set (GIT_DIR, GIT_INDEX_FILE) does not reach it.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from command_errors import UnavailableError, UsageError
from rollout.errors import PushRefused, PushUnanswered

NETWORK_SECONDS = 60.0
FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_EDITOR")
# What git and the servers say where a login or a right is missing; another attempt gets the same answer.
DENIED = (
    "authentication failed",
    "permission denied",
    "permission to",
    "could not read username",
    "could not read password",
    "error: 401",
    "error: 403",
    "repository not found",
    "does not appear to be a git repository",
    "access denied",
    "not authorized",
    "tf401027",  # Azure Repos: the permission to push is missing
)


@dataclass(frozen=True, kw_only=True)
class Said:
    """How one `git` process ended."""

    returncode: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        """What it printed, without the line end."""
        return self.stdout.decode(errors="replace").strip()

    @property
    def reason(self) -> str:
        """The line of its errors that says most: the server's first, else git's own."""
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        served = [line.removeprefix("remote:").strip() for line in lines if line.startswith("remote:")]
        own = [
            line for line in lines if line.startswith(("fatal:", "error:")) and "failed to push some refs" not in line
        ]
        found = [line for line in served if line] or own or lines
        return found[0].rstrip(".") if found else "no reason given"


class Git:
    """The `git` of one folder of a repository."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        given = os.environ if environment is None else environment
        kept = {name: value for name, value in given.items() if name not in FOREIGN}
        self._environment = {**kept, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "LANGUAGE": "C"}

    def ask(
        self, *arguments: str, stdin: bytes = b"", index: Path | None = None, seconds: float | None = None
    ) -> Said | None:
        """Run a command; None if it did not end in time. `index` is a temporary index to work on."""
        environment = self._environment | ({"GIT_INDEX_FILE": str(index)} if index else {})
        try:
            process = subprocess.Popen(
                ["git", "-C", str(self.folder), *arguments],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # without a terminal, ssh fails instead of asking
            )
        except OSError as error:
            raise UsageError(f"the git command cannot be run: {error.strerror}. Install git.") from error
        try:
            stdout, stderr = process.communicate(stdin, seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            return None
        except BaseException:
            _end(process)
            raise
        return Said(returncode=process.returncode, stdout=stdout, stderr=stderr.decode(errors="replace"))

    def run(self, *arguments: str, stdin: bytes = b"", index: Path | None = None) -> Said:
        """Run a local command that must succeed. Raises UnavailableError with git's reason."""
        said = self.ask(*arguments, stdin=stdin, index=index)
        assert said is not None
        if said.returncode:
            raise UnavailableError(f"git {arguments[0]} in {self.folder} failed: {said.reason}. Run it to see more.")
        return said

    def text(self, *arguments: str) -> str:
        """Return what a local command that must succeed prints."""
        return self.run(*arguments).text

    def find(self, *arguments: str) -> str | None:
        """Return what a local command prints, or None if it fails: there is no such thing."""
        said = self.ask(*arguments)
        return said.text if said and said.returncode == 0 else None

    def blob(self, commit: str, path: str) -> bytes | None:
        """Return the bytes of a file of a commit (of the index, if `commit` is empty); None if there is none."""
        said = self.ask("cat-file", "blob", f"{commit}:{path}")
        return said.stdout if said and said.returncode == 0 else None

    def blobs(self, commit: str, paths: Sequence[str]) -> list[bytes]:
        """Return the bytes of files that a commit has, in their order, with one process."""
        names = "".join(f"{commit}:{path}\n" for path in paths)
        answer = io.BytesIO(self.run("cat-file", "--batch", stdin=names.encode()).stdout if paths else b"")
        found = []
        for path in paths:
            header = answer.readline().split()
            if len(header) != 3:
                raise UnavailableError(f"{commit} in {self.folder} has no {path} any more. Run the command again.")
            found.append(answer.read(int(header[2])))
            answer.readline()
        return found

    def holds(self, *arguments: str) -> bool:
        """Whether a local command that answers by its exit code succeeds."""
        said = self.ask(*arguments)
        return said is not None and said.returncode == 0


def network_error(said: Said | None, asked: str) -> PushRefused | PushUnanswered:
    """Return the error for a command on the remote that ended without an answer about the branch."""
    if said is None:
        return PushUnanswered(
            f"{asked}: origin did not answer in time. Check the network, then run this command again."
        )
    denied = [line for line in said.stderr.splitlines() if any(mark in line.lower() for mark in DENIED)]
    if denied:
        return PushRefused(
            f"{asked}: {denied[0].removeprefix('remote:').strip().rstrip('.')}. Nothing was changed. Check `git remote "
            "get-url origin`, and give this account the right to read and to push the branch."
        )
    return PushUnanswered(f"{asked}: {said.reason}. Check the network, then run this command again.")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End git and what it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()

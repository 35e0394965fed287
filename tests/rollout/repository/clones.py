"""Real git repositories in a folder: a bare remote, and clones with a stack file and a record."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rollout.declaration.stack_file import StackFile
from rollout.repository.clone import Clone
from rollout.split import Split

STACK = """\
# prod
config:
  sluice:rollout:
    fraud: {stable: blue, traffic: {blue: 100}}
    churn: {traffic: {blue: 100}}
"""
RECORD = Path("rollouts/prod/fraud/20261127T140731Z-green.jsonl")
CANARY = Split(traffic={"blue": 90, "green": 10})


def isolated(home: Path) -> dict[str, str]:
    """An environment in which git reads no configuration of this machine, and commits as Ada."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "GITHUB_", "CI_", "BUILD_"))
    }
    return kept | {
        **{"HOME": str(home), "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"), "GIT_CONFIG_NOSYSTEM": "1"},
        **{"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com"},
        **{"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.com"},
    }


@dataclass
class Checkout:
    """A clone of the remote, and what a person or a runner does in it."""

    path: Path
    environment: dict[str, str]

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.path), *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @property
    def stack(self) -> StackFile:
        return StackFile(self.path / "Pulumi.prod.yaml", "fraud")

    @property
    def record(self) -> Path:
        return self.path / RECORD

    def append(self, line: str) -> None:
        """One more line of the record."""
        self.record.parent.mkdir(parents=True, exist_ok=True)
        with self.record.open("a") as file:
            file.write(f"{line}\n")

    def commit(self, name: str, text: str) -> None:
        """A person's commit of one file, pushed."""
        (self.path / name).write_text(text)
        self.git("add", name)
        self.git("commit", "--quiet", "-m", f"Change {name}")
        self.git("push", "--quiet", "origin", "HEAD:refs/heads/main")

    def clone(self, *, push: bool = True, say: list[str] | None = None) -> Clone:
        """What the controller uses."""
        told = [] if say is None else say
        return Clone(self.stack, self.record, push=push, environment=self.environment, say=told.append)

    def files(self) -> dict[str, str]:
        """Name and content of every file outside of .git."""
        files = (path for path in self.path.rglob("*") if path.is_file() and ".git" not in path.parts)
        return {str(path.relative_to(self.path)): path.read_text() for path in files}


class Remote:
    """A bare repository, the server."""

    def __init__(self, folder: Path, stack: str = STACK) -> None:
        self.folder = folder
        self.path = folder / "remote.git"
        self.environment = isolated(folder)
        self._git("init", "--quiet", "--bare", "--initial-branch=main", str(self.path))
        first = self.checkout("seed")
        first.git("checkout", "--quiet", "-B", "main")
        first.commit("README.md", "models\n")
        first.commit("Pulumi.prod.yaml", stack)

    def checkout(self, name: str, *flags: str) -> Checkout:
        """Clone it. With --depth a file:// address is needed, or git takes the whole history."""
        path = self.folder / name
        self._git("clone", "--quiet", *flags, f"file://{self.path}", str(path))
        return Checkout(path, self.environment)

    def hook(self, name: str, script: str) -> None:
        """Install a hook of the server."""
        path = self.path / "hooks" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def show(self, path: str) -> str:
        """The content of a file at the tip of main."""
        return self.git("show", f"main:{path}")

    def git(self, *arguments: str) -> str:
        return self._git("-C", str(self.path), *arguments)

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

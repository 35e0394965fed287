"""A team's repository: the project behind a bare origin, with clones of depth 1, as the runs of a pipeline have."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from bench.rehearsal import ROOT, SLUICE, Rehearsal
from bench.timing import Command

STACK = "dev"
FILE = f"Pulumi.{STACK}.yaml"


class DeliveryRepository:
    """The settled dev stack of a local Azure, and the repository that declares it."""

    def __init__(self, rehearsal: Rehearsal, edit: Callable[[dict[str, Any]], None] = lambda config: None) -> None:
        """`edit` changes the configuration before the first commit."""
        settled = rehearsal.settle(STACK)
        identity = {f"GIT_{role}_{part}": "bench" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        self._environment = settled | identity
        self._folder = rehearsal.folder / "delivery"
        self.work = self._folder / "work"
        self.origin = self._folder / "origin.git"
        self.work.mkdir(parents=True)
        self._copy_tracked_files()
        self.git(self.work, "init", "--quiet", "--initial-branch=main")
        (self.work / FILE).write_bytes(Path(settled["PULUMI_OPTION_CONFIG_FILE"]).read_bytes())
        self._edit(edit)
        self.git(self.work, "add", "--all")
        self.git(self.work, "commit", "--quiet", "-m", "The project")
        self.git(self._folder, "clone", "--quiet", "--bare", str(self.work), str(self.origin))
        self.git(self.work, "remote", "add", "origin", f"file://{self.origin}")

    def push(self, branch: str, edit: Callable[[dict[str, Any]], None] = lambda config: None) -> None:
        """A person's commit on a branch, which begins at what was pushed last; it changes at least one file."""
        self.git(self.work, "checkout", "--quiet", "-B", branch)
        note = self.work / "NOTES.md"
        note.write_text((note.read_text(encoding="utf-8") if note.exists() else "") + f"{branch}\n", encoding="utf-8")
        self._edit(edit)
        self.git(self.work, "add", "--all")
        self.git(self.work, "commit", "--quiet", "-m", "A change")
        self.git(self.work, "push", "--quiet", "origin", branch)

    def clone(self, name: str, branch: str = "main") -> Path:
        """A fresh clone of depth 1."""
        folder = self._folder / name
        address = f"file://{self.origin}"
        self.git(self._folder, "clone", "--quiet", "--depth", "1", "--branch", branch, address, str(folder))
        (folder / ".venv").symlink_to(ROOT / ".venv")
        (folder / ".git" / "info" / "exclude").write_text(".venv\n", encoding="utf-8")
        return folder

    def environment(self, clone: Path) -> dict[str, str]:
        """The variables of a shell in a clone."""
        return self._environment | {"PULUMI_OPTION_CONFIG_FILE": str(clone / FILE)}

    def sluice(self, clone: Path, *words: str) -> Command:
        """`sluice ... --stack dev` in a clone."""
        arguments = [str(SLUICE), *words, "--stack", STACK]
        name = " ".join(["sluice", *words[:2]])
        return Command(name=name, arguments=arguments, folder=clone, environment=self.environment(clone))

    def preview(self, clone: Path) -> Command:
        """`pulumi preview` in a clone."""
        arguments = ["pulumi", "preview", "--stack", STACK]
        return Command(name="pulumi preview", arguments=arguments, folder=clone, environment=self.environment(clone))

    def git(self, folder: Path, *arguments: str) -> str:
        """Run git; the bench ends if it fails."""
        command = ["git", "-C", str(folder), *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"git {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def _copy_tracked_files(self) -> None:
        listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=True)
        for name in listed.stdout.split("\0"):
            source = ROOT / name
            if name and source.is_file():
                (self.work / name).parent.mkdir(parents=True, exist_ok=True)
                (self.work / name).write_bytes(source.read_bytes())

    def _edit(self, edit: Callable[[dict[str, Any]], None]) -> None:
        file = self.work / FILE
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        edit(document["config"])
        file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")

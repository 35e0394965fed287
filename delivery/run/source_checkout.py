"""The checkout that `deliver` works in: it follows its branch, and says what a newer commit changes.

Records and weights that rollouts write on the same branch are no reason to deploy again; everything else is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath

import yaml

from command_errors import UsageError
from delivery.run.branch_commit import push_files
from delivery.run.deliver import Look
from record_folders import FOLDER
from rollout.declaration.stack_text import WeightLines
from rollout.ports import Message
from rollout.repository.branch import branch_of
from rollout.repository.git import NETWORK_SECONDS, Git
from rollout.repository.remote import REMOTE, Remote
from rollout.split import Split
from strict_yaml import read_yaml

PROGRAM_FILES = ("Pulumi.yaml", "pyproject.toml", "requirements.lock", "Makefile")
"""Files beside the Python modules that a run has read already."""
NO_PROGRAM = ("models", "tests", "docs", "bench")
"""Folders whose Python files the running command does not import."""
LOCK = "release.lock.yml"

Recorded = Callable[[], Mapping[str, WeightLines]]
"""The lines that the last rollout of each endpoint left in the stack file, or keeps there."""


class SourceCheckout:
    """The checkout of a branch in which records and weights are kept beside everything else."""

    def __init__(self, project: Path, stack_file: Path, variables: Mapping[str, str], recorded: Recorded) -> None:
        """`project` is the folder of Pulumi.yaml. Raises UsageError outside of a clone with an origin."""
        here = Git(project, variables)
        top = here.find("rev-parse", "--show-toplevel")
        if top is None or here.find("remote", "get-url", REMOTE) is None:
            raise UsageError(
                f"{project} is no clone with a remote {REMOTE}, so there is no branch to deliver. Run this command in "
                "a clone of the repository."
            )
        self._git = Git(Path(top).resolve(), variables)
        self._remote = Remote(self._git)
        self._prefix = project.resolve().relative_to(self._git.folder)
        self._stack_file = stack_file
        self._recorded = recorded
        self.folder = self._git.folder
        """The top of the repository."""
        self.branch = branch_of(self._git, variables)
        self._seen: str | None = None
        self._config = ""

    def look(self, tip: str | None = None) -> Look:
        """Fetch the branch, let the checkout follow, and say what has changed since the last look.

        `tip` is the branch's, if the caller has just fetched it. Raises UsageError if edits or commits of a person are
        in the way, PushUnanswered without a remote.
        """
        head, tip = self.catch_up(tip)
        self._require_committed()
        before, self._seen = self._seen or head, tip
        changed = self._changed(before, tip)
        config, self._config = self._config, fingerprint(self._stack_config(), self._recorded())
        if is_program(changed):
            return Look.PROGRAM
        moved = config != self._config or any(not self._is_kept_by_rollouts(path) for path in changed)
        return Look.MOVED if moved else Look.SAME

    def behind(self) -> None:
        """`deliver.Branch`: people merge into this branch, so nothing has to come before."""

    def catch_up(self, tip: str | None = None) -> tuple[str, str]:
        """Fetch the branch (unless its `tip` is given), and let the checkout follow.

        Return the commit that was checked out, and the one that is now. The next look still finds what this has taken
        over. Raises as `look` does.
        """
        head = self._git.text("rev-parse", "HEAD")
        tip = tip or self._remote.fetch(self.branch, NETWORK_SECONDS)
        if tip is None:
            raise UsageError(f"{REMOTE} has no branch {self.branch}. Push it, or check out the branch to deliver.")
        if head != tip:
            self._follow(head, tip)
        return head, tip

    def keep(self, files: Iterable[Path], message: Message) -> bool:
        """Commit these files on the branch and push; whether anything was new. Raises PushRefused, PushUnanswered."""
        contents = {path.resolve().relative_to(self._git.folder).as_posix(): path.read_bytes() for path in files}
        if push_files(self._git, self.branch, contents, message) is None:
            return False
        self._git.run("add", "--", *contents)
        self.catch_up()
        return True

    def _follow(self, head: str, tip: str) -> None:
        """Move branch, index and files to the tip of the remote."""
        if self._git.holds("merge-base", "--is-ancestor", tip, head):
            raise UsageError(
                f"{self.branch} here has commits that {REMOTE} does not have. Push them, or deliver from a clone "
                "without them."
            )
        shallow = self._git.text("rev-parse", "--is-shallow-repository") == "true"
        if not shallow and not self._git.holds("merge-base", "--is-ancestor", head, tip):
            raise UsageError(
                f"{self.branch} here and on {REMOTE} have different commits. Run `git pull --rebase {REMOTE} "
                f"{self.branch}`, then this command again."
            )
        said = self._git.ask("read-tree", "-m", "-u", head, tip)
        if said is None or said.returncode:
            reason = said.reason if said else "no answer"
            raise UsageError(
                f"the branch on {REMOTE} has newer commits, and files here that are not committed are in their way: "
                f"{reason}. Commit or stash them, then run this command again."
            )
        self._git.run("update-ref", "-m", "sluice ci deliver", "HEAD", tip, head)

    def _require_committed(self) -> None:
        """Raise UsageError for edits: an update would deploy what the branch does not show.

        Records may differ: evidence is committed later. So may what Pulumi writes into a stack file beside `config`.
        """
        edited = [
            path
            for path in self._of_project(changed_paths(self._git, "HEAD"))
            if path.parts[0] != FOLDER and not self._is_as_declared(path)
        ]
        if edited:
            more = f" and {len(edited) - 1} more" if len(edited) > 1 else ""
            raise UsageError(
                f"there are edits that are not committed, of {edited[0]}{more}, and a delivery deploys only what is on "
                f"{self.branch}. Commit and push them, or take them back (git restore), then run this command again."
            )

    def _is_as_declared(self, path: PurePosixPath) -> bool:
        name = (self._prefix / path).as_posix()
        committed = self._git.blob("HEAD", name) if self._stack_file.resolve() == self.folder / name else None
        return committed is not None and self._config_in(committed) == self._stack_config()

    def _changed(self, before: str, after: str) -> list[PurePosixPath]:
        """The paths that differ between two commits, relative to the project; others are not of this program."""
        if before == after:
            return []
        return self._of_project(changed_paths(self._git, before, after))

    def _of_project(self, paths: Iterable[PurePosixPath]) -> list[PurePosixPath]:
        prefix = PurePosixPath(self._prefix.as_posix())
        return [path.relative_to(prefix) for path in paths if prefix == PurePosixPath(".") or prefix in path.parents]

    def _is_kept_by_rollouts(self, path: PurePosixPath) -> bool:
        """Records and locks; and stack files: `fingerprint` compares this stack's, the others are not its own."""
        return path.parts[0] == FOLDER or path.name == LOCK or path.match("Pulumi.*.yaml")

    def _stack_config(self) -> Mapping[str, object]:
        try:
            return self._config_in(self._stack_file.read_bytes())
        except OSError as error:
            raise UsageError(f"{self._stack_file} cannot be read: {error}. Correct it on the branch.") from error

    def _config_in(self, content: bytes) -> Mapping[str, object]:
        try:
            document = read_yaml(content.decode("utf-8-sig"))
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            raise UsageError(f"{self._stack_file} cannot be read: {reason}. Correct it on the branch.") from error
        config = document.get("config") if isinstance(document, dict) else None
        return config if isinstance(config, dict) else {}


def changed_paths(git: Git, before: str, after: str | None = None) -> list[PurePosixPath]:
    """The paths that differ between a commit and another one, else the checkout; from the top of the repository."""
    two = ("diff-tree", "-r") if after else ("diff",)
    listed = git.text(*two, "--name-only", "--no-renames", "-z", before, *([after] if after else []))
    return [PurePosixPath(path) for path in listed.split("\0") if path]


def is_program(changed: Iterable[PurePosixPath]) -> bool:
    """Whether paths, relative to the project, belong to the program that the running command has read. Pure."""
    return any(
        str(path) in PROGRAM_FILES or (path.suffix == ".py" and (path.parts[0] not in NO_PROGRAM or _is_module(path)))
        for path in changed
    )


def _is_module(path: PurePosixPath) -> bool:
    """`models/` holds modules of the program, and folders of models."""
    return path.parts[0] == "models" and len(path.parts) == 2


def fingerprint(config: Mapping[str, object], recorded: Mapping[str, WeightLines]) -> str:
    """Return what a stack file says, without the weights that rollouts have written into it. Pure."""
    rollouts = config.get("sluice:rollout")
    kept: dict[str, object] = {}
    for key, section in (rollouts if isinstance(rollouts, dict) else {}).items():
        kept[key] = section
        if isinstance(section, dict) and key in recorded and _says(section, recorded[key]):
            kept[key] = {name: value for name, value in section.items() if name not in ("stable", "traffic", "mirror")}
    return json.dumps({**config, "sluice:rollout": kept}, sort_keys=True, default=str)


def _says(section: Mapping[str, object], lines: WeightLines) -> bool:
    traffic, mirror = section.get("traffic") or {}, section.get("mirror") or {}
    try:
        said = Split(traffic=traffic, mirror=mirror)  # type: ignore[arg-type]  # a file; anything else is not equal
    except (TypeError, ValueError, AttributeError):
        return False
    return said == lines.split and section.get("stable") == lines.stable

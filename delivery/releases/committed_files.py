"""Whether files on this machine are what a commit has, byte for byte: then their bytes can be found again.

Git's own comparison (`git status`) passes over a converted line end, so the bytes are hashed here as they are.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from command_errors import UsageError
from models.content import list_files
from models.spec import LocalAsset
from rollout.repository.git import Git

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
"""How the text begins that Git LFS keeps in place of a file (git-lfs/docs/spec.md)."""
POINTER_BYTES = 1024
"""Most bytes of a pointer (same source)."""
COMPARED_BYTES = 64 * 1024 * 1024
"""Above this size no reason is sought why bytes differ."""
LINK_MODE = "120000"
COMMIT_IT = "Commit it (git add, git commit), or leave it out with a line in .amlignore."


class CommittedFiles:
    """The files of the commit that a repository's folder has checked out."""

    def __init__(self, folder: Path) -> None:
        self.git = Git(folder)
        top = self.git.find("rev-parse", "--show-toplevel")
        if top is None:
            raise UsageError(f"{folder} is in no git repository, so the bytes of a release could not be found again.")
        self.top = Path(top).resolve()
        commit = self.git.find("rev-parse", "--verify", "HEAD^{commit}")
        if commit is None:
            raise UsageError(f"the repository {self.top} has no commit yet. Commit the model first (git commit).")
        self.commit = commit

    def require(self, assets: Iterable[LocalAsset]) -> None:
        """Raise UsageError unless every file of these assets is what the commit has. It names the first file."""
        problems = [problem for asset in assets for problem in self._problems(asset)]
        if problems:
            more = f" ({len(problems) - 1} more files are refused too.)" if len(problems) > 1 else ""
            raise UsageError(f"nothing was written: {problems[0]}{more}")

    def _problems(self, asset: LocalAsset) -> Iterator[str]:
        for relative, file in list_files(asset.path):
            shown = os.path.relpath(file, self.top)
            below = relative.split("/") if asset.path.is_dir() else []
            if (problem := self._link_problem(asset.path, below) or self._file_problem(file)) is not None:
                yield f"{shown} {problem}"

    def _link_problem(self, folder: Path, parts: list[str]) -> str | None:
        """What is wrong with the links on the way from an asset's folder to a file."""
        way = folder
        for part in parts:
            way = way / part
            if not way.is_symlink():
                continue
            if not way.resolve().is_relative_to(self.top):
                return (
                    f"is a link that leaves the repository (to {way.resolve()}). Delete the link and restore the file."
                )
            mode, blob = self._tree.get(self._name(way), ("", ""))
            if mode != LINK_MODE:
                return f"is a link that is not in the commit {self.commit[:12]}. {COMMIT_IT}"
            if self._hash(os.fsencode(os.readlink(way))) != blob:
                return f"is a link to another place than in the commit {self.commit[:12]}. {COMMIT_IT}"
        return None

    def _file_problem(self, file: Path) -> str | None:
        real = file.resolve()
        if not real.is_relative_to(self.top):
            return f"leaves the repository (it is {real}), so that no commit has it. Put the file into the repository."
        if (found := self._tree.get(self._name(real))) is None:
            return f"is not in the commit {self.commit[:12]}: it is untracked. {COMMIT_IT}"
        mode, blob = found
        if mode == LINK_MODE:
            return (
                "is a link in the repository, but a plain file here. Set core.symlinks=true (git config core.symlinks "
                "true) and check it out again."
            )
        pointer = (
            "is a Git LFS pointer, so that the commit has no bytes of it. Commit the file itself (git lfs migrate "
            "export), or register the model in a registry and refer to it."
        )
        if _begins_as_pointer(real):
            return pointer
        if self._file_hash(real) == blob:
            return None
        return pointer if self._is_pointer(blob) else self._difference(real, blob)

    def _difference(self, file: Path, blob: str) -> str:
        if file.stat().st_size <= COMPARED_BYTES and int(self.git.text("cat-file", "-s", blob)) <= COMPARED_BYTES:
            committed = self.git.run("cat-file", "blob", blob).stdout
            if file.read_bytes().replace(b"\r", b"") == committed.replace(b"\r", b""):
                return (
                    f"has other line endings than in the commit {self.commit[:12]}. Git has converted them: put "
                    "the line `models/** -text` into .gitattributes, delete the file and check it out again."
                )
        return f"differs from the commit {self.commit[:12]}. Commit the change, or undo it (git checkout)."

    @cached_property
    def _tree(self) -> dict[str, tuple[str, str]]:
        """Mode and object id of every file of the commit, by its path from the top."""
        listed = self.git.run("ls-tree", "-r", "-z", "--full-tree", self.commit).stdout
        found: dict[str, tuple[str, str]] = {}
        for line in filter(None, listed.split(b"\0")):
            about, _, name = line.partition(b"\t")
            mode, _, blob = about.decode().split()
            found[os.fsdecode(name)] = (mode, blob)
        return found

    @cached_property
    def _algorithm(self) -> str:
        return self.git.text("rev-parse", "--show-object-format")

    def _name(self, path: Path) -> str:
        """A path as git lists it; the path itself may be a link, its folder is resolved."""
        return (path.parent.resolve() / path.name).relative_to(self.top).as_posix()

    def _is_pointer(self, blob: str) -> bool:
        if int(self.git.text("cat-file", "-s", blob)) > POINTER_BYTES:
            return False
        return self.git.run("cat-file", "blob", blob).stdout.startswith(LFS_POINTER)

    def _hash(self, content: bytes) -> str:
        return hashlib.new(self._algorithm, b"blob %d\0" % len(content) + content).hexdigest()

    def _file_hash(self, file: Path) -> str:
        """The id that git would give these bytes, without any conversion."""
        with file.open("rb") as stream:
            digest = hashlib.new(self._algorithm, b"blob %d\0" % os.fstat(stream.fileno()).st_size)
            while chunk := stream.read(1024 * 1024):
                digest.update(chunk)
        return digest.hexdigest()


def _begins_as_pointer(file: Path) -> bool:
    status = file.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > POINTER_BYTES:
        return False
    with file.open("rb") as stream:
        return stream.read(len(LFS_POINTER)) == LFS_POINTER

"""What a pull request changes, and which of it no pull request may change. Pure.

Paths are relative to the project's folder.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from models.content import RELEASES_FOLDER
from models.proof import PROOFS_SUFFIX
from record_folders import FOLDER

MODELS = "models"
NO_PROGRAM = frozenset({"docs", "tests", "bench", "pipelines", FOLDER, ".github", ".azuredevops"})
"""Folders that no update of a stack reads."""
NO_PROGRAM_SUFFIXES = frozenset({".md", ".txt"})


@dataclass(frozen=True, kw_only=True)
class ChangedFile:
    """One file that differs from the branch that the change goes into."""

    path: PurePosixPath
    operation: str
    """A (added), M (modified) or D (deleted), as git says it."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """The files that a pull request changes."""

    files: tuple[ChangedFile, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """The folders below models/ in which something changes, sorted."""
        paths = (file.path for file in self.files)
        return tuple(sorted({path.parts[1] for path in paths if path.parts[0] == MODELS and len(path.parts) > 2}))

    @property
    def proofs(self) -> tuple[tuple[str, str], ...]:
        """Model and content (16 digits) of each file of proofs that is added or modified."""
        return tuple(
            (file.path.parts[1], file.path.name.removesuffix(PROOFS_SUFFIX))
            for file in self.files
            if _is_release_file(file.path) and file.path.name.endswith(PROOFS_SUFFIX) and file.operation != "D"
        )

    @property
    def records(self) -> tuple[ChangedFile, ...]:
        """The files below rollouts/, which pipelines write."""
        return tuple(file for file in self.files if file.path.parts[0] == FOLDER)

    def document_problems(self) -> Iterator[str]:
        """A release document never changes; one that no stack pins may go."""
        for file in self.files:
            if _is_release_file(file.path) and file.path.suffix == ".json" and file.operation == "M":
                yield (
                    f"{file.path} is changed, and a release document never changes: pins and proofs are about its "
                    f"content. Restore it (`git checkout origin/HEAD -- {file.path}`); another content is another "
                    "document, which `sluice release freeze` writes."
                )

    def stacks(self, declared: Mapping[str, Collection[str]]) -> tuple[str, ...]:
        """The stacks that the change may touch; `declared` are the endpoints of each stack."""
        if any(_is_program(file.path) for file in self.files):
            return tuple(sorted(declared))
        models = set(self.models)
        named = {file.path.name for file in self.files if len(file.path.parts) == 1}
        return tuple(
            sorted(
                stack
                for stack, endpoints in declared.items()
                if f"Pulumi.{stack}.yaml" in named or models & set(endpoints)
            )
        )


def parse_changes(listed: str, prefix: str) -> Change:
    """Read `git diff-tree -r --name-status --no-renames -z`; `prefix` is the project's folder, "" or with a slash."""
    words = listed.split("\0")
    files = []
    for operation, path in zip(words[::2], words[1::2], strict=False):
        if path.startswith(prefix):
            relative = PurePosixPath(path.removeprefix(prefix))
            files.append(ChangedFile(path=relative, operation=operation[:1]))
    return Change(files=tuple(files))


def record_problems(files: Iterable[ChangedFile], kept: Collection[PurePosixPath]) -> Iterator[str]:
    """Refuse records that a pull request brings; `kept` are those that the pipelines' branch has so.

    A pull request that takes over what pipelines have pushed already is no forgery.
    """
    wrong = sorted(str(file.path) for file in files if file.path not in kept)
    if wrong:
        shown = ", ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
        yield (
            f"{shown}: only pipelines write below {FOLDER}/, and a record in a pull request proves nothing. Take "
            f"{'it' if len(wrong) == 1 else 'them'} out of the pull request."
        )


def _is_release_file(path: PurePosixPath) -> bool:
    return len(path.parts) == 4 and path.parts[0] == MODELS and path.parts[2] == RELEASES_FOLDER


def _is_program(path: PurePosixPath) -> bool:
    """Whether a path is part of what every stack runs."""
    if path.parts[0] in NO_PROGRAM or path.suffix in NO_PROGRAM_SUFFIXES:
        return False
    if path.parts[0] == MODELS:
        return len(path.parts) == 2  # a module of the program; folders are models
    return not path.name.startswith("Pulumi.") or path.name == "Pulumi.yaml"

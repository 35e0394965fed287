"""Where the bytes of a pinned release come from when it is published: the folder, else its commit, else a stack.

Each file is looked for on its own and only when it has to be sent, so a release that is there already needs none of
these places. Whatever is found must have the size and the hash that the release document names.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from command_errors import CommandError
from delivery.releases.commit_tree import commit_tree
from models.asset_source import Fingerprint, Readable
from models.content import ContentError, file_digest
from models.errors import PublishError
from models.release_document import Part, ReleaseDocument

Elsewhere = Callable[[str], Readable | None]
"""Opens the blob of a name in another stack's container; None if it is not there."""


@dataclass(frozen=True, kw_only=True)
class OtherStack:
    """Another stack's storage, named by `--from`."""

    stack: str
    open: Elsewhere


class CommitTrees:
    """The trees of commits that were needed so far, each checked out once; a context that removes them."""

    def __init__(self, project: Path) -> None:
        self._project = project
        self._open = contextlib.ExitStack()
        self._known: dict[str, Path | str] = {}
        self._lock = threading.Lock()

    def tree(self, commit: str) -> Path | str:
        """Return the project's folder as a commit has it, or the reason why that cannot be had."""
        with self._lock:
            if commit not in self._known:
                try:
                    self._known[commit] = self._open.enter_context(commit_tree(self._project, commit))
                except CommandError as error:
                    self._known[commit] = str(error).rstrip(".")
            return self._known[commit]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()


class ReleaseBytes:
    """The files of one part of a release document: `asset_source.Source`."""

    def __init__(
        self,
        document: ReleaseDocument,
        part: Part,
        project: Path,
        trees: CommitTrees,
        other: OtherStack | None,
        blob_folder: str,
    ) -> None:
        """`project` is the folder of Pulumi.yaml; `blob_folder` is where a stack's container has these files."""
        self._document = document
        self._place = document.places[part]
        self._files = {entry.path: entry for entry in document.files_of(part)}
        self._project = project
        self._trees = trees
        self._other = other
        self._blob_folder = blob_folder

    def files(self) -> Sequence[Fingerprint]:
        """What the document lists."""
        return [Fingerprint(path=entry.path, size=entry.size, sha256=entry.sha256) for entry in self._files.values()]

    def total_bytes(self) -> int:
        """Their size."""
        return sum(entry.size for entry in self._files.values())

    def open(self, path: str) -> contextlib.AbstractContextManager[Readable]:
        """Open a file of the release. Raises PublishError that names every place where its bytes are not."""
        here = self._in(self._project, path)
        if here is not None:
            return here.open("rb")
        reasons = [f"models/{self._document.model}/{self._place.path} has other bytes"]
        tree = self._trees.tree(self._document.commit)
        if isinstance(tree, Path):
            there = self._in(tree, path)
            if there is not None:
                return there.open("rb")
            reasons.append(f"commit {self._document.commit[:12]} does not have them")
        else:
            reasons.append(tree)
        if self._other is not None:
            stream = self._other.open(f"{self._blob_folder}/{path}")
            if stream is not None:
                return contextlib.nullcontext(stream)
            reasons.append(f"the storage of stack {self._other.stack} does not have them")
        hint = "" if self._other else " Give --from STACK, a stack to which this release is published."
        raise PublishError(
            f"the bytes of {path} of release {self._document.short} are nowhere: {'; '.join(reasons)}. The release "
            f"lock was not written.{hint}"
        )

    def _in(self, project: Path, path: str) -> Path | None:
        """The file in a checkout, if it has the bytes of the release."""
        entry = self._files[path]
        folder = project / "models" / self._document.model / self._place.path
        file = folder if self._place.is_file else folder / path
        # A document is a file that a pull request can bring; it must not have a publisher send what is elsewhere.
        if not file.resolve().is_relative_to(self._top(project)):
            return None
        try:
            is_it = file.is_file() and file.stat().st_size == entry.size and file_digest(file) == entry.sha256
        except (ContentError, OSError):
            return None
        return file if is_it else None

    @staticmethod
    def _top(project: Path) -> Path:
        """The top of the repository that holds a checkout of the project; without one, the project."""
        resolved = project.resolve()
        return next((one for one in (resolved, *resolved.parents) if (one / ".git").exists()), resolved)

"""Trees made from git objects and a temporary index: what is checked out, the index and its files stay as they are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from rollout.repository.git import Git
from rollout.temporary_folder import temporary_folder

NEW_FILE_MODE = "100644"


def tree_of(git: Git, commit: str) -> str:
    """Return the id of a commit's tree."""
    return git.text("rev-parse", f"{commit}^{{tree}}")


def tree_with(git: Git, base: str, files: Mapping[str, bytes]) -> str:
    """Return the id of the tree that a commit has, with these files (by path from the top) added or replaced."""
    with index_of(git, base) as index:
        put(git, index, base, files)
        return git.run("write-tree", index=index).text


@contextlib.contextmanager
def index_of(git: Git, tree: str) -> Iterator[Path]:
    """Yield a temporary index that holds the files of a tree or a commit."""
    with temporary_folder("sluice-index-") as folder:
        index = folder / "index"
        git.run("read-tree", tree, index=index)
        yield index


def put(git: Git, index: Path, base: str, files: Mapping[str, bytes]) -> None:
    """Add or replace files in a temporary index; each keeps the mode that it has in the commit `base`."""
    for path, content in files.items():
        blob = git.run("hash-object", "-w", "--stdin", stdin=content).text
        mode = (git.text("ls-tree", base, "--", path) or NEW_FILE_MODE).split()[0]
        git.run("update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}", index=index)


@contextlib.contextmanager
def unpacked(git: Git, tree: str) -> Iterator[Path]:
    """Yield a temporary folder with the files of a tree or a commit, without git."""
    with temporary_folder("sluice-tree-") as made:
        folder = made.resolve()
        with index_of(git, tree) as index:
            git.run("checkout-index", "--all", f"--prefix={folder}/", index=index)
        yield folder

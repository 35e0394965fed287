"""Writes files all or none: a run that fails or is interrupted leaves nothing, and no existing file is replaced."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from problem import Problem
from scaffold.errors import ScaffoldError


def in_the_way(paths: Mapping[Path, str], root: Path) -> Iterator[Problem]:
    """Yield a problem for each file that exists already."""
    for path in paths:
        if path.exists() or path.is_symlink():
            name = str(path.relative_to(root))
            yield Problem(name, "exists already, and its content may matter", "Remove it, or choose another name.")


def write_files(texts: Mapping[Path, str], *, what: str, root: Path) -> None:
    """Write new files, all or none. Raises ScaffoldError when one exists."""
    written: list[Path] = []
    with contextlib.ExitStack() as stack:
        stack.callback(_remove, written)
        complete: dict[Path, Path] = {}
        for path, text in texts.items():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=path.parent, prefix=".sluice-new-")))
            complete[path] = folder / path.name
            complete[path].write_text(text, encoding="utf-8", newline="\n")
        for path, source in complete.items():
            try:
                os.link(source, path)  # unlike a rename, it replaces nothing
            except FileExistsError:
                raise ScaffoldError(what, list(in_the_way({path: ""}, root))) from None
            written.append(path)
        written.clear()


def _remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that becomes `path` at the end of the block; after an error there is neither."""
    path.parent.mkdir(parents=True, exist_ok=True)
    outside = Path(tempfile.mkdtemp(dir=path.parent, prefix=".sluice-new-"))
    try:
        inside = outside / path.name
        inside.mkdir()
        yield inside
        os.rename(inside, path)  # onto an existing folder with content it fails
    finally:
        shutil.rmtree(outside, ignore_errors=True)

"""Folders for what a command needs while it runs only, such as the index of a commit or the log of the engine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from command_errors import UnavailableError


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """Yield a folder that is deleted afterwards. Raises UnavailableError where none can be made."""
    try:
        folder = tempfile.TemporaryDirectory(prefix=prefix)
    except OSError as error:
        raise UnavailableError(no_temporary_files(error)) from error
    with folder as name:
        yield Path(name)


def no_temporary_files(error: OSError) -> str:
    """What to say where no temporary file can be made: the disk is full or read-only, or TMPDIR is wrong."""
    said = error.strerror or str(error)
    return f"no temporary file can be made: {said}. Free some space, or set TMPDIR to a folder that can be written."

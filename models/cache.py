"""The user's cache of what was learnt about model files; losing it only costs time, so errors are ignored."""

import contextlib
import os
import tempfile
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder of this program's caches: $XDG_CACHE_HOME/sluice, else ~/.cache/sluice."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "sluice"


def write_atomically(path: Path, text: str) -> None:
    """Write a cache entry so that a reader sees all of it or none; a full or read-only disk is no error here."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text)


def replace_file(path: Path, text: str) -> None:
    """Replace a file by a new one in one step, durable before it is visible."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise

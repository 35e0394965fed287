"""The folder outside the checkout that holds what set-up installs, and how to write into it safely.

Two processes may run at once: one takes the lock and works, the other reports that it waits. A process may be killed at
any moment: it fills a staging folder and renames it when it is complete, so a folder with its final name is complete;
the next process that takes the lock removes the staging folders of killed ones. Locks are the operating system's
(flock), so they end with their process.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from toolchain.console import ToolchainError, say

STAGING_PREFIX = ".staging-"
GIB = 1024**3


@contextmanager
def locked(cache: Path, name: str, *, doing: str, tell: Callable[[str], None] = say) -> Iterator[None]:
    """Hold the lock `name`; if another process holds it, report that and wait."""
    file = cache / "locks" / f"{name}.lock"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ToolchainError(
            f"cannot write to the cache folder {cache}: {error.strerror}",
            "make it writable, or set XDG_CACHE_HOME to a folder that is",
        ) from error
    with os.fdopen(descriptor, "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = lock.read().strip()
            tell(f"another process{f' ({owner})' if owner else ''} is {doing}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
            tell("the other process has ended; continuing")
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """Yield a folder to fill. It is renamed to `target` when the block succeeds, and removed otherwise.

    Call it only with the lock held: it removes what killed processes left beside `target`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for leftover in target.parent.glob(f"{STAGING_PREFIX}{target.name}-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=f"{STAGING_PREFIX}{target.name}-", dir=target.parent))
    staging.chmod(0o755)
    try:
        yield staging
        if target.exists():  # incomplete or damaged; otherwise the caller would not recreate it
            target.rename(staging.with_name(f"{staging.name}-old"))
        staging.rename(target)
        shutil.rmtree(staging.with_name(f"{staging.name}-old"), ignore_errors=True)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def require_disk(folder: Path, gib: float, *, purpose: str) -> None:
    """Fail early if the disk of `folder` has too little space for `purpose`."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free / GIB
    if free < gib:
        raise ToolchainError(
            f"{purpose} needs {gib:g} GiB on the disk of {folder}, and {free:.1f} GiB are free",
            "free some space, or set XDG_CACHE_HOME (and for Go: GOCACHE, GOMODCACHE) to a folder on another disk",
        )

"""The lock of an endpoint on this machine: held for one tick, so that `pause` and `rollback` get in between two."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from command_errors import UnavailableError, explain_system_error
from rollout.errors import EndpointBusy
from rollout.ports import Clock

NAME = ".lock"
WAIT_SECONDS = 30
_POLL_SECONDS = 0.2


@contextlib.contextmanager
def endpoint_lock(folder: Path, clock: Clock, *, wait_seconds: int = WAIT_SECONDS) -> Iterator[None]:
    """Hold the lock of the endpoint whose records are in `folder`. The system releases it when its holder dies.

    Where no lock file can be written, such as on a read-only disk, what there is of its path is locked. Raises
    `EndpointBusy` with the holder's process id after `wait_seconds`.
    """
    file = _opened(folder)
    try:
        _acquire(file, folder, clock, clock.now() + wait_seconds)
        with contextlib.suppress(OSError):  # a full or read-only disk: the lock holds, only its holder is not named
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(file)


def _opened(folder: Path) -> int:
    """The lock file; where it cannot be written, it as it is, or the last folder on its way."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        for place in (folder / NAME, folder, *folder.parents):
            with contextlib.suppress(OSError):
                return os.open(place, os.O_RDONLY)
        raise UnavailableError(f"the endpoint cannot be locked: {explain_system_error(error)}") from error


def _acquire(file: int, folder: Path, clock: Clock, deadline: int) -> None:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if clock.now() >= deadline:
                holder = _holder(file)
                raise EndpointBusy(
                    f"another sluice command works on endpoint {folder.name} (process id {holder}), and has not "
                    "finished in time. Wait for it, or stop that process, and run the command again."
                ) from None
        clock.sleep(_POLL_SECONDS)


def _holder(file: int) -> str:
    try:
        return os.pread(file, 32, 0).decode(errors="replace").strip() or "unknown"
    except OSError:  # a folder
        return "unknown"

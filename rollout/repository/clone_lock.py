"""The lock of a clone: rollouts of several endpoints share its index and its branch, and commit one after another."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from rollout.errors import PushUnanswered

POLL_SECONDS = 0.1


@contextlib.contextmanager
def clone_lock(git_folder: Path, deadline: float) -> Iterator[None]:
    """Hold the lock of a clone's `.git` folder, which needs no lock file; the system releases it with its holder.

    Raises PushUnanswered if another process holds it until `deadline` (of `time.monotonic`).
    """
    folder = os.open(git_folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        while True:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise PushUnanswered(
                        f"another rollout works in the clone {git_folder.parent}, and has not finished in time. "
                        "Nothing was pushed. Run this command again."
                    ) from None
                time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(folder)

"""Locks in a folder, as the CLI writes them."""

import json
import socket
from datetime import UTC, datetime
from pathlib import Path


def write_lock(
    backend: Path, *, pid: int, host: str | None = None, user: str = "ann", taken: datetime | None = None
) -> Path:
    """Write a lock of stack dev; of this host and of now if nothing else is said."""
    folder = backend / ".pulumi" / "locks" / "organization" / "sluice" / "dev"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{pid}.json"
    file.write_text(lock_text(pid=pid, host=host, user=user, taken=taken))
    return file


def lock_text(*, pid: int, host: str | None = None, user: str = "ann", taken: datetime | None = None) -> str:
    """The document of a lock."""
    stamp = (taken or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
    return json.dumps({"pid": pid, "username": user, "hostname": host or socket.gethostname(), "timestamp": stamp})

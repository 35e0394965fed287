"""What a killed CLI leaves in a file backend: its lock, and incomplete files.

The backend keeps one JSON file per running update (pid, host, user, time). Beside each of its files it keeps attributes
in `<file>.attrs`. It does not replace these in one step, unlike the file itself: a kill can leave an empty one, and
every later command then ends with "failed to load checkpoint: EOF". Without attributes, the file can be read. This
module reads only `file://` backends, because it cannot judge others, and it removes nothing.
"""

import json
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import processes


class Owner(StrEnum):
    """Whether the process that wrote a lock still runs."""

    DEAD = "dead"
    ALIVE = "alive"
    ELSEWHERE = "elsewhere"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Lock:
    """One lock file."""

    file: Path
    pid: int
    user: str
    host: str
    """Empty if the file does not name the process that wrote it."""
    taken: datetime

    @property
    def owner(self) -> Owner:
        """Dead only if the process ran on this host and has ended, or if a later process has its number."""
        if not self.host:
            return Owner.UNKNOWN
        if self.host != socket.gethostname():
            return Owner.ELSEWHERE
        return Owner.ALIVE if processes.is_alive_since(self.pid, self.taken.timestamp()) else Owner.DEAD

    def __str__(self) -> str:
        if not self.host:
            return f"{self.file}, which names no owner"
        return f"{self.user}@{self.host}, process {self.pid}, since {self.taken:%Y-%m-%d %H:%M:%S %Z}".rstrip()


def backend_folder(environment: "os._Environ[str] | dict[str, str]", project_backend: str | None = None) -> Path | None:
    """Return the folder of a file backend; None for every other kind."""
    url = environment.get("PULUMI_BACKEND_URL") or project_backend or _logged_in_backend(environment)
    if not url or not url.startswith("file://"):
        return None
    path = url.removeprefix("file://").split("?")[0]
    return Path(path).expanduser().absolute()


def stack_locks(backend: Path, project: str, stack: str) -> list[Lock]:
    """Return every lock of the stack; a vanishing or incomplete file belongs to an update that starts or ends now."""
    locks = []
    for file in sorted((backend / ".pulumi" / "locks" / "organization" / project / stack).glob("*.json")):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            continue
        try:
            taken = datetime.fromisoformat(_microseconds(content["timestamp"]))
            locks.append(Lock(file, int(content["pid"]), str(content["username"]), str(content["hostname"]), taken))
        except (KeyError, TypeError, ValueError, AttributeError):  # its holder is not known, so it stays
            locks.append(Lock(file, 0, "", "", datetime.fromtimestamp(0, UTC)))
    return locks


def broken_files(backend: Path, project: str, stack: str) -> list[Path]:
    """Return incomplete attributes, and drafts that were never renamed; valid only while no update runs."""
    folder = backend / ".pulumi"
    drafts = list((folder / "stacks" / project).glob(f"{stack}.json*.tmp"))
    attributes = [
        *(folder / "stacks" / project).glob(f"{stack}.json*.attrs"),
        *(folder / "locks" / "organization" / project / stack).glob("*.attrs"),
        *(folder / "history" / project / stack).glob("*.attrs"),
    ]
    return drafts + [file for file in attributes if not _is_json(file)]


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def _microseconds(text: str) -> str:
    """Cut nanoseconds, which Go writes, to microseconds, the most that `datetime` reads before Python 3.12."""
    head, dot, rest = text.partition(".")
    if not dot:
        return text
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return f"{head}.{digits[:6]:0<6}{rest[len(digits) :]}"


def _logged_in_backend(environment: "os._Environ[str] | dict[str, str]") -> str | None:
    home = Path(environment.get("PULUMI_HOME") or Path.home() / ".pulumi")
    try:
        return str(json.loads((home / "credentials.json").read_text(encoding="utf-8")).get("current") or "") or None
    except (FileNotFoundError, ValueError):
        return None

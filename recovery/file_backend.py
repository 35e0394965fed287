"""What a killed CLI leaves in a file backend: its lock, and incomplete files.

The backend keeps attributes beside each of its files, in `<file>.attrs`. It does not replace these in one step, unlike
the file itself: a kill can leave an empty one, and every later command then ends with "failed to load checkpoint: EOF".
Without attributes, the file can be read.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from recovery.history import newest_update
from recovery.locks import Lock, read_lock


@dataclass(frozen=True)
class FileBackend:
    """A folder with Pulumi's state."""

    folder: Path

    def locks(self, project: str, stack: str) -> list[Lock]:
        """Return every lock; a vanishing or incomplete file belongs to an update that starts or ends now."""
        found = []
        for file in sorted((self.folder / ".pulumi" / "locks" / "organization" / project / stack).glob("*.json")):
            try:
                found.append(read_lock(str(file), file.read_text(encoding="utf-8")))
            except (FileNotFoundError, ValueError):
                continue
        return found

    def remove(self, lock: Lock) -> None:
        """Remove a lock with its attributes."""
        Path(lock.name).unlink(missing_ok=True)
        Path(f"{lock.name}.attrs").unlink(missing_ok=True)

    def remove_broken_files(self, project: str, stack: str) -> list[str]:
        """Remove incomplete attributes, and drafts that were never renamed; only while no update runs."""
        broken = self.broken_files(project, stack)
        for file in broken:
            file.unlink(missing_ok=True)
        return [file.name for file in broken]

    def last_update(self, project: str, stack: str) -> str | None:
        """Return the name of the newest entry in the stack's history; None without one."""
        return newest_update(file.name for file in (self.folder / ".pulumi" / "history" / project / stack).glob("*"))

    def broken_files(self, project: str, stack: str) -> list[Path]:
        """Return incomplete attributes, and drafts that were never renamed; valid only while no update runs."""
        folder = self.folder / ".pulumi"
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

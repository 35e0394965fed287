"""A folder for unix sockets: private to the user, and short enough for the kernel's limit of about 100 bytes."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

_LONGEST = 70  # leaves room for the socket's own name below the limit (104 bytes on macOS, 108 on Linux)


def socket_folder(home: Path) -> Path:
    """`<home>/sockets`, or, if that is too long, a folder in the temporary directory that belongs to this home."""
    folder = home.resolve() / "sockets"
    if len(os.fsencode(folder)) > _LONGEST:
        digest = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"sluice-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(f"{folder} must belong to this user, but another user created it. Remove it.")
    folder.chmod(0o700)
    return folder

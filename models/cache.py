"""The user's cache of facts about model files: azure-ai-ml's result for YAML files, and digests of large files.

Losing an entry only costs time, so errors are ignored: an entry that cannot be read counts as missing, and one that
cannot be written is dropped.
"""

import contextlib
import json
import os
from enum import StrEnum
from typing import Any

from cache_folder import cache_folder
from models.atomic_write import replace_file


class Kind(StrEnum):
    """What an entry describes; also the name of its folder."""

    AZURE_ML_RESULTS = "models"
    DIGESTS = "files"


def remembered(kind: Kind, key: str) -> dict[str, Any] | None:
    """Return the entry of a key, which is a file name; None if there is none."""
    try:
        entry = json.loads((cache_folder(os.environ) / kind / key).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return entry if isinstance(entry, dict) else None


def remember(kind: Kind, key: str, entry: dict[str, Any]) -> None:
    """Store an entry; a reader sees all of it or nothing."""
    path = cache_folder(os.environ) / kind / key
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(entry))

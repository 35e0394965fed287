"""The history of a stack in a folder or a blob container: one entry per update that has ended.

Such backends count no updates (`pulumi stack history` says version 0). The name of an entry is the stack and the end of
the update in nanoseconds, such as prod-1795867200000000000 (seen in files of Pulumi 3.274).
"""

from __future__ import annotations

from collections.abc import Iterable

ENDING = ".history.json"


def newest_update(files: Iterable[str]) -> str | None:
    """Return the newest of these files of one stack's history, without its ending; None without any."""
    entries = [name.removesuffix(ENDING) for name in files if name.endswith(ENDING)]
    return max(entries, key=lambda name: (len(name), name), default=None)

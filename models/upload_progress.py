"""The progress of an upload, in lines for people and in bytes."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Shows the progress of an upload; called from several threads."""

    def say(self, line: str) -> None:
        """Report one file."""

    def advance(self, size: int) -> None:
        """Count bytes that have arrived or existed already."""


def readable(size: int) -> str:
    """Return a size for people."""
    return f"{size / 1024:.0f} kB" if size < 1024 * 1024 else f"{size / 1024 / 1024:.1f} MB"


class Parts:
    """Counts the parts of a large file, and reports each tenth of it."""

    def __init__(self, label: str, progress: Progress) -> None:
        """`seen` are the bytes that were counted."""
        self.label, self.progress, self.seen, self.tenth = label, progress, 0, 0

    def __call__(self, current: int, total: int | None) -> None:
        self.progress.advance(max(0, current - self.seen))
        self.seen = max(self.seen, current)
        tenth = current * 10 // total if total else 0
        if tenth > self.tenth:
            self.tenth = tenth
            self.progress.say(f"{self.label}: {tenth * 10} %")

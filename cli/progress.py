"""How uploads are shown: one bar on a terminal, one line per file everywhere else. It only prints."""

import sys
import threading
from typing import Any, Self, TextIO


class UploadProgress:
    """Shows uploads of `total` bytes on a stream (default: stderr); several threads may call it."""

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._lock = threading.Lock()
        self._bar: Any = None
        if self._stream.isatty():
            from tqdm import tqdm  # type: ignore[import-untyped]  # it has no stubs

            self._bar = tqdm(
                total=total,
                file=self._stream,
                unit="B",
                unit_scale=True,
                unit_divisor=1024,
                desc="uploading",
                leave=False,
            )

    def say(self, line: str) -> None:
        """Print a line where there is no bar."""
        if self._bar is None:
            with self._lock:
                print(line, file=self._stream, flush=True)

    def advance(self, size: int) -> None:
        """Move the bar."""
        if self._bar is not None:
            with self._lock:
                self._bar.update(size)

    def __enter__(self) -> Self:
        """Return itself; the bar is there from the start."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the bar; the result is printed after it."""
        if self._bar is not None:
            self._bar.close()

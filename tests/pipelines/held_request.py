"""A moment of the git server: it keeps a request waiting while a test does its work, and then drops it."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from types import TracebackType
from typing import Any

from tests.pipelines.server import Server
from tests.waiting import HANGS


class HeldRequest:
    """The first request with this method and end of its path in a `with` block is never answered, nor carried out."""

    def __init__(self, server: Server, method: str, path_end: str) -> None:
        self._server = server
        self._method, self._path = method, re.compile(rf".*{path_end}")
        self._arrived, self._over = threading.Event(), threading.Event()

    def __enter__(self) -> HeldRequest:
        self._server.hold = self._hold
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.hold = lambda method, path: False
        self._over.set()

    def _hold(self, method: str, path: str) -> bool:
        """Whether the request was held; then it must not be carried out any more."""
        if method != self._method or not self._path.fullmatch(path):
            return False
        self._arrived.set()
        self._over.wait(HANGS)
        return True

    def reached(self, process: subprocess.Popen[Any]) -> bool:
        """Whether the request comes before the process that sends it ends."""
        deadline = time.monotonic() + HANGS
        while not self._arrived.wait(0.1):
            assert time.monotonic() < deadline, f"no {self._method} {self._path.pattern} after {HANGS:g} s"
            if process.poll() is not None:
                return self._arrived.is_set()
        return True

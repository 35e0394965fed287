"""The plugin's view of the engine that started it: its log, and whether it is still running.

A plugin must not outlive its engine: after `kill -9` of the CLI no other process would end it. It watches two signs,
because each has gaps: the parent process (a plugin that the engine attached to has another parent) and the engine's
gRPC address (another process could take its port, and the engine may be busy).
"""

import os
import socket
import threading
import time
from typing import Any

_PARENT_SECONDS = 1.0
_ADDRESS_EVERY = 2
_CONNECT_SECONDS = 3.0
_MISSES = 2
_WARNING = 2  # pulumirpc.LogSeverity


class Engine:
    """The engine at an address; None for a plugin that was started manually."""

    def __init__(self, address: str | None) -> None:
        self._address = address
        self._stub: Any = None

    def warn(self, message: str) -> None:
        """Shows a warning to the user; does nothing without an engine."""
        if self._address is None:
            return
        if self._stub is None:
            import grpc

            from localazure.provider.protocol import load

            messages, services = load("engine_pb2"), load("engine_pb2_grpc")
            self._stub = (messages, services.EngineStub(grpc.insecure_channel(self._address)))
        messages, stub = self._stub
        stub.Log(messages.LogRequest(severity=_WARNING, message=message))

    def end_with(self, parent: int) -> None:
        """Ends this process when the engine has ended; `parent` is the process that started this one."""
        threading.Thread(target=self._watch, args=(parent,), name="engine-watch", daemon=True).start()

    def _watch(self, parent: int) -> None:
        ticks = misses = 0
        while True:
            time.sleep(_PARENT_SECONDS)
            if os.getppid() != parent:
                os._exit(0)
            ticks += 1
            if self._address is not None and ticks % _ADDRESS_EVERY == 0:
                misses = 0 if _answers(self._address) else misses + 1
                if misses >= _MISSES:
                    os._exit(0)


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host or "127.0.0.1", int(port)), timeout=_CONNECT_SECONDS):
            return True
    except (OSError, ValueError):
        return False

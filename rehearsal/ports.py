"""The two ports of a local Azure: HTTPS, and HTTP on the next one, both on 127.0.0.1."""

import contextlib
import socket
from pathlib import Path

from command_errors import UnavailableError, UsageError
from localazure.switches import DEFAULT_PORT

PORTS = range(1, 65535)  # for HTTPS
PORTS_TRIED = 100


def kept_port(file: Path) -> int | None:
    """Return the port in the file; None without a file or a port in it."""
    with contextlib.suppress(OSError, ValueError):
        port = int(file.read_text())
        return port if port in PORTS else None
    return None


def free_port() -> int:
    """Return the first free pair, starting at the default. Raises UnavailableError if no pair is free."""
    for port in range(DEFAULT_PORT, DEFAULT_PORT + 2 * PORTS_TRIED, 2):
        if is_free(port) and is_free(port + 1):
            return port
    raise UnavailableError(
        f"there is no free pair of ports from {DEFAULT_PORT} to {DEFAULT_PORT + 2 * PORTS_TRIED}. Give --port."
    )


def check_port(port: int) -> None:
    """Raise UsageError if the port or the next one is taken."""
    taken = [number for number in (port, port + 1) if not is_free(number)]
    if taken:
        raise UsageError(
            f"port {' and '.join(map(str, taken))} on 127.0.0.1 is taken by another program (the local Azure needs "
            f"{port} and {port + 1}). Give another one with --port, or end that program."
        )


def is_free(port: int) -> bool:
    """Return whether no other program listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True

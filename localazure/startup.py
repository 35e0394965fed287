"""Acquires what the local Azure needs before it can serve: its home folder, its two ports, the secret to stop it.

Everything listens on 127.0.0.1 only.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import socket
from pathlib import Path

HOST = "127.0.0.1"


class StartError(Exception):
    """The server cannot start; the message states the reason and the fix."""


def check_host(host: str) -> None:
    """Raises StartError for every address but this machine's own."""
    if host not in (HOST, "localhost"):
        raise StartError(
            f"The local Azure listens on {HOST} only, got {host!r}: it trusts everyone who can reach it. To use it "
            "from another machine, forward its two ports there (ssh -L 18443:localhost:18443 -L 18444:localhost:18444 "
            "THIS-MACHINE) and copy the bundle.pem of its home."
        )


def hold_lock(home: Path) -> int:
    """Lock the home folder for this process. Raises StartError with the id of the process that holds it."""
    descriptor = os.open(home / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise StartError(
            f"A local Azure is already running in {home} (process {holder}). Use it, end it with `sluice local stop`, "
            "or choose another folder with --home."
        ) from exc
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


def bind_ports(port: int) -> tuple[socket.socket, socket.socket]:
    """Sockets for HTTPS on `port` and HTTP on the next one; 0 picks a free pair. Raises StartError."""
    attempts = 1 if port else 50
    for attempt in range(attempts):
        bound: list[socket.socket] = []
        try:
            first = _bind(port)
            bound.append(first)
            bound.append(_bind(first.getsockname()[1] + 1))
        except (OSError, OverflowError) as exc:
            for one in bound:
                one.close()
            if attempt + 1 < attempts:
                continue
            taken = port + len(bound)
            why = "is taken" if getattr(exc, "errno", None) == errno.EADDRINUSE else f"cannot be used ({exc})"
            raise StartError(
                f"Port {taken} on {HOST} {why}. The local Azure needs {port} (HTTPS) and {port + 1} (HTTP); choose "
                "others with --port."
            ) from exc
        return bound[0], bound[1]
    raise AssertionError("unreachable")


def _bind(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, port))
        # Listen now: a second process must not be able to bind and wait.
        bound.listen(128)
    except BaseException:
        bound.close()
        raise
    bound.setblocking(False)
    return bound


def control_token(home: Path) -> str:
    """The secret that lets a caller stop the server; created once, mode 0600."""
    path = home / "control.token"
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        token = secrets.token_urlsafe(32)
        file.write(token)
    return token

"""Ports for servers that a test restarts, and so must find free again."""

import fcntl
import socket
import tempfile
from pathlib import Path
from typing import TextIO

PORTS = range(24000, 28000, 2)
_held_ports: list[TextIO] = []


def own_port() -> int:
    """Reserve a port, and the next one, against other runs of the tests for as long as this process lives.

    It is outside the range that `sluice local start` searches and outside the one from which Linux takes the ports of
    connections, so that nothing takes it while the server is down.
    """
    for port in PORTS:
        claim = (Path(tempfile.gettempdir()) / f"sluice-tests-port-{port}").open("a")
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for number in (port, port + 1):
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", number))
        except OSError:
            claim.close()
            continue
        _held_ports.append(claim)
        return port
    raise AssertionError(f"no port is free in {PORTS}")

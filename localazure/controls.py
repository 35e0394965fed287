"""The server's own controls, below `/_local`: its health and state for everybody; its end and faults for its owner."""

from __future__ import annotations

import asyncio
import hmac
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from localazure.arm.control_plane import ControlPlane
from localazure.errors import ArmError
from localazure.faults.control import FaultControl
from localazure.faults.registry import Faults
from localazure.startup import control_token

VERSION = "0.1.0"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Controls:
    """Routes that the server mounts."""

    def __init__(
        self,
        plane: ControlPlane,
        faults: Faults,
        scoring_status: Callable[[], dict[str, Any]],
        stop: Callable[[], None],
        started: float,
    ) -> None:
        """`stop` ends the server, which began at `started` (seconds since the epoch)."""
        self._plane = plane
        self._faults = faults
        self._scoring_status = scoring_status
        self._stop = stop
        self._started = started
        self._token = control_token(plane.home)

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        control = FaultControl(self._faults, self._plane.types)
        return [
            web.get("/_local/health", self._health),
            web.get("/_local/status", self._status),
            web.post("/_local/shutdown", self._with_token(self._shutdown)),
            web.post("/_local/faults", self._with_token(control.add)),
            web.get("/_local/faults", self._with_token(control.list)),
            web.delete("/_local/faults", self._with_token(control.clear)),
            web.get("/_local/faults/held", self._with_token(control.held)),
            web.post("/_local/faults/release", self._with_token(control.release)),
        ]

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "version": VERSION, "pid": os.getpid()})

    async def _status(self, request: web.Request) -> web.Response:
        running = self._plane.store.running_operations()
        status = {
            "version": VERSION,
            "pid": os.getpid(),
            "started": self._started,
            "home": str(self._plane.home),
            "role_delay_seconds": self._plane.options.role_delay,
            "resources": self._plane.store.count_resources(),
            "operations": [{"kind": item["kind"], "target": item["target"]} for item in running],
            "outside_network": self._plane.options.outside_network,
            "memory_mib": _memory_mib(),
            "faults": self._faults.describe(),
            "scoring": self._scoring_status(),
        }
        return web.json_response(status)

    def _with_token(self, handler: Handler) -> Handler:
        """Require the token from the home folder; a web page in a browser cannot send this header."""

        async def check(request: web.Request) -> web.StreamResponse:
            given = request.headers.get("X-Local-Token", "")
            if not hmac.compare_digest(given.encode("utf-8", "replace"), self._token.encode()):
                error = ArmError(
                    "Forbidden", f"Send the content of {self._plane.home}/control.token as X-Local-Token.", status=403
                )
                return web.json_response(error.body(), status=403)
            return await handler(request)

        return check

    async def _shutdown(self, request: web.Request) -> web.Response:
        asyncio.get_running_loop().call_later(0.05, self._stop)
        return web.json_response({"status": "stopping"}, status=202)


def _memory_mib() -> float | None:
    """Resident memory of this process; None where the system does not report it."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError):
        return None
    return round(pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20), 1)

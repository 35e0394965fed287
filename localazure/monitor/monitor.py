"""The monitor of one local Azure: its periodic work, once a second or every few seconds.

It samples, writes traffic records, runs autoscale and serves the status page. It never blocks a request: a failed turn
is logged and the next one tries again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from localazure.monitor.definitions import ENDPOINTS
from localazure.monitor.history import History
from localazure.monitor.live import Live
from localazure.monitor.page import page_response
from localazure.monitor.request_log import LoggedEndpoint, RequestLog, asks_for
from localazure.monitor.sampler import Running, Sampler
from localazure.monitor.scaler import EVALUATION_SECONDS, Plane, Scaler
from localazure.scoring.served import ServedRequest

log = logging.getLogger(__name__)

SAMPLE_SECONDS = 1.0
_DIAGNOSTICS = "microsoft.insights/diagnosticsettings"


class Observed(Running, Protocol):
    """The part of the data plane that the monitor reads."""

    def observe(self, observer: Callable[[ServedRequest], None]) -> None: ...

    def status(self) -> dict[str, Any]: ...


class Watched(Plane, Protocol):
    """The part of the control plane that the monitor reads."""

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds since the epoch."""


@dataclass(frozen=True)
class MonitorOptions:
    """The settings of a rehearsal."""

    autoscale_speed: int = 1
    """Speed-up of autoscale's time: its turns, grains, windows and cool-downs (1 to 60)."""
    count_copies: bool = True
    """Whether the copies of mirrored requests count in the metrics of the deployment that gets them."""


class Monitor:
    """Watches one control plane and its data plane from `start` to `stop`."""

    def __init__(self, plane: Watched, scoring: Observed, home: Path, options: MonitorOptions) -> None:
        self._plane = plane
        self._options = options
        self._sampler = Sampler(plane.metrics, scoring)
        self._scaler = Scaler(plane, options.autoscale_speed)
        self._requests = RequestLog(home / "logs" / "traffic")
        self._live = Live(plane.metrics, scoring, self._scaler)
        self._tasks: list[asyncio.Task[None]] = []
        self._seen_changes = -1
        self._history = History(home / "metrics.db")
        scoring.observe(self._count)
        scoring.observe(self._requests.observe)

    def routes(self) -> list[web.RouteDef]:
        """The routes of the status page and its data."""
        return [web.get("/", page_response), web.get("/_local/live", self._live.respond)]

    def start(self) -> None:
        """Start the periodic work."""
        self._history.restore(self._plane.metrics, self._plane.clock())
        evaluation = EVALUATION_SECONDS / self._options.autoscale_speed
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._repeat(self._second, SAMPLE_SECONDS), name="monitor"),
            loop.create_task(self._repeat(self._scale, evaluation), name="autoscale"),
        ]

    async def stop(self) -> None:
        """Stop, and write the pending traffic records and minutes."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            self._requests.flush()
            self._history.save(self._plane.metrics, self._plane.clock())
        except Exception:  # a full disk; later stops must still happen
            log.exception("the last seconds of metrics are lost")
        self._history.close()

    def _count(self, served: ServedRequest) -> None:
        if self._options.count_copies or not served.mirrored:
            self._plane.metrics.observe(served)

    def _second(self) -> None:
        self._sampler.sample(self._plane.clock())
        if self._plane.store.changes != self._seen_changes:
            self._seen_changes = self._plane.store.changes
            self._requests.choose(self._logged_endpoints())
        self._requests.flush()
        self._history.save(self._plane.metrics, self._plane.clock())

    def _scale(self) -> None:
        self._scaler.turn(self._plane.clock())

    def _logged_endpoints(self) -> dict[str, LoggedEndpoint]:
        store = self._plane.store
        logged = {}
        for setting in store.of_type(_DIAGNOSTICS):
            endpoint = store.get(setting.resource_id.parent)
            if endpoint is None or endpoint.resource_id.type != ENDPOINTS.lower() or not asks_for(setting.properties):
                continue
            workspace = store.get(endpoint.resource_id.parent)
            columns = {
                "AuthType": str(endpoint.properties.get("authMode", "")),
                "AzureMLWorkspaceId": str(workspace.properties.get("workspaceId", "")) if workspace else "",
                "AzureMLWorkspaceName": workspace.name if workspace else "",
                "EndpointName": endpoint.name,
                "Location": str(endpoint.body.get("location", "")),
                "_ResourceId": endpoint.id,
            }
            logged[endpoint.name.lower()] = LoggedEndpoint(columns)
        return logged

    async def _repeat(self, work: Callable[[], None], seconds: float) -> None:
        failing = False
        while True:
            try:
                work()
                failing = False
            except Exception:
                if not failing:  # once, not every second
                    log.exception("the monitor failed; it tries again")
                failing = True
            await asyncio.sleep(seconds)

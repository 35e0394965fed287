"""The local Azure's process: one event loop, HTTPS and HTTP on 127.0.0.1, everything below one home folder.

It owns start (lock, ports, certificates, readiness file), dispatch to the parts, and a graceful stop. It writes no
access log: requests carry keys and tokens.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from localazure.arm.batch_service import BatchService
from localazure.arm.control_plane import ControlPlane, Options
from localazure.arm.namespaces import every_behaviour
from localazure.arm.scoring import Scoring
from localazure.arm.service import ArmService, is_arm_path
from localazure.batch.jobs import BatchJobs
from localazure.certificates import ensure_certificates, server_context
from localazure.connections import IDLE_SECONDS, Connections, server_log, with_expectations
from localazure.controls import VERSION, Controls
from localazure.disk import disk_full, is_full
from localazure.errors import ArmError, NotEmulated
from localazure.faults.metrics import MetricFaults
from localazure.faults.operations import OperationFaults
from localazure.faults.registry import Faults
from localazure.faults.requests import answer_with_faults
from localazure.faults.scoring import FaultyScoring
from localazure.graph import Graph
from localazure.monitor.monitor import Monitor, MonitorOptions, Observed
from localazure.origin import blob_account, check_origin
from localazure.startup import StartError, bind_ports, hold_lock
from localazure.storage.service import BlobService
from localazure.token_service import TokenService, not_served

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 4 << 20  # ARM's limit; uploads of blobs are streamed and have their own
SHUTDOWN_SECONDS = 5.0
_ACCOUNT_LENGTH = range(3, 25)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

__all__ = ["DataPlane", "JobRunner", "Server", "StartError"]


class DataPlane(Scoring, Observed, Protocol):
    """The data plane as the process needs it."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def routes(self) -> list[web.RouteDef]: ...

    def status(self) -> dict[str, Any]: ...


class JobRunner(BatchJobs, Protocol):
    """The part of the batch runner that the process needs."""

    async def start(self) -> None: ...


@dataclass
class Server:
    """One local Azure. `run` returns after a requested stop."""

    home: Path
    port: int
    scoring: DataPlane
    batch: JobRunner
    options: Options = field(default_factory=Options)
    faults: Faults = field(default_factory=Faults)
    """The data plane applies them as well, where it is configured to."""
    monitoring: MonitorOptions = field(default_factory=MonitorOptions)

    def __post_init__(self) -> None:
        self._stop = asyncio.Event()
        self._started = time.time()
        self._plane: ControlPlane | None = None
        self._connections: Connections | None = None

    async def run(self, ready: Callable[[str], None] | None = None) -> None:
        """Start, serve until stopped, clean up."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = hold_lock(self.home)
        try:
            # The file of a killed predecessor: no client may mistake it for a running server.
            (self.home / "server.json").unlink(missing_ok=True)
            sockets = bind_ports(self.port)
            try:
                await self._serve(sockets, ready)
            finally:
                for bound in sockets:
                    bound.close()
        finally:
            (self.home / "server.json").unlink(missing_ok=True)
            os.close(lock)

    def stop(self) -> None:
        self._stop.set()

    async def _serve(self, sockets: tuple[socket.socket, socket.socket], ready: Callable[[str], None] | None) -> None:
        port = sockets[0].getsockname()[1]
        base_url = f"https://localhost:{port}"
        ensure_certificates(self.home)
        scoring = FaultyScoring(self.scoring, self.faults)
        self._plane = plane = ControlPlane(
            self.home, base_url, scoring, self.batch, every_behaviour, options=self.options
        )
        plane.distort_metrics = MetricFaults(self.faults)
        plane.operations.interfere = OperationFaults(self.faults, plane.store)
        self._monitor = monitor = Monitor(plane, self.scoring, self.home, self.monitoring)
        runner = web.AppRunner(
            self._application(),
            access_log=None,
            logger=server_log(),
            shutdown_timeout=SHUTDOWN_SECONDS,
            keepalive_timeout=IDLE_SECONDS,
            # Do not decompress bodies: models and blobs get them as they were sent, and no body can fill the memory.
            auto_decompress=False,
        )
        try:
            await self.scoring.start()
            await self.batch.start()
            plane.blobs.recover()
            plane.start()
            monitor.start()
            await runner.setup()
            assert runner.server is not None
            self._connections = Connections(runner.server)
            await self._connections.listen(sockets[0], server_context(self.home))
            await self._connections.listen(sockets[1])
            self._handle_signals()
            self._write_ready_file(base_url, f"http://localhost:{port + 1}")
            log.info("ready on %s", base_url)
            if ready:
                ready(base_url)
            await self._stop.wait()
            log.info("stopping")
        finally:
            # Operations before processes: an operation that waits for a deployment must not take its end for a failure.
            if self._connections is not None:
                self._connections.stop_listening()
            self.faults.close()
            await runner.cleanup()
            if self._connections is not None:
                await self._connections.drop()
            await monitor.stop()
            await plane.stop()
            scoring.close()
            await self.scoring.close()
            plane.close()

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                loop.add_signal_handler(number, self.stop)
            except (RuntimeError, ValueError):
                return  # not in the main thread: the caller stops the server

    def _write_ready_file(self, https: str, http: str) -> None:
        document = {"pid": os.getpid(), "https": https, "http": http, "version": VERSION, "started": self._started}
        document |= {"role_delay_seconds": self.options.role_delay}
        temporary = self.home / f".server.json.{os.getpid()}"
        temporary.write_text(json.dumps(document))
        temporary.replace(self.home / "server.json")

    # HTTP

    def _application(self) -> web.Application:
        assert self._plane is not None
        application = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[self._guard])
        self._arm = ArmService(self._plane)
        self._blobs = BlobService(self._plane)
        controls = Controls(self._plane, self.faults, self.scoring.status, self.stop, self._started)
        routes = [
            *controls.routes(),
            *TokenService(self._plane).routes(),
            *Graph(self._plane).routes(),
            *BatchService(self._plane).routes(),
            *self._monitor.routes(),
            *self.scoring.routes(),
            web.route("*", "/{path:.*}", self._dispatch),
        ]
        application.add_routes(with_expectations(routes))
        return application

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        """Answer paths without a fixed route; faults on command can disturb them."""
        if self.faults:
            return await answer_with_faults(self.faults, request, self._answer)
        return await self._answer(request)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        """Choose ARM by the first segment, otherwise the blob service."""
        path = request.rel_url.raw_path
        account = blob_account(request)
        if account:
            return await self._blobs.handle(request, account, path.strip("/"))
        if is_arm_path(path):
            return await self._arm.handle(request)
        account, _, rest = path.strip("/").partition("/")
        assert self._plane is not None
        for_tokens = not_served(request)
        if for_tokens is not None and self._plane.storage_account(account) is None:
            return for_tokens
        if len(account) in _ACCOUNT_LENGTH and account.isalnum() and (rest or request.query):
            return await self._blobs.handle(request, account, rest)
        error = NotEmulated(f"{request.method} {path[:200]}")
        return web.json_response(error.body(), status=error.status)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Admit local names only, and return errors in ARM's form."""
        assert self._connections is not None
        self._connections.heard(request)
        try:
            check_origin(request)
            if blob_account(request):
                handler = self._dispatch  # for any path, because containers may have any name
            return await handler(request)
        except ArmError as refused:
            error = refused
        except web.HTTPRequestEntityTooLarge:
            # Known code; the wording is ours.
            text = f"The request content is larger than {MAX_BODY_BYTES} bytes."
            error = ArmError("RequestContentTooLarge", text, status=413)
        except (web.HTTPException, asyncio.CancelledError):
            raise
        except UnicodeDecodeError:
            error = ArmError("InvalidRequestUri", "The path is not UTF-8.", status=400)
        except web.RequestPayloadError:
            error = ArmError("InvalidRequestContent", "The request content broke off or is not HTTP.", status=400)
        except Exception as exc:
            if isinstance(exc, ConnectionError) and (request.transport is None or request.transport.is_closing()):
                return web.Response(status=499)  # the client has disconnected: this answer is never sent
            if is_full(exc):
                log.error("the disk is full: %s", exc)
                error = disk_full()
            else:
                # Without the query, which may contain a signature.
                log.exception("%s %s failed", request.method, request.path)
                error = ArmError("InternalServerError", "The local Azure failed; see its log.", status=500)
        return web.json_response(error.body(), status=error.status, headers=error.headers)

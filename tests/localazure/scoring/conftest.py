"""A model server in this process, and a router before it: no processes, no network beyond unix sockets and loopback."""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from localazure.scoring.calls import Target
from localazure.scoring.dispatch import Backend, Dispatcher
from localazure.scoring.router import Router
from localazure.scoring.served import ServedRequest
from localazure.scoring.specification import EndpointRouting
from tests.waiting import HANGS, until

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
KEY, SECOND_KEY = "primary-key", "secondary-key"


class Rig:
    """A router on a loopback port, with verbs to add deployments whose model is a handler of the test."""

    def __init__(self, folder: Path, session: ClientSession, base: str, router: Router) -> None:
        self.router = router
        self.session = session
        self.served: list[ServedRequest] = []
        self.url = f"{base}/endpoints/fraud/score"
        self.base = base
        self.dispatchers: dict[str, Dispatcher] = {}
        self.backends: dict[str, list[Backend]] = {}
        self._folder = folder
        self._stack = contextlib.AsyncExitStack()
        router.observe(self.served.append)

    async def add(
        self,
        name: str,
        handler: Handler,
        *,
        instances: int = 1,
        max_concurrent: int = 10,
        timeout: float = HANGS,
    ) -> None:
        """Start `instances` model servers and attach them as one deployment."""
        dispatcher = self.dispatchers[name] = Dispatcher(max_concurrent, instances)
        for number in range(instances):
            path = self._folder / f"{name}-{number}.sock"
            application = web.Application(client_max_size=0)
            application.router.add_route("*", "/{path:.*}", handler)
            runner = web.AppRunner(application, access_log=None, auto_decompress=False)
            await runner.setup()
            self._stack.push_async_callback(runner.cleanup)
            await web.UnixSite(runner, str(path)).start()
            backend = Backend(str(path))
            dispatcher.add(backend)
            self.backends.setdefault(name, []).append(backend)
        self.router.attach(Target("fraud", name, dispatcher, timeout))

    def route(self, *, mirror: dict[str, int] | None = None, auth_mode: str = "Key", **traffic: int) -> None:
        """Set the endpoint's weights."""
        self.router.route(
            EndpointRouting(
                endpoint="fraud",
                traffic=traffic,
                mirror=mirror or {},
                auth_mode=auth_mode,
                primary_key=KEY,
                secondary_key=SECOND_KEY,
            )
        )

    async def score(
        self, body: bytes = b"[1]", *, key: str | None = KEY, method: str = "POST", **headers: str
    ) -> tuple[int, str, dict[str, str]]:
        """One request; returns status, text, headers (names in lower case)."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent |= {"Authorization": f"Bearer {key}"} if key is not None else {}
        async with self.session.request(method, self.url, data=body, headers=sent) as answer:
            return answer.status, await answer.text(), {k.lower(): v for k, v in answer.headers.items()}

    async def copied(self) -> None:
        """Wait for the copies that are on their way to a shadow."""
        await until(lambda: not self.router._copies)

    async def close(self) -> None:
        await self.router.close()
        await self._stack.aclose()


async def _elsewhere(request: web.Request) -> web.Response:
    return web.Response(status=418)


@contextlib.asynccontextmanager
async def _rig() -> AsyncIterator[Rig]:
    router = Router(random.Random(7))
    with tempfile.TemporaryDirectory() as folder:  # short: a unix socket's path has about 100 bytes
        async with ClientSession() as session:
            application = web.Application()
            application.add_routes(router.routes())
            application.router.add_route("*", "/{path:.*}", _elsewhere)  # as the local Azure's server has it
            runner = web.AppRunner(application, access_log=None, auto_decompress=False)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            rig = Rig(Path(folder), session, f"http://127.0.0.1:{port}", router)
            try:
                yield rig
            finally:
                await session.close()
                await rig.close()
                await runner.cleanup()


@pytest.fixture
def with_rig() -> Callable[[Callable[[Rig], Awaitable[None]]], None]:
    """Runs an async test body with a rig, on an event loop of its own."""

    def run(body: Callable[[Rig], Awaitable[None]]) -> None:
        async def main() -> None:
            async with _rig() as rig:
                await asyncio.wait_for(body(rig), HANGS)

        asyncio.run(main())

    return run

"""A data plane whose deployments are no processes, but whose requests go through the real router."""

from __future__ import annotations

import asyncio
import tempfile
from typing import Any

from aiohttp import web

from localazure.scoring.calls import Target
from localazure.scoring.dispatch import Backend, Dispatcher
from localazure.scoring.router import Router
from localazure.scoring.specification import DeploymentSpec, EndpointRouting
from tests.localazure.conftest import FakePlane


class RoutedPlane(FakePlane):
    """Deployments are no processes, one model server in this process answers for all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.answer: Any = None
        self._router = Router()
        self._folder = tempfile.TemporaryDirectory()  # short: a unix socket's path has about 100 bytes
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._score)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.UnixSite(self._runner, f"{self._folder.name}/model.sock").start()

    async def close(self) -> None:
        await self._router.close()
        if self._runner is not None:
            await self._runner.cleanup()
        self._folder.cleanup()

    async def _score(self, request: web.Request) -> web.Response:
        # As the inference server says of a model that did not raise.
        return web.json_response(self.answer, headers={"x-ms-run-function-failed": "False"})

    async def deploy(self, spec: DeploymentSpec) -> None:
        await super().deploy(spec)
        dispatcher = Dispatcher(spec.max_concurrent_requests_per_instance, spec.instance_count)
        dispatcher.add(Backend(f"{self._folder.name}/model.sock"))
        self._router.attach(Target(spec.endpoint, spec.deployment, dispatcher, spec.request_timeout_seconds))

    def route(self, routing: EndpointRouting) -> None:
        super().route(routing)
        self._router.route(routing)

    def unroute(self, endpoint: str) -> None:
        super().unroute(endpoint)
        self._router.unroute(endpoint)

    async def logs(self, endpoint: str, deployment: str, container: str, tail: int) -> str:
        await asyncio.sleep(0)
        return "Instance status:\nSystemSetup: Succeeded\n"

    def routes(self) -> list[web.RouteDef]:
        return self._router.routes()

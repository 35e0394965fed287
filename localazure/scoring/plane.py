"""The data plane's interface for the control plane: deploy, scale, remove, route, logs, status.

It connects environments, deployments and router, and owns the order of their steps. It stores nothing durable: after a
restart the control plane deploys and routes again from its own store, and `start` first ends processes that an earlier
server left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from aiohttp import web

from localazure.scoring import processes
from localazure.scoring.calls import Target, exchange
from localazure.scoring.deployments import Deployment
from localazure.scoring.dispatch import Dispatcher
from localazure.scoring.environments import EnvironmentCache
from localazure.scoring.router import Exchange, Observer, Router
from localazure.scoring.served import ServedRequest, Totals
from localazure.scoring.simulated import SimulatedDeployment
from localazure.scoring.sockets import socket_folder
from localazure.scoring.specification import DeploymentFailed, DeploymentSpec, EndpointRouting, Probe

__all__ = ["DeploymentFailed", "DeploymentSpec", "EndpointRouting", "Probe", "ScoringPlane"]

_Key = tuple[str, str]


class RunningDeployment(NamedTuple):
    """A deployment and its instances: number, process id, readiness of each."""

    endpoint: str
    deployment: str
    instances: list[tuple[int, int | None, bool]]


class _Runtime(Protocol):
    """The implementation of a deployment: processes or a simulation."""

    spec: DeploymentSpec | None
    changing: asyncio.Lock

    async def start(self, spec: DeploymentSpec) -> Dispatcher: ...

    async def retire_old(self) -> None: ...

    async def scale(self, instance_count: int) -> None: ...

    async def stop(self, *, drain: bool) -> None: ...

    def logs(self, container: str, lines: int) -> str: ...

    def instances(self) -> list[tuple[int, int | None, bool]]: ...

    def status(self) -> dict[str, Any]: ...


class ScoringPlane:
    """Every deployment of this local Azure. All methods run on one event loop."""

    def __init__(
        self, home: Path, environments: EnvironmentCache, exchange: Exchange = exchange, *, simulated: bool = False
    ) -> None:
        self._simulated = simulated
        self._folder = home.resolve() / "deployments"
        self._home = home
        self._environments = environments
        self._deployments: dict[_Key, _Runtime] = {}
        self._totals: defaultdict[_Key, Totals] = defaultdict(Totals)
        self._routings: dict[str, EndpointRouting] = {}
        self._router = Router(exchange=exchange)
        self._router.observe(self._count)
        self._sockets: Path | None = None
        self._changes: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """End the processes that a killed predecessor left behind, and no others."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._sockets = socket_folder(self._home)
        await asyncio.to_thread(self._clear)

    async def close(self) -> None:
        """End every process that this object started; cancels changes and does not wait for active requests."""
        for change in self._changes:
            change.cancel()
        await asyncio.gather(*self._changes, return_exceptions=True)
        await self._router.close()
        await asyncio.gather(*(deployment.stop(drain=False) for deployment in self._deployments.values()))
        self._deployments.clear()

    async def deploy(self, spec: DeploymentSpec) -> None:
        """Run the deployment as `spec` describes and return when it is ready; idempotent.

        Raises `DeploymentFailed`. In that case the previous version keeps serving, and the logs report the failure.
        """
        try:
            deployment = self._known(spec.endpoint, spec.deployment)
        except OSError as exc:
            raise DeploymentFailed("ResourceNotReady", f"the deployment cannot be started: {exc}.") from exc
        async with self._change(deployment):
            if self._deployments.get(_key(spec.endpoint, spec.deployment)) is not deployment:
                raise DeploymentFailed("OperationCanceled", f"deployment {spec.deployment} has been removed.")
            current = deployment.spec
            if current is not None and replace(spec, instance_count=current.instance_count) == current:
                if spec.instance_count != current.instance_count:
                    await deployment.scale(spec.instance_count)
                return
            if current is None:  # callers learn that it is not ready, rather than that it does not exist
                self._attach(spec, Dispatcher(1, 1))
            try:
                dispatcher = await deployment.start(spec)
            except OSError as exc:
                raise DeploymentFailed("ResourceNotReady", f"the deployment cannot be started: {exc}.") from exc
            self._attach(spec, dispatcher)
            await deployment.retire_old()

    async def scale(self, endpoint: str, deployment: str, instance_count: int) -> None:
        """Change the number of instances; returns when the new ones are ready and the old ones have drained.

        KeyError for a deployment that does not run.
        """
        known = self._deployments[_key(endpoint, deployment)]
        async with self._change(known):
            await known.scale(instance_count)

    async def remove(self, endpoint: str, deployment: str) -> None:
        """Drain and end a deployment; unknown names are already removed."""
        key = _key(endpoint, deployment)
        known = self._deployments.get(key)
        if known is None:
            return
        async with self._change(known):
            if self._deployments.get(key) is not known:
                return  # it was removed during the wait; the deployment there now is another one
            self._router.detach(endpoint, deployment)
            await known.stop(drain=True)
            self._deployments.pop(key, None)
            self._totals.pop(key, None)
            await asyncio.to_thread(shutil.rmtree, self._deployment_folder(key), ignore_errors=True)

    def route(self, routing: EndpointRouting) -> None:
        """Create or change an endpoint's routing, effective for the next request."""
        self._routings[routing.endpoint.lower()] = routing
        self._router.route(routing)

    def unroute(self, endpoint: str) -> None:
        """Forget an endpoint; its deployments are unchanged."""
        self._routings.pop(endpoint.lower(), None)
        self._router.unroute(endpoint)

    async def logs(self, endpoint: str, deployment: str, container: str, tail: int) -> str:
        """The text of getLogs; `container` is InferenceServer or StorageInitializer. KeyError when unknown."""
        known = self._deployments[_key(endpoint, deployment)]
        return await asyncio.to_thread(known.logs, container, tail)

    def observe(self, observer: Observer) -> None:
        """Call `observer` with every served request (metrics, traffic logs)."""
        self._router.observe(observer)

    def running(self) -> list[RunningDeployment]:
        """Every deployment with its current instances."""
        return [RunningDeployment(*key, known.instances()) for key, known in self._deployments.items()]

    def connections(self) -> dict[str, int]:
        """The number of connected clients per endpoint that they called; endpoints without clients are left out."""
        return self._router.connections()

    def routes(self) -> list[web.RouteDef]:
        """The data plane's HTTP routes, for the server to mount."""
        return self._router.routes()

    def status(self) -> dict[str, Any]:
        """Per endpoint and deployment: instances, process ids, requests, errors, latency. No keys."""
        endpoints: dict[str, Any] = {
            name: {"traffic": dict(routing.traffic), "mirror": dict(routing.mirror), "deployments": {}}
            for name, routing in sorted(self._routings.items())
        }
        for (endpoint, deployment), known in sorted(self._deployments.items()):
            entry = endpoints.setdefault(endpoint, {"traffic": {}, "mirror": {}, "deployments": {}})
            totals = self._totals.get((endpoint, deployment), Totals())
            entry["deployments"][deployment] = known.status() | totals.summary()
        return endpoints

    @contextlib.asynccontextmanager
    async def _change(self, deployment: _Runtime) -> AsyncIterator[None]:
        """Run one change of a deployment at a time, registered so that `close` can cancel it."""
        task = asyncio.current_task()
        assert task is not None
        self._changes.add(task)
        try:
            async with deployment.changing:
                yield
        finally:
            self._changes.discard(task)

    def _known(self, endpoint: str, deployment: str) -> _Runtime:
        if self._sockets is None:
            raise RuntimeError("ScoringPlane.start() must be awaited before deploy()")
        key = _key(endpoint, deployment)
        if self._simulated and key not in self._deployments:
            self._deployments[key] = SimulatedDeployment()
        if key not in self._deployments:
            folder = self._deployment_folder(key)
            folder.mkdir(parents=True, exist_ok=True)
            label = hashlib.sha256("/".join(key).encode()).hexdigest()[:10]
            self._deployments[key] = Deployment(folder, self._sockets, self._environments, label)
        return self._deployments[key]

    def _deployment_folder(self, key: _Key) -> Path:
        for name in key:  # the control plane has checked them; checked again because a folder of this name is removed
            if not name.replace("-", "").replace("_", "").isalnum():
                raise ValueError(f"endpoint and deployment names are letters, digits, '-' and '_', got {name!r}")
        return self._folder / key[0] / key[1]

    def _attach(self, spec: DeploymentSpec, dispatcher: Dispatcher) -> None:
        self._router.attach(Target(spec.endpoint, spec.deployment, dispatcher, spec.request_timeout_seconds))

    def _clear(self) -> None:
        processes.end_orphans(list(self._folder.glob("*/*/*.pid")))
        for left in self._folder.glob("*/*/revision-*"):
            shutil.rmtree(left, ignore_errors=True)
        for socket in self._sockets.glob("*.sock") if self._sockets else ():
            socket.unlink(missing_ok=True)

    def _count(self, served: ServedRequest) -> None:
        if served.deployment:  # otherwise refused before a deployment was chosen
            self._totals[served.endpoint.lower(), served.deployment.lower()].add(served)


def _key(endpoint: str, deployment: str) -> _Key:
    return endpoint.lower(), deployment.lower()

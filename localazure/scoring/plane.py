"""The data plane as the control plane sees it: deploy, scale, remove, route, logs, status.

It ties environments, instances and router together and owns their order. It stores nothing durable: after a restart
the control plane deploys and routes again from its own store, and `start` first ends what an earlier process left.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import web

from localazure.scoring.specification import DeploymentFailed, DeploymentSpec, EndpointRouting, Probe

__all__ = ["DeploymentFailed", "DeploymentSpec", "EndpointRouting", "Probe", "ScoringPlane"]


class ScoringPlane:
    """Every deployment of this local Azure. All methods run on one event loop."""

    def __init__(self, home: Path, environments_cache: Path) -> None:
        self._home = home
        self._environments_cache = environments_cache

    async def start(self) -> None:
        """End the processes that a killed predecessor left behind (and only those)."""
        raise NotImplementedError

    async def close(self) -> None:
        """End every process this plane started."""
        raise NotImplementedError

    async def deploy(self, spec: DeploymentSpec) -> None:
        """Make the deployment run as `spec` says and return when it is ready; idempotent.

        Raises `DeploymentFailed`; the deployment then has no instances, its logs stay readable.
        """
        raise NotImplementedError

    async def scale(self, endpoint: str, deployment: str, instance_count: int) -> None:
        """Change the number of instances; returns when the new ones are ready and the old ones have drained."""
        raise NotImplementedError

    async def remove(self, endpoint: str, deployment: str) -> None:
        """Drain and end a deployment; unknown names are already removed."""
        raise NotImplementedError

    def route(self, routing: EndpointRouting) -> None:
        """Create or change an endpoint's routing, effective for the next request."""
        raise NotImplementedError

    def unroute(self, endpoint: str) -> None:
        """Forget an endpoint; its deployments are not touched."""
        raise NotImplementedError

    async def logs(self, endpoint: str, deployment: str, container: str, tail: int) -> str:
        """Text as getLogs answers it; `container` is InferenceServer or StorageInitializer. KeyError when unknown."""
        raise NotImplementedError

    def routes(self) -> list[web.RouteDef]:
        """The data plane's HTTP routes, for the server to mount."""
        raise NotImplementedError

    def status(self) -> dict[str, Any]:
        """Per endpoint and deployment: instances, process ids, requests, errors, latency."""
        raise NotImplementedError

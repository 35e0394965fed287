"""The part of `localazure.scoring.plane.ScoringPlane` that the control plane uses."""

from __future__ import annotations

from typing import Protocol

from localazure.scoring.specification import DeploymentSpec, EndpointRouting


class Scoring(Protocol):
    """See `localazure.scoring.plane.ScoringPlane`, which tests replace."""

    async def deploy(self, spec: DeploymentSpec) -> None: ...

    async def scale(self, endpoint: str, deployment: str, instance_count: int) -> None: ...

    async def remove(self, endpoint: str, deployment: str) -> None: ...

    def route(self, routing: EndpointRouting) -> None: ...

    def unroute(self, endpoint: str) -> None: ...

    async def logs(self, endpoint: str, deployment: str, container: str, tail: int) -> str: ...

"""Deployments without processes: each instance answers at once with a fixed document.

For tests of scale, where hundreds of deployments must fit on one machine. Weights, limits, keys, metrics and scale-out
are the real ones; there is no environment, script or model, so their failures do not occur here either.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from localazure.scoring import upstream
from localazure.scoring.dispatch import Backend, Dispatcher
from localazure.scoring.specification import DeploymentFailed, DeploymentSpec

_POLL_SECONDS = 0.02
_SWAGGER = "/swagger.json"


class CannedReply(upstream.ModelReply):
    """An answer without a server."""

    def __init__(self, body: bytes) -> None:
        self.status = 200
        self.headers = [
            (b"Content-Type", b"application/json"),
            (b"x-ms-run-function-failed", b"False"),
            (b"x-ms-run-fn-exec-ms", b"0.000"),
            (b"x-ms-server-version", b"simulated"),
        ]
        self.length = len(body)
        self._body = body

    @property
    def whole_body(self) -> bytes | None:
        return self._body

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self._body

    def close(self) -> None:
        """There is no connection."""


class SimulatedBackend(Backend):
    """An instance with a fixed answer."""

    def __init__(self, endpoint: str, deployment: str, number: int) -> None:
        super().__init__(f"simulated:{number}")
        self.number = number
        fact = {"simulated": True, "endpoint": endpoint, "deployment": deployment, "instance": number}
        self._answer = json.dumps(fact).encode()
        information = {"title": f"{deployment}, simulated", "version": "1.0"}
        self._swagger = json.dumps({"swagger": "2.0", "info": information, "paths": {"/score": {}}}).encode()

    def answer(self, path: str) -> CannedReply:
        """The instance's answer to a request for a path."""
        return CannedReply(self._swagger if path.startswith(_SWAGGER) else self._answer)


class SimulatedDeployment:
    """A deployment like `localazure.scoring.deployments.Deployment`, with simulated instances."""

    def __init__(self) -> None:
        self.spec: DeploymentSpec | None = None
        self.failure: DeploymentFailed | None = None
        self.changing = asyncio.Lock()
        self._dispatcher: Dispatcher | None = None
        self._old: Dispatcher | None = None

    async def start(self, spec: DeploymentSpec) -> Dispatcher:
        """Ready at once."""
        dispatcher = Dispatcher(spec.max_concurrent_requests_per_instance, spec.instance_count)
        for number in range(spec.instance_count):
            dispatcher.add(SimulatedBackend(spec.endpoint, spec.deployment, number))
        self._old, self._dispatcher = self._dispatcher, dispatcher
        self.spec = spec
        return dispatcher

    async def retire_old(self) -> None:
        """Wait for the requests of the previous version."""
        old, self._old = self._old, None
        await self._drain(old)

    async def scale(self, instance_count: int) -> None:
        """Add instances, or let the last ones finish their requests."""
        if self.spec is None or self._dispatcher is None:
            raise KeyError("a deployment that was never started")
        dispatcher, spec = self._dispatcher, self.spec
        have = len(dispatcher.backends)
        for number in range(have, instance_count):
            dispatcher.add(SimulatedBackend(spec.endpoint, spec.deployment, number))
        self.spec = replace(spec, instance_count=instance_count)
        dispatcher.instance_count = max(1, instance_count)
        surplus = dispatcher.backends[instance_count:]
        for backend in surplus:
            dispatcher.retire(backend)
        await asyncio.gather(*(backend.drained(spec.request_timeout_seconds) for backend in surplus))

    async def stop(self, *, drain: bool) -> None:
        """Nothing to end; with `drain`, wait for active requests."""
        if drain:
            await self._drain(self._dispatcher)
        self._dispatcher = self._old = None

    def logs(self, container: str, lines: int) -> str:
        """A fixed text which explains that there are no logs."""
        return "Instance status:\nUserContainerStart: Succeeded\n\nContainer logs:\nThis deployment is simulated.\n"

    def instances(self) -> list[tuple[int, int | None, bool]]:
        """Number, process id (none) and readiness of each."""
        count = len(self._dispatcher.backends) if self._dispatcher is not None else 0
        return [(number, None, True) for number in range(count)]

    def status(self) -> dict[str, Any]:
        """The same values as for a real deployment."""
        return {
            "state": "serving" if self._dispatcher is not None else "starting",
            "simulated": True,
            "instances": [
                {"number": number, "pid": pid, "ready": ready, "restarts": 0} for number, pid, ready in self.instances()
            ],
            "in_flight": self._dispatcher.in_flight if self._dispatcher is not None else 0,
        }

    async def _drain(self, dispatcher: Dispatcher | None) -> None:
        patience = self.spec.request_timeout_seconds if self.spec is not None else 0.0
        deadline = asyncio.get_running_loop().time() + patience
        while dispatcher is not None and dispatcher.in_flight and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_POLL_SECONDS)

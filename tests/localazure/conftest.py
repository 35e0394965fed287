"""A data plane without processes, and a whole local Azure around it in a thread, for tests with real clients."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from localazure import identity
from localazure.arm.control_plane import Options
from localazure.batch.specification import BatchResult, BatchSpec
from localazure.scoring.specification import DeploymentFailed, DeploymentSpec, EndpointRouting
from localazure.server import JobRunner, Server
from tests.localazure.existing_versions import existing_version
from tests.waiting import HANGS


class FakePlane:
    """A data plane without processes: it records the calls of the control plane."""

    def __init__(self) -> None:
        self.deployed: dict[tuple[str, str], DeploymentSpec] = {}
        self.routing: dict[str, EndpointRouting] = {}
        self.calls: list[str] = []
        self.failure: DeploymentFailed | None = None
        self.gate: asyncio.Event | None = None
        """While set and not opened, what is done to deployments waits for it."""

    async def start(self) -> None:
        self.calls.append("start")

    async def close(self) -> None:
        self.calls.append("close")

    async def deploy(self, spec: DeploymentSpec) -> None:
        self.calls.append(f"deploy {spec.endpoint}/{spec.deployment}")
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.deployed[spec.endpoint, spec.deployment] = spec

    async def scale(self, endpoint: str, deployment: str, instance_count: int) -> None:
        self.calls.append(f"scale {endpoint}/{deployment} {instance_count}")

    async def remove(self, endpoint: str, deployment: str) -> None:
        self.calls.append(f"remove {endpoint}/{deployment}")
        if self.gate is not None:
            await self.gate.wait()
        self.deployed.pop((endpoint, deployment), None)

    def route(self, routing: EndpointRouting) -> None:
        self.routing[routing.endpoint] = routing

    def unroute(self, endpoint: str) -> None:
        self.calls.append(f"unroute {endpoint}")
        self.routing.pop(endpoint, None)

    async def logs(self, endpoint: str, deployment: str, container: str, tail: int) -> str:
        return f"{container} of {endpoint}/{deployment}, last {tail}"

    def routes(self) -> list[web.RouteDef]:
        return []

    def status(self) -> dict[str, Any]:
        return {}

    def observe(self, observer: Callable[[Any], None]) -> None:
        """Nothing is served."""

    def running(self) -> list[Any]:
        return []

    def connections(self) -> dict[str, int]:
        return {}


class FakeBatch:
    """A runner of batch jobs without processes: it remembers them; the output of each is the names of its inputs."""

    def __init__(self) -> None:
        self.jobs: list[BatchSpec] = []
        self.failure: DeploymentFailed | None = None
        self.gate: asyncio.Event | None = None
        """While set and not opened, jobs wait for it."""

    async def start(self) -> None:
        """Nothing was left behind."""

    async def run(self, spec: BatchSpec, started: Callable[[], None]) -> BatchResult:
        started()
        self.jobs.append(spec)
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        output = Path(tempfile.mkdtemp())
        (output / spec.output_file_name).write_text("".join(f"{path.name}\n" for path in spec.inputs))
        return BatchResult(output, 0)


class LocalAzure:
    """A running server, and what a client needs to find it."""

    def __init__(self, home: Path, plane: FakePlane, batch: JobRunner | None = None, **options: Any) -> None:
        self.home = home
        self.plane = plane
        self._server = Server(home, 0, plane, batch or FakeBatch(), Options(**options))
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        if not self._ready.wait(HANGS):
            raise RuntimeError(f"the local Azure was not ready after {HANGS} s")
        document = json.loads((home / "server.json").read_text())
        self.https, self.http = document["https"], document["http"]

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.run(ready=lambda url: self._ready.set())

    def close(self) -> None:
        """Stop, as SIGTERM does; a second time does nothing."""
        assert self._loop is not None
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._server.stop)
            self._thread.join(HANGS)

    @property
    def trust(self) -> str:
        return str(self.home / "bundle.pem")

    def environment(self) -> dict[str, str]:
        """What points unmodified clients of a child process here."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("AZURE", "ARM_"))}
        return inherited | {
            "ARM_CLOUD_METADATA_URL": f"{self.https}/metadata/endpoints?api-version=2019-05-01",
            "AZUREML_CURRENT_CLOUD": identity.CLOUD_NAME,
            "REGISTRY_DISCOVERY_ENDPOINT_URL": f"{self.https}/",
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "IDENTITY_ENDPOINT": f"{self.http}/msi/token",
            "IDENTITY_HEADER": "local",
            "NO_PROXY": "localhost,127.0.0.1",
            "REQUESTS_CA_BUNDLE": self.trust,
            "SSL_CERT_FILE": self.trust,
        }

    def shift_clock(self, seconds: float) -> None:
        """From now on the server lives so much later, or earlier."""
        assert self._server._plane is not None
        self._server._plane.clock = lambda: time.time() + seconds

    def observe(self, request: Any) -> None:
        """Count a request as if the data plane had served it."""
        assert self._loop is not None
        assert self._server._plane is not None
        self._loop.call_soon_threadsafe(self._server._plane.metrics.observe, request)

    def request(self, method: str, path: str, body: Any = None, version: str = "") -> Any:
        """Plain HTTPS with a bearer token; without a version, with one that exists."""
        import requests  # slow to import, and only these tests need it

        return requests.request(
            method,
            self.https + path,
            params={"api-version": version or existing_version(path)},
            json=body,
            headers={"Authorization": "Bearer x"},
            verify=self.trust,
            timeout=HANGS,
        )


@pytest.fixture(scope="session")
def make_plane() -> Callable[[], FakePlane]:
    return FakePlane


@pytest.fixture(scope="module")
def shared_azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAzure]:
    """One running server for all tests of a module, its environment set: their resources must not meet."""
    azure = LocalAzure(tmp_path_factory.mktemp("azure"), FakePlane())
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AZURE", "ARM_"))]:
            patch.delenv(name)
        for name, value in azure.environment().items():
            patch.setenv(name, value)
        yield azure
    azure.close()


@pytest.fixture
def start_local_azure(tmp_path: Path) -> Iterator[Callable[..., LocalAzure]]:
    """A factory for running servers; they end with the test."""
    started: list[LocalAzure] = []

    def start(plane: FakePlane | None = None, **options: Any) -> LocalAzure:
        started.append(LocalAzure(tmp_path / f"home{len(started)}", plane or FakePlane(), **options))
        return started[-1]

    yield start
    for server in started:
        server.close()

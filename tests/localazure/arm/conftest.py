"""An ARM client without sockets: requests go through the HTTP handler in this process."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from aiohttp import HttpVersion11, web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import StreamReader
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from localazure import identity
from localazure.arm.control_plane import ControlPlane, Options
from localazure.arm.namespaces import every_behaviour
from localazure.arm.service import ArmService
from localazure.resource_id import ResourceId
from tests.localazure.conftest import FakeBatch
from tests.localazure.existing_versions import ML_VERSION, existing_version
from tests.localazure.platform_bodies import GROUP, MANAGED, PROVIDERS, SUBSCRIPTION, WORKSPACE
from tests.virtual_time import VirtualTimeLoop
from tests.waiting import HANGS

STORAGE = f"{PROVIDERS}/Microsoft.Storage/storageAccounts/stacc1"
VAULT = f"{PROVIDERS}/Microsoft.KeyVault/vaults/kv1"
INSIGHTS = f"{PROVIDERS}/Microsoft.Insights/components/ai1"
REGISTRY = f"{PROVIDERS}/Microsoft.ContainerRegistry/registries/acr1"
IDENTITY = f"{PROVIDERS}/Microsoft.ManagedIdentity/userAssignedIdentities/uai1"
ENDPOINT = f"{WORKSPACE}/onlineEndpoints/fraud-dev"
BLUE = f"{ENDPOINT}/deployments/blue"
GREEN = f"{ENDPOINT}/deployments/green"
LOCATION = "westeurope"
BLOB_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"

# Stands for the parts of a request that nothing reads; one for all requests, because a mock takes milliseconds to make.
UNUSED = mock.Mock(_reading_paused=False)


@dataclass
class Answer:
    """What ARM said."""

    status: int
    body: Any
    headers: dict[str, str]
    text: str

    @property
    def error(self) -> dict[str, Any]:
        return self.body["error"]

    @property
    def code(self) -> str:
        return self.error["code"]

    @property
    def properties(self) -> dict[str, Any]:
        return self.body["properties"]


class LocalArm:
    """One control plane on its own event loop; operations run when `settle` is called, or with `put`/`delete`."""

    def __init__(self, home: Path, make_plane: Callable[[], Any], **options: Any) -> None:
        self.home = home
        self.options = Options(**options)
        self.loop = VirtualTimeLoop()  # operations that take half a second end at once
        self.now = 1_800_000_000.0
        self._make_plane = make_plane
        self.scoring, self.batch = make_plane(), FakeBatch()
        self._start()

    def _start(self) -> None:
        self.plane = ControlPlane(
            self.home,
            "https://localhost:1",
            self.scoring,
            self.batch,
            every_behaviour,
            options=self.options,
            clock=self._clock,
        )
        self.service = ArmService(self.plane)
        self.loop.run_until_complete(self._begin())

    async def _begin(self) -> None:
        self.plane.start()

    def _clock(self) -> float:
        self.now += 0.001
        return self.now

    def restart(self) -> None:
        """As after kill -9: a new process on the same files, with an empty data plane."""
        self.loop.run_until_complete(self.plane.stop())
        self.plane.close()
        self.scoring, self.batch = self._make_plane(), FakeBatch()
        self._start()

    def close(self) -> None:
        self.loop.run_until_complete(self.plane.stop())
        self.plane.close()
        self.loop.close()

    def settle(self) -> None:
        """Let operations go on until they end or a test holds one.

        What they do in threads may take its time on a slow machine; all else takes none, so the wait for something that
        never comes fails within seconds.
        """

        async def spin() -> None:
            for _ in range(20):
                await asyncio.sleep(0)
            end, virtual_end = time.monotonic() + HANGS, self.loop.time() + HANGS
            while not self._is_held() and (running := self.plane.store.running_operations()):
                if self.loop.waits_for_threads:
                    virtual_end = self.loop.time() + HANGS
                late = time.monotonic() > end or self.loop.time() > virtual_end
                assert not late, f"these operations do not end: {', '.join(one['kind'] for one in running)}"
                await asyncio.sleep(0.005)

        self.loop.run_until_complete(spin())

    def _is_held(self) -> bool:
        return any(gate is not None and not gate.is_set() for gate in (self.scoring.gate, self.batch.gate))

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        version: str | None = ML_VERSION,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        return self.loop.run_until_complete(self._request(method, path, body, version, headers))

    async def _request(
        self, method: str, path: str, body: Any, version: str | None, headers: dict[str, str] | None
    ) -> Answer:
        if version and "api-version=" not in path:
            version = existing_version(path, version) if version == ML_VERSION else version
            path += ("&" if "?" in path else "?") + f"api-version={version}"
        payload = StreamReader(UNUSED, limit=1 << 24, loop=self.loop)
        if body is not None:
            payload.feed_data(body if isinstance(body, bytes) else json.dumps(body).encode())
        payload.feed_eof()
        sent = {"Authorization": "Bearer x"} if headers is None else headers
        response = await self.service.handle(self._http(method, path, sent, payload))
        text = response.text or ""
        return Answer(response.status, json.loads(text) if text else None, dict(response.headers), text)

    def _http(self, method: str, path: str, headers: dict[str, str], payload: StreamReader) -> web.Request:
        """Like aiohttp's `make_mocked_request`, which makes new mocks for every request."""
        sent = CIMultiDictProxy(CIMultiDict(headers))
        raw = tuple((name.encode(), value.encode()) for name, value in headers.items())
        message = RawRequestMessage(method, path, HttpVersion11, sent, raw, False, None, False, False, URL(path))
        return web.Request(message, payload, UNUSED, UNUSED, UNUSED, self.loop, client_max_size=1 << 20)

    def get(self, path: str, **more: Any) -> Answer:
        return self.request("GET", path, **more)

    def put(self, path: str, body: Any, **more: Any) -> Answer:
        """PUT, then let its operation run."""
        answer = self.request("PUT", path, body, **more)
        self.settle()
        return answer

    def delete(self, path: str, **more: Any) -> Answer:
        answer = self.request("DELETE", path, **more)
        self.settle()
        return answer

    def erase(self, path: str) -> None:
        """Delete, and free the name if the service keeps it for a while."""
        self.delete(path)
        self.plane.store.forget_soft_deleted(path, ResourceId(path).type)

    def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        answer = self.request("POST", path, body, **more)
        self.settle()
        return answer

    def poll(self, answer: Answer, header: str = "Azure-AsyncOperation") -> Answer:
        return self.get(answer.headers[header].removeprefix("https://localhost:1"))

    # What tests need again and again

    def make_group(self) -> None:
        assert self.put(GROUP, {"location": LOCATION}).status in (200, 201)

    def make_platform(self) -> None:
        """What a workspace refers to, and its group."""
        self.make_group()
        self.put(STORAGE, {"location": LOCATION, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"})
        vault = {"tenantId": identity.TENANT_ID, "sku": {"family": "A", "name": "standard"}}
        self.put(VAULT, {"location": LOCATION, "properties": vault})
        self.put(INSIGHTS, {"location": LOCATION, "kind": "web", "properties": {}})
        self.put(REGISTRY, {"location": LOCATION, "sku": {"name": "Premium"}})

    def make_workspace(self, **properties: Any) -> None:
        self.make_platform()
        references = {
            "storageAccount": STORAGE,
            "keyVault": VAULT,
            "applicationInsights": INSIGHTS,
            "containerRegistry": REGISTRY,
        }
        body = {"location": LOCATION, "identity": {"type": "SystemAssigned"}, "properties": references | properties}
        assert self.put(WORKSPACE, body).status == 202

    def put_endpoint(self, path: str = ENDPOINT, **properties: Any) -> Answer:
        body = {
            "location": LOCATION,
            "identity": {"type": "SystemAssigned"},
            "properties": {"authMode": "Key"} | properties,
        }
        return self.put(path, body)

    def put_deployment(self, path: str = BLUE, capacity: int = 1, **properties: Any) -> Answer:
        body = {
            "location": LOCATION,
            "properties": MANAGED | properties,
            "sku": {"name": "Default", "capacity": capacity},
        }
        return self.put(path, body)

    def make_serving_endpoint(self) -> None:
        """Blue at 90, green at 10."""
        self.make_workspace()
        self.put_endpoint()
        self.put_deployment(BLUE)
        self.put_deployment(GREEN)
        assert self.put_endpoint(traffic={"blue": 90, "green": 10}).status == 201

    def grant(self, principal: str, scope: str, role: str) -> Answer:
        name = f"00000000-0000-4000-8000-{abs(hash((principal, scope, role))) % 10**12:012d}"
        definition = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}"
        body = {"properties": {"principalId": principal, "roleDefinitionId": definition}}
        return self.put(f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}", body)


@pytest.fixture(scope="module")
def management(shared_azure: Any) -> Iterator[Any]:
    """Management clients of Azure for a module's running server, with a resource group."""
    from tests.localazure.arm.management import Management  # imports the SDK, which only few tests need

    clients = Management(shared_azure)
    yield clients
    clients.close()


@pytest.fixture
def arm(tmp_path: Path, make_plane: Callable[[], Any]) -> Iterator[LocalArm]:
    local = LocalArm(tmp_path, make_plane)
    yield local
    local.close()


@pytest.fixture
def arm_with(tmp_path: Path, make_plane: Callable[[], Any]) -> Iterator[Any]:
    """A factory for a control plane with options."""
    made: list[LocalArm] = []

    def make(**options: Any) -> LocalArm:
        made.append(LocalArm(tmp_path, make_plane, **options))
        return made[-1]

    yield make
    for local in made:
        local.close()

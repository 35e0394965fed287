"""A local Azure with simulated compute as a process of its own, and what a test needs to fill it."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localazure import identity
from tests.localazure.existing_versions import existing_version
from tests.localazure.platform_bodies import MANAGED
from tests.localazure.server_command import server_command
from tests.waiting import HANGS, wait_until

ROOT = Path(__file__).parents[3]
GROUP = f"/subscriptions/{identity.SUBSCRIPTION_ID}/resourceGroups/rg1"
PROVIDERS = f"{GROUP}/providers"
WORKSPACE = f"{PROVIDERS}/Microsoft.MachineLearningServices/workspaces/ws1"
LOGS = f"{PROVIDERS}/Microsoft.OperationalInsights/workspaces/la1"
LOCATION = {"location": "westeurope"}


class Azure:
    """The running process, with verbs of a caller."""

    def __init__(self, home: Path, *flags: str) -> None:
        import requests  # slow to import, and only integration tests need it

        self.home = home
        command = server_command(home, *flags)
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert "ready" in self.process.stdout.readline()
        document = json.loads((home / "server.json").read_text())
        self.https, self.http = document["https"], document["http"]
        self._session = requests.Session()
        self._session.trust_env = False
        self.keys: dict[str, str] = {}

    def close(self) -> None:
        self._session.close()
        self.process.terminate()
        self.process.wait(HANGS)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def arm(self, method: str, path: str, body: Any = None) -> Any:
        """An ARM request that succeeds, and the end of its operation."""
        answer = self._session.request(
            method,
            self.http + path,
            params={"api-version": existing_version(path)},
            json=body,
            headers={"Authorization": "Bearer x"},
            timeout=HANGS,
        )
        assert answer.ok, answer.text
        if method in ("PUT", "PATCH"):
            wait_until(lambda: self.arm("GET", path)["properties"].get("provisioningState", "Succeeded") == "Succeeded")
        return answer.json() if answer.content else None

    def make_workspace(self) -> None:
        storage, vault = (
            f"{PROVIDERS}/Microsoft.Storage/storageAccounts/st1",
            f"{PROVIDERS}/Microsoft.KeyVault/vaults/kv1",
        )
        insights = f"{PROVIDERS}/Microsoft.Insights/components/ai1"
        self._session.put(
            f"{self.http}{GROUP}?api-version=2024-03-01", json=LOCATION, headers={"Authorization": "Bearer x"}
        )
        self.arm("PUT", storage, LOCATION | {"sku": {"name": "Standard_LRS"}, "kind": "StorageV2"})
        access = {"tenantId": identity.TENANT_ID, "sku": {"family": "A", "name": "standard"}}
        self.arm("PUT", vault, LOCATION | {"properties": access})
        self.arm("PUT", insights, LOCATION | {"kind": "web", "properties": {}})
        self.arm("PUT", LOGS, LOCATION | {"properties": {}})
        references = {"storageAccount": storage, "keyVault": vault, "applicationInsights": insights}
        self.arm("PUT", WORKSPACE, LOCATION | {"identity": {"type": "SystemAssigned"}, "properties": references})

    def serve(self, name: str, traffic: dict[str, int], mirror: dict[str, int] | None = None, **colours: int) -> str:
        """An endpoint with so many instances of each colour; returns its id."""
        endpoint = f"{WORKSPACE}/onlineEndpoints/{name}"
        body = LOCATION | {"identity": {"type": "SystemAssigned"}, "properties": {"authMode": "Key"}}
        self.arm("PUT", endpoint, body)
        for colour, count in colours.items():
            properties = MANAGED | {"requestSettings": {"maxConcurrentRequestsPerInstance": 20}}
            deployment = LOCATION | {"sku": {"name": "Default", "capacity": count}, "properties": properties}
            self.arm("PUT", f"{endpoint}/deployments/{colour}", deployment)
        weights = {"traffic": traffic, "mirrorTraffic": mirror or {}}
        self.arm("PUT", endpoint, body | {"properties": {"authMode": "Key"} | weights})
        self.keys[name] = self.arm("POST", f"{endpoint}/listKeys")["primaryKey"]
        return endpoint

    def score(self, name: str, *, key: str | None = None, **headers: str) -> Any:
        """One scoring request."""
        sent = {"Authorization": f"Bearer {key or self.keys[name]}", "Content-Type": "application/json"} | headers
        return self._session.post(f"{self.http}/endpoints/{name}/score", data=b"[1]", headers=sent, timeout=HANGS)

    def load(self, name: str, until: Callable[[], bool]) -> None:
        """Requests one after another until something holds."""
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(wait_until, until)
            while not waiting.done():
                assert self.score(name).status_code == 200
                time.sleep(0.005)
            waiting.result()


@pytest.fixture(scope="module")
def azure(tmp_path_factory) -> Iterator[Azure]:
    """One local Azure for all tests of a module, where autoscale's minutes are seconds."""
    running = Azure(tmp_path_factory.mktemp("home"), "--compute", "simulated", "--autoscale-speed", "60")
    try:
        running.make_workspace()
        yield running
    finally:
        running.close()


@pytest.fixture
def start_azure() -> Iterator[Callable[..., Azure]]:
    """Starts local Azures with a home and flags; all are ended after the test."""
    with contextlib.ExitStack() as running:

        def start(home: Path, *flags: str) -> Azure:
            azure = Azure(home, *flags)
            running.callback(azure.close)
            return azure

        yield start

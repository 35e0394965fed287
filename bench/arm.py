"""Resource Manager over plain HTTP for benchmarks: an asynchronous client, a workspace, the assets of a model."""

import asyncio
import json
from typing import Any

import aiohttp

SUBSCRIPTION = "/subscriptions/00000000-0000-4000-8000-000000000001"
GROUP = f"{SUBSCRIPTION}/resourceGroups/bench"
PROVIDERS = f"{GROUP}/providers"
WORKSPACE = f"{PROVIDERS}/Microsoft.MachineLearningServices/workspaces/bench"
HERE = {"location": "westeurope"}
CONDA = "dependencies:\n- python=3.11\n- pip:\n  - azureml-inference-server-http==1.5.1\n"
VERSIONS = {
    "microsoft.storage": "2024-01-01",
    "microsoft.keyvault": "2024-11-01",
    "microsoft.insights": "2020-02-02",
    "microsoft.managedidentity": "2024-11-30",
    "microsoft.machinelearningservices": "2024-04-01",
}
"""An api-version that exists, by namespace."""
GROUP_VERSION = "2024-03-01"
POLL_SECONDS = 0.05
BLOB = {"x-ms-version": "2021-12-02", "x-ms-blob-type": "BlockBlob"}


def _version(path: str) -> dict[str, str]:
    namespace = path.lower().rpartition("/providers/")[2].partition("/")[0]
    return {"api-version": VERSIONS.get(namespace, GROUP_VERSION)}


class Refused(Exception):
    """ARM answered with an error, or an operation failed."""


class Arm:
    """One client of one local Azure."""

    def __init__(self, session: aiohttp.ClientSession, http: str) -> None:
        self.session = session
        self.http = http

    async def call(self, method: str, path: str, body: Any = None) -> tuple[Any, str]:
        """Return the response body and the path of the operation that the request started, if any."""
        headers = {"Authorization": "Bearer bench"}
        async with self.session.request(
            method, self.http + path, params=_version(path), json=body, headers=headers
        ) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise Refused(f"{method} {path}: {answer.status} {text}")
            url = answer.headers.get("Azure-AsyncOperation") or answer.headers.get("Location", "")
            operation = "/subscriptions/" + url.partition("/subscriptions/")[2].partition("?")[0] if url else ""
            return (json.loads(text) if text else None), operation

    async def finish(self, method: str, path: str, body: Any = None) -> Any:
        """Return the response body after the operation has ended."""
        document, operation = await self.call(method, path, body)
        while operation and "perations" in operation.rsplit("/", 2)[-2]:
            status, _ = await self.call("GET", operation)
            if not status or status.get("status") not in ("Updating", "InProgress", "Running"):
                break
            await asyncio.sleep(POLL_SECONDS)
        if operation and isinstance(status, dict) and status.get("status") == "Failed":
            raise Refused(f"{method} {path}: {status['error']['code']} {status['error']['message']}")
        return document

    async def create_workspace(self) -> None:
        """Create a workspace and the resources it needs."""
        await self.call("PUT", GROUP, HERE)
        storage = f"{PROVIDERS}/Microsoft.Storage/storageAccounts/benchaccount"
        vault = f"{PROVIDERS}/Microsoft.KeyVault/vaults/bench"
        insights = f"{PROVIDERS}/Microsoft.Insights/components/bench"
        await self.call("PUT", storage, HERE | {"sku": {"name": "Standard_LRS"}, "kind": "StorageV2"})
        tenant = {"tenantId": SUBSCRIPTION.rsplit("/", 1)[1], "sku": {"family": "A", "name": "standard"}}
        await self.call("PUT", vault, HERE | {"properties": tenant})
        await self.call("PUT", insights, HERE | {"properties": {}})
        references = {"storageAccount": storage, "keyVault": vault, "applicationInsights": insights}
        await self.finish("PUT", WORKSPACE, HERE | {"identity": {"type": "SystemAssigned"}, "properties": references})

    async def create_model(self, script: str, base_url: str) -> dict[str, Any]:
        """Upload a scoring script; returns the properties of a deployment that runs it."""
        headers = BLOB | {"Authorization": "Bearer bench"}
        for path, data in (("box?restype=container", b""), ("box/code/score.py", script.encode())):
            async with self.session.put(f"{self.http}/benchaccount/{path}", data=data, headers=headers) as answer:
                if answer.status != 201:
                    raise Refused(await answer.text())
        code, environment = f"{WORKSPACE}/codes/score/versions/1", f"{WORKSPACE}/environments/bench/versions/1"
        await self.call("PUT", code, {"properties": {"codeUri": f"{base_url}/benchaccount/box/code"}})
        await self.call("PUT", environment, {"properties": {"condaFile": CONDA, "image": "bench"}})
        return {
            "endpointComputeType": "Managed",
            "instanceType": "Standard_DS3_v2",
            "environmentId": environment,
            "codeConfiguration": {"codeId": code, "scoringScript": "score.py"},
        }

"""A client of a running local Azure for the tests of recorded facts, and the local Azure that they share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localazure import identity
from tests.localazure.conftest import FakePlane, LocalAzure
from tests.waiting import HANGS, wait_until

OLD, FIRST, NEW = "2022-02-01-preview", "2022-05-01", "2024-04-01"
GROUPS, ACCOUNTS, VAULTS, IDENTITIES = "2024-03-01", "2023-05-01", "2023-07-01", "2023-01-31"  # of these types
GROUP = f"/subscriptions/{identity.SUBSCRIPTION_ID}/resourceGroups/rg1"
PROVIDERS = f"{GROUP}/providers"
ML = f"{PROVIDERS}/Microsoft.MachineLearningServices/workspaces"
WORKSPACE = f"{ML}/ws1"
STORAGE = f"{PROVIDERS}/Microsoft.Storage/storageAccounts/stacc1"
VAULT = f"{PROVIDERS}/Microsoft.KeyVault/vaults/kv1"
UAI = f"{PROVIDERS}/Microsoft.ManagedIdentity/userAssignedIdentities/uai1"
HERE = {"location": "westus"}
SYSTEM = {"identity": {"type": "SystemAssigned"}}
REFERENCES = {"storageAccount": STORAGE, "keyVault": VAULT}
KUBERNETES = f"{WORKSPACE}/computes/k8s"


class Client:
    """Requests with an api-version; `done` waits for the operation that an answer began."""

    def __init__(self, azure: LocalAzure) -> None:
        import requests  # slow to import

        self._azure = azure
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = azure.trust
        self._session.headers["Authorization"] = "Bearer x"
        self.https = azure.https

    def call(self, method: str, path: str, body: Any = None, version: str = NEW, **query: str) -> Any:
        url = path if path.startswith("https://") else self.https + path
        params = query if "api-version=" in url else {"api-version": version, **query}
        return self._session.request(method, url, params=params, json=body, timeout=HANGS)

    def get(self, path: str, version: str = NEW, **query: str) -> Any:
        return self.call("GET", path, None, version, **query)

    def done(self, method: str, path: str, body: Any = None, version: str = NEW) -> Any:
        """A request and the end of its operation; returns the first answer."""
        answer = self.call(method, path, body, version)
        assert answer.status_code < 300, answer.text
        self.wait(answer)
        return answer

    def wait(self, answer: Any) -> Any:
        """The last poll of an operation."""
        url = answer.headers.get("Azure-AsyncOperation") or answer.headers.get("Location", "")
        if "Operation" not in url:
            return answer
        polls: list[Any] = []

        def has_ended() -> bool:
            polls[:] = [self.get(url)]
            (poll,) = polls
            status = poll.json().get("status") if poll.text and poll.status_code == 200 else None
            return poll.status_code != 202 and status not in ("Updating", "InProgress")

        wait_until(has_ended, f"{url} does not end")
        return polls[0]

    def shown(self, path: str, version: str = NEW) -> Any:
        answer = self.get(path, version)
        assert answer.status_code == 200, answer.text
        return answer.json()


def start(home: Path) -> Iterator[Client]:
    """A local Azure with a workspace, until the iterator is closed."""
    server = LocalAzure(home, FakePlane())
    client = Client(server)
    client.done("PUT", GROUP, HERE, GROUPS)
    client.done("PUT", STORAGE, HERE | {"sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}, ACCOUNTS)
    vault = {"tenantId": identity.TENANT_ID, "sku": {"family": "A", "name": "standard"}}
    client.done("PUT", VAULT, HERE | {"properties": vault}, VAULTS)
    client.done("PUT", UAI, HERE, IDENTITIES)
    client.done("PUT", WORKSPACE, HERE | SYSTEM | {"properties": REFERENCES})
    client.done("PUT", KUBERNETES, HERE | {"properties": {"computeType": "Kubernetes", "properties": {}}})
    yield client
    server.close()

"""An Azure without a network: one function answers urllib's and requests' calls of this process.

Resource Manager, tokens, scoring and blobs answer as they should, until a test gives one area a trouble: another
answer, or an exception of the kind that a broken connection raises.
"""

from __future__ import annotations

import http.client
import io
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import urllib3

from naming import Names

ARM = "https://arm.test"
SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-shop-dev"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/mlw-shop-dev"
ENDPOINT = f"{WORKSPACE}/onlineEndpoints/fraud-live"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/stshop"
LOGS = f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/log-shop-dev"
VAULT = Names(team="shop", stack="dev", subscription_id=SUBSCRIPTION).key_vault
KEPT = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/{VAULT}"
SCORE = "https://scoring.test/score"
BLOB = "https://stshop.blob.test"
CREDENTIAL = "k" * 32


@dataclass(frozen=True)
class Answer:
    """What comes back; a body that `breaks` ends before it is whole."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    breaks: bool = False


def as_json(document: Any, status: int = 200) -> Answer:
    """An answer in JSON."""
    return Answer(status, json.dumps(document).encode(), {"Content-Type": "application/json"})


GOOD: Mapping[str, Answer] = {
    "metadata": as_json({"name": "Test", "resourceManager": f"{ARM}/"}),
    "token": as_json({"access_token": "t", "expires_in": 3600, "expires_on": 4102444800, "token_type": "Bearer"}),
    "subscription": as_json({"id": f"/subscriptions/{SUBSCRIPTION}", "subscriptionId": SUBSCRIPTION}),
    "group": as_json({"id": GROUP, "tags": {"sluice:stack": "dev", "sluice:team": "shop"}}),
    "workspace": as_json(
        {"id": WORKSPACE, "name": "mlw-shop-dev", "properties": {"storageAccount": ACCOUNT, "workspaceId": "guid"}}
    ),
    "datastore": as_json({"properties": {"accountName": "stshop", "containerName": "azureml"}}),
    "account": as_json({"properties": {"primaryEndpoints": {"blob": f"{BLOB}/"}, "publicNetworkAccess": "Enabled"}}),
    "endpoint": as_json({"id": ENDPOINT, "properties": {"scoringUri": SCORE, "authMode": "Key"}}),
    "endpoints": as_json({"value": [{"name": "fraud-live"}]}),
    "keys": as_json({"primaryKey": CREDENTIAL, "secondaryKey": CREDENTIAL}),
    "deployment": as_json({"name": "blue", "properties": {"provisioningState": "Succeeded"}}),
    "deployments": as_json({"value": [{"name": "blue"}]}),
    "logs": as_json({"content": "the log"}),
    "computes": as_json({"value": []}),
    "usages": as_json(
        {"value": [{"name": {"value": "standardDSv2Family"}, "currentValue": 0, "limit": 100, "id": "/", "type": ""}]}
    ),
    "listed": as_json({"value": []}),
    "resources": as_json({"value": []}),
    "kept vault": as_json({"properties": {"scheduledPurgeDate": "2027-02-25T00:00:00Z"}}),
    "purge": Answer(202, b"", {"Location": f"{ARM}/operation"}),
    "operation": Answer(204),
    "log analytics": Answer(200),
    "score": as_json([1]),
    "blob": Answer(200, b"", {"Content-Length": "0"}),
}
"""Every area of this Azure, as it answers when nothing is wrong."""

PATHS: Mapping[str, str] = {
    f"/subscriptions/{SUBSCRIPTION}": "subscription",
    GROUP: "group",
    WORKSPACE: "workspace",
    f"{WORKSPACE}/datastores/workspaceblobstore": "datastore",
    ACCOUNT: "account",
    ENDPOINT: "endpoint",
    f"{WORKSPACE}/onlineEndpoints": "endpoints",
    f"{ENDPOINT}/listKeys": "keys",
    f"{ENDPOINT}/deployments": "deployments",
    f"{ENDPOINT}/deployments/blue": "deployment",
    f"{ENDPOINT}/deployments/blue/getLogs": "logs",
    f"{WORKSPACE}/computes": "computes",
    f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.MachineLearningServices/locations/westeurope/usages": "usages",
    f"/subscriptions/{SUBSCRIPTION}/resources": "listed",
    f"{GROUP}/resources": "resources",
    LOGS: "log analytics",
    KEPT: "kept vault",
    f"{KEPT}/purge": "purge",
    "/operation": "operation",
    "/metadata": "metadata",
    "/token": "token",
}


def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that lead every client here."""
    variables = {
        "ARM_CLOUD_METADATA_URL": f"{ARM}/metadata",
        "ARM_SUBSCRIPTION_ID": SUBSCRIPTION,
        "IDENTITY_ENDPOINT": f"{ARM}/token",
        "IDENTITY_HEADER": "x",
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for name in ("AZUREML_CURRENT_CLOUD", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "SLUICE_LOCAL_ARM"):
        monkeypatch.delenv(name, raising=False)


class AzureThatAnswers:
    """Takes the place of the network in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trouble: dict[str, Answer | Exception] = {}
        self.asked: list[str] = []
        environment(monkeypatch)
        monkeypatch.setattr(urllib.request, "urlopen", self._urlopen)
        monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", self._adapter())

    def answer(self, url: str) -> Answer:
        """The answer to a request. Raises what a broken connection raises."""
        parts = urlsplit(url)
        place = {"scoring.test": "score", "stshop.blob.test": "blob"}.get(parts.netloc)
        area = place or PATHS.get(parts.path, "unknown")
        self.asked.append(area)
        found = (
            self.trouble.get(area) or GOOD.get(area) or as_json({"error": {"code": "NotFound", "message": "no"}}, 404)
        )
        if isinstance(found, Exception):
            raise found
        return found

    def _urlopen(
        self, request: urllib.request.Request, *, timeout: float, context: ssl.SSLContext | None = None
    ) -> _Response:
        try:
            answer = self.answer(request.full_url)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and not isinstance(error, TimeoutError):
                raise urllib.error.URLError(error) from error
            raise
        headers = Message()
        for name, value in answer.headers.items():
            headers[name] = value
        response = _Response(answer)
        if answer.status >= 300:
            raise urllib.error.HTTPError(request.full_url, answer.status, "reason", headers, response)
        return response

    def _adapter(self) -> Any:
        def send(adapter: Any, request: requests.PreparedRequest, **_: Any) -> requests.Response:
            try:
                answer = self.answer(str(request.url))
            except TimeoutError as error:
                raise requests.exceptions.ReadTimeout(str(error)) from error
            except (OSError, http.client.HTTPException) as error:
                raise requests.exceptions.ConnectionError(str(error)) from error
            body = urllib3.HTTPResponse(
                io.BytesIO(answer.body), headers=dict(answer.headers), status=answer.status, preload_content=False
            )
            found: requests.Response = adapter.build_response(request, body)
            return found

        return send


class _Response(io.BytesIO):
    """What urlopen returns, and what an HTTPError reads from."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body)
        self.status = answer.status
        self.headers = answer.headers
        self._breaks = answer.breaks

    def read(self, size: int | None = -1) -> bytes:
        """The body. Raises IncompleteRead when the connection breaks before its end."""
        if self._breaks:
            raise http.client.IncompleteRead(self.getvalue())
        return super().read(size)

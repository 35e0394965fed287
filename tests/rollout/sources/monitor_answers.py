"""Answers of Azure Monitor in the shape of its route through Resource Manager, and a network that gives them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import HttpTransport
from azure.core.rest import HttpRequest

from resource_manager.client import ArmClient
from rollout.sources.azure_monitor import ArmMetricsRoute, AzureMonitor

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
ENDPOINT = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg1/providers/Microsoft.MachineLearningServices/workspaces/ws1"
    "/onlineEndpoints/fraud"
)
START = 1_795_874_400  # a full minute

Rows = Sequence[tuple[Mapping[str, str], Mapping[int, float | None]]]
"""Labels of a series, and its values by start."""


def moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def metric(name: str, rows: Rows, code: str = "Success") -> dict[str, Any]:
    """One metric of an answer; a value of None is a point without an aggregation, as Azure writes it."""
    return {
        "id": f"{ENDPOINT}/providers/Microsoft.Insights/metrics/{name}",
        "type": "Microsoft.Insights/metrics",
        "name": {"value": name, "localizedValue": name},
        "unit": "Count",
        "errorCode": code,
        "timeseries": [
            {
                "metadatavalues": [
                    {"name": {"value": label.lower(), "localizedValue": label.lower()}, "value": value}
                    for label, value in labels.items()
                ],
                "data": [
                    {"timeStamp": moment(start)} | ({} if value is None else {"average": value})
                    for start, value in values.items()
                ],
            }
            for labels, values in rows
        ],
    }


def definitions(grains: Mapping[str, str], dimensions: Sequence[str] = ("deployment", "statusCode", "modelStatusCode")):
    return {
        "value": [
            {
                "name": {"value": "RequestsPerMinute"},
                "metricAvailabilities": [{"timeGrain": grain, "retention": reach} for grain, reach in grains.items()],
                "dimensions": [{"value": name} for name in dimensions],
            }
        ]
    }


class _Response:
    """What azure-core's pipeline reads of a response."""

    def __init__(self, request: HttpRequest, status: int, body: Any, headers: Mapping[str, str]) -> None:
        self.request = request
        self.status_code, self.reason = status, ""
        self.headers = {"Content-Type": "application/json", **headers}
        self.content_type = "application/json"
        self._text = body if isinstance(body, str) else json.dumps(body)

    def text(self, encoding: str | None = None) -> str:
        return self._text

    def body(self) -> bytes:
        return self._text.encode()

    @property
    def content(self) -> bytes:
        return self.body()

    def json(self) -> Any:
        return json.loads(self._text)

    def read(self) -> bytes:
        return self.body()


Answering = Callable[[str, Mapping[str, str]], tuple[int, Any, Mapping[str, str]]]
"""Path and query of a request -> status, body and headers."""


class Transport(HttpTransport[Any, Any]):
    """In place of the network."""

    def __init__(self, answering: Answering) -> None:
        self.answering = answering
        self.asked: list[tuple[str, dict[str, str]]] = []

    def send(self, request: Any, **options: Any) -> Any:
        split = urlsplit(request.url)
        query = {name.lower(): values[0] for name, values in parse_qs(split.query).items()}
        self.asked.append((split.path, query))
        assert request.headers["Authorization"] == "Bearer t"
        return _Response(request, *self.answering(split.path, query))

    def open(self) -> None: ...
    def close(self) -> None: ...
    def sleep(self, duration: float) -> None: ...
    def __exit__(self, *exit: Any) -> None: ...


class Login:
    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        return AccessToken("t", 4_000_000_000)


def monitor_with(answering: Answering) -> tuple[AzureMonitor, Transport]:
    """The source with the real client, whose network is a function."""
    transport = Transport(answering)
    return AzureMonitor(ENDPOINT, ArmMetricsRoute(ArmClient(Login()), SUBSCRIPTION, transport=transport)), transport

"""Logs requests in the form of Azure's AmlOnlineEndpointTrafficLog, for endpoints with a diagnostic setting for it.

One JSON line per request in `HOME/logs/traffic/<endpoint>.jsonl`, with the table's column names; in Azure they would be
in the Log Analytics workspace that the setting names. Lines are written in batches by `flush`. Bounded: one old file is
kept, and a batch that cannot be written is dropped and counted. Only the two request headers that the table has are
written, never the key.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from localazure.scoring.served import ServedRequest

log = logging.getLogger(__name__)

CATEGORY = "AmlOnlineEndpointTrafficLog"
MAX_BYTES = 16 << 20
MAX_WAITING = 20_000
"""The maximum number of pending records; further ones are dropped."""
_ALL_LOGS = "alllogs"


@dataclass(frozen=True)
class LoggedEndpoint:
    """The values that each record contains besides the request itself."""

    columns: Mapping[str, str]


class RequestLog:
    """Collects served requests; `flush` writes them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._endpoints: dict[str, LoggedEndpoint] = {}
        self._waiting: list[ServedRequest] = []
        self.dropped = 0
        """The number of records lost since the start."""

    def choose(self, endpoints: Mapping[str, LoggedEndpoint]) -> None:
        """Set the endpoints to log from now on, by lower-cased name."""
        self._endpoints = dict(endpoints)

    def observe(self, served: ServedRequest) -> None:
        """Collect a request of a logged endpoint."""
        if served.endpoint.lower() in self._endpoints:
            if len(self._waiting) < MAX_WAITING:
                self._waiting.append(served)
            else:
                self.dropped += 1

    def flush(self) -> None:
        """Write the pending records. It blocks for tens of microseconds per record."""
        waiting, self._waiting = self._waiting, []
        lines: dict[str, list[str]] = defaultdict(list)
        for served in waiting:
            endpoint = self._endpoints.get(served.endpoint.lower())
            if endpoint is not None:
                lines[served.endpoint.lower()].append(json.dumps(record(served, endpoint)) + "\n")
        for name, written in lines.items():
            try:
                self._append(self._folder / f"{name}.jsonl", "".join(written))
            except OSError as error:
                self.dropped += len(written)
                log.warning("%d traffic records of %s are lost: %s", len(written), name, error)

    def _append(self, path: Path, text: str) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > MAX_BYTES:
            path.replace(path.with_suffix(".old.jsonl"))
        with path.open("a", encoding="utf-8") as file:
            file.write(text)


def record(served: ServedRequest, endpoint: LoggedEndpoint) -> dict[str, Any]:
    """One row of the table, without the columns that only the log service fills."""
    headers = {name.lower(): value for name, value in served.headers}
    ended = served.started + served.seconds
    total = round(served.seconds * 1000)
    return {
        "TimeGenerated": datetime.fromtimestamp(ended, UTC).isoformat(timespec="milliseconds"),
        **endpoint.columns,
        "OperationName": "SCORE",  # Azure's value is not known
        "DeploymentName": served.deployment,
        "Method": served.method,
        "Path": served.path,
        "Protocol": "HTTP/1.1",
        "ResponseCode": served.status,
        "ResponseCodeReason": _reason(served.status),
        "ModelStatusCode": served.model_status,
        "ModelStatusReason": _reason(served.model_status),
        "RequestPayloadSize": served.request_bytes,
        "ResponsePayloadSize": served.response_bytes,
        "UserAgent": _text(headers, b"user-agent"),
        "XRequestId": served.request_id,
        "XMSClientRequestId": _text(headers, b"x-ms-client-request-id"),
        "TotalDurationMs": total,
        # Requests are read completely before they are forwarded; the parts are not measured separately.
        "RequestDurationMs": 0,
        "ResponseDurationMs": total,
        "RequestThrottlingDelayMs": 0,
        "ResponseThrottlingDelayMs": 0,
    }


def asks_for(properties: Mapping[str, Any], category: str = CATEGORY) -> bool:
    """Whether a diagnostic setting enables a category."""
    for entry in properties.get("logs") or []:
        if isinstance(entry, Mapping) and entry.get("enabled"):
            group = str(entry.get("categoryGroup") or "").lower()
            if str(entry.get("category") or "").lower() == category.lower() or group == _ALL_LOGS:
                return True
    return False


def _reason(status: int | None) -> str:
    try:
        return HTTPStatus(status).phrase if status is not None else ""
    except ValueError:
        return ""


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str:
    return headers.get(name, b"")[:500].decode("utf-8", "replace")

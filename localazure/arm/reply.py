"""Request and answer of the control plane as plain values, without HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from localazure.resource_id import ResourceId


class JsonNull:
    """The four-byte body `null` that the service sends with 202, as opposed to an empty body."""


NULL = JsonNull()


@dataclass(frozen=True)
class Request:
    """One authenticated ARM request about one resource, or about a type of children (`id` is then the parent)."""

    method: str
    id: ResourceId
    api_version: str
    body: dict[str, Any]
    query: Mapping[str, str]
    caller: str
    """The caller, for systemData."""
    client: str = ""
    """The User-Agent."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """The values of the matching route's placeholders (`localazure.arm.routes`), as the client wrote them."""

    @property
    def sent_properties(self) -> dict[str, Any]:
        properties = self.body.get("properties")
        return properties if isinstance(properties, dict) else {}


@dataclass
class Reply:
    """One answer; `body` None is an empty body, NULL is the JSON word null."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def with_location(reply: Reply, base_url: str, request: Request) -> Reply:
    """Recorded for everything in a workspace that is created at once: `Location` on 201, and only there."""
    if reply.status == 201:
        reply.headers["Location"] = f"{base_url}{reply.body['id']}?api-version={request.api_version}"
    return reply

"""One stored resource: its body, and what is kept beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from localazure.resource_id import ResourceId


@dataclass
class Resource:
    """One stored resource. GET may show `body`, but never shows `private` (keys, bookkeeping)."""

    id: str
    body: dict[str, Any]
    private: dict[str, Any] = field(default_factory=dict)
    sequence: int = 0

    @property
    def resource_id(self) -> ResourceId:
        return ResourceId(self.id)

    @property
    def key(self) -> str:
        return self.id.lower()

    @property
    def name(self) -> str:
        return self.resource_id.name

    def stamp(self, time: str) -> None:
        """Record when the resource was written, for types that do not show it themselves."""
        self.private.setdefault("createdAt", time)
        self.private["changedAt"] = time

    def times(self) -> dict[str, str]:
        """The times of creation and last change, as lists of resources show them; unknown times are left out."""
        shown = self.body.get("systemData") or {}
        times = {
            "createdTime": shown.get("createdAt") or self.private.get("createdAt"),
            "changedTime": shown.get("lastModifiedAt") or self.private.get("changedAt"),
        }
        return {name: str(time) for name, time in times.items() if time}

    @property
    def properties(self) -> dict[str, Any]:
        properties = self.body.setdefault("properties", {})
        assert isinstance(properties, dict)
        return properties

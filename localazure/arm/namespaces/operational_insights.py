"""Microsoft.OperationalInsights: Log Analytics workspaces. They receive nothing and answer no queries yet."""

from __future__ import annotations

from typing import Any, ClassVar

from localazure.arm.control_plane import new_guid
from localazure.arm.patching import Patched
from localazure.arm.reply import Request
from localazure.arm.store import Resource
from localazure.arm.timing import time_text


class Workspaces(Patched):
    """A Log Analytics workspace."""

    dated = True
    patchable: ClassVar[frozenset[str]] = frozenset({"tags", "identity", "properties"})

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        defaults: dict[str, Any] = {
            "sku": {"name": "PerGB2018"},
            "retentionInDays": 30,
            "publicNetworkAccessForIngestion": "Enabled",
            "publicNetworkAccessForQuery": "Enabled",
        }
        before = existing.properties if existing else {}
        properties = defaults | super().properties(request, existing)
        now = time_text(self.plane.clock())
        return properties | {
            "customerId": before.get("customerId") or new_guid(),
            "createdDate": before.get("createdDate") or now,
            "modifiedDate": now,
        }


BEHAVIOURS = {"Microsoft.OperationalInsights/workspaces": Workspaces}

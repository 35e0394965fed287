"""PATCH as the services around Machine Learning implement it: sent fields replace, all others stay, at once.

Documented for resource groups ("if a field is unspecified, the current value is retained"); for the other types it is
this project's interpretation. The rules of the PUT apply to the result. Fields that a service's PATCH does not have are
NotEmulated: ignoring them would look like a change.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, ClassVar

from localazure.arm.behaviour import Behaviour
from localazure.arm.body_check import check_body
from localazure.arm.reply import Reply, Request
from localazure.arm.resource_body import READ_ONLY
from localazure.arm.timing import time_text
from localazure.errors import NotEmulated
from localazure.resource import Resource

_IGNORED = (*READ_ONLY, "location")


class Patched(Behaviour):
    """A type with a PATCH of these fields of its body; `properties` one by one."""

    patchable: ClassVar[frozenset[str]] = frozenset({"tags"})
    dated: ClassVar[bool] = False
    """Whether the type has systemData (its creator and last author; documented for some)."""

    def body(self, request: Request, existing: Resource | None, resource: Resource, location: str) -> dict[str, Any]:
        body = super().body(request, existing, resource, location)
        if self.dated:
            body["systemData"] = self.system_data(existing, request.caller, with_types=True)
        return body

    def patch(self, request: Request) -> Reply:
        if not self.patchable:
            return super().patch(request)  # refuses
        existing = self.find(request.id, "write")
        if self.store.is_busy(existing.id):
            raise self.busy(existing)
        if others := sorted(set(request.body) - self.patchable - set(_IGNORED)):
            raise NotEmulated(f"PATCH of {', '.join(others)[:200]} of {self.shape.arm}")
        put = replace(request, method="PUT", body=self._merged(existing, request.body))
        check_body(self.shape.arm, put.body)
        location = self.location_of(put, existing)
        self.check(put, existing)
        resource = copy.deepcopy(existing)
        resource.stamp(time_text(self.plane.clock()))
        with self.store.transaction():
            resource.body = self.body(put, existing, resource, location)
            self.mark_provisioned(resource)
            self.store.save(resource)
            return Reply(200, self.read(resource, request))

    def _merged(self, existing: Resource, sent: dict[str, Any]) -> dict[str, Any]:
        """The equivalent PUT."""
        merged: dict[str, Any] = copy.deepcopy(existing.body) | {
            key: value for key, value in sent.items() if key != "properties" and value is not None
        }
        changes = sent.get("properties") or {}
        properties = {key: value for key, value in existing.properties.items() if key not in changes}
        merged["properties"] = properties | {key: value for key, value in changes.items() if value is not None}
        return merged

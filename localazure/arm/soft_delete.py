"""Deleted resources that a service keeps completely, so that they can be listed and recovered.

Such a resource is in no ordinary list and answers 404; its name stays taken until a given time on the server's clock.
The service's namespace defines what a PUT of that name does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localazure.arm.timing import Clock
from localazure.resource import Resource
from localazure.store import Store

DAY_SECONDS = 86_400


@dataclass(frozen=True)
class SoftDeleted:
    """One deleted resource as it was, with its deletion time and its expiry in seconds since the epoch."""

    resource: Resource
    deleted: float
    until: float


class SoftDeletions:
    """The deleted resources that are kept, by their ids."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def keep(self, resource: Resource, days: float) -> None:
        """Remember a resource that is being removed. Belongs in the transaction that removes it."""
        now = self._clock()
        until = now + days * DAY_SECONDS
        document: dict[str, Any] = {"id": resource.id, "body": resource.body, "private": resource.private}
        document |= {"deleted": now, "until": until}
        self._store.soft_delete(resource.id, resource.resource_id.type, until, document)

    def of_type(self, arm_type: str) -> list[SoftDeleted]:
        """All of one type that are still kept."""
        return [_read(document) for document in self._store.soft_deleted_of_type(arm_type, self._clock())]

    def named(self, arm_type: str, name: str) -> SoftDeleted | None:
        """The one with this name in any scope; for types whose names are unique in all of Azure."""
        found = (one for one in self.of_type(arm_type) if one.resource.name.lower() == name.lower())
        return next(found, None)

    def find(self, resource_id: str, arm_type: str) -> SoftDeleted | None:
        """The one with this id."""
        document = self._store.soft_deleted(resource_id, arm_type, self._clock())
        return _read(document) if document else None

    def forget(self, resource_id: str, arm_type: str) -> None:
        """Free the name, after a purge or a recovery."""
        self._store.forget_soft_deleted(resource_id, arm_type)


def _read(document: Mapping[str, Any]) -> SoftDeleted:
    resource = Resource(id=document["id"], body=document["body"], private=document["private"])
    return SoftDeleted(resource, document["deleted"], document["until"])

"""Parses an ARM id: subscription, group, type, and the names along its type.

Pure. `naming.py` makes the ids of a stack; this is the one place that takes an id apart. `localazure/` has its own
reader, because it imports nothing of the product.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_SUBSCRIPTION = re.compile(r"/subscriptions/(?P<id>[^/]+)", re.IGNORECASE)
_GROUP = re.compile(r"/subscriptions/[^/]+/resourceGroups/[^/]+", re.IGNORECASE)
_ID = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    r"/providers/(?P<provider>[^/]+)(?P<path>(?:/[^/]+/[^/]+)+)",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class ArmId:
    """The id of a resource in a group; what Azure compares without case is in lower case, names are as written."""

    subscription_id: str
    resource_group: str
    type: str
    """Provider and types, such as `microsoft.machinelearningservices/workspaces/onlineendpoints`."""
    names: Mapping[str, str]
    """The name of the resource and of each that it lies in, by type without the provider: `workspaces`."""

    @property
    def name(self) -> str:
        """The resource's own name."""
        return list(self.names.values())[-1]

    @classmethod
    def parse(cls, text: str) -> ArmId:
        """Parse an id. Raises ValueError for a string that is not the id of a resource in a group."""
        found = _ID.fullmatch(text)
        if found is None:
            raise ValueError(f'"{text}" is not the ARM id of a resource in a resource group')
        types, names = found["path"].split("/")[1::2], found["path"].split("/")[2::2]
        types = [one.lower() for one in types]
        return cls(
            subscription_id=found["subscription"],
            resource_group=found["group"],
            type="/".join([found["provider"].lower(), *types]),
            names=dict(zip(types, names, strict=True)),
        )


def type_of(text: str) -> str:
    """The type of the resource that an id names, such as `Microsoft.Storage/storageAccounts`, as written."""
    namespace, *rest = text.rsplit("/providers/", 1)[1].split("/")
    return "/".join([namespace, *rest[0::2]])


def places_around(text: str) -> list[str]:
    """The ids of what a resource lies in, the nearest first, up to its resource group."""
    group, places = group_id_of(text), []
    while group is not None and len(text) > len(group):
        text = text.rsplit("/", 2)[0]
        text = re.sub(r"/providers/[^/]+$", "", text, flags=re.IGNORECASE)
        places.append(text)
    return places


def subscription_id_of(text: str) -> str | None:
    """The subscription that an ARM id of any kind begins with; None for what is not such an id."""
    found = _SUBSCRIPTION.match(text)
    return found["id"] if found else None


def group_id_of(text: str) -> str | None:
    """The id of the resource group that an ARM id of any kind begins with, as written; None outside a group."""
    found = _GROUP.match(text)
    return found.group(0) if found else None

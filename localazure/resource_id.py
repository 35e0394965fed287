"""ARM resource ids: compared without case, shown in the original case.

Pure. Reads an id into scope, provider namespace, types and names, and finds its parent. It does not know which types
exist.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from localazure.errors import BadRequest

MAX_PATH_LENGTH = 4096
MAX_SEGMENT_LENGTH = 260  # ARM's limit for one resource name
# Names reach logs, SQL parameters and folders. The pattern covers all names that Azure permits for any emulated type.
_SEGMENT = re.compile(r"[A-Za-z0-9_.()@:,=$+ -]+")

RESOURCE_GROUP_TYPE = "microsoft.resources/resourcegroups"


def split_path(path: str) -> list[str]:
    """Segments of an unescaped URL path. Raises BadRequest for what cannot be part of any resource id."""
    if len(path) > MAX_PATH_LENGTH:
        raise BadRequest(
            "InvalidRequestUri", f"The path has {len(path)} characters, at most {MAX_PATH_LENGTH} are allowed."
        )
    segments = path.strip("/").split("/")
    for segment in segments:
        if len(segment) > MAX_SEGMENT_LENGTH or not _SEGMENT.fullmatch(segment) or segment in (".", ".."):
            raise BadRequest("InvalidRequestUri", f"The path segment {segment[:60]!r} cannot be part of a resource id.")
    return segments


@dataclass(frozen=True)
class ResourceId:
    """One resource id, `text` as received or stored (no trailing slash)."""

    text: str

    @classmethod
    def parse(cls, text: str) -> ResourceId:
        """Raises BadRequest when `text` is not the id of a resource group or of a resource of a provider."""
        resource_id = cls("/" + "/".join(split_path(text)))
        if not resource_id.type:
            raise BadRequest("InvalidResourceId", f"{text!r} is not the id of a resource.")
        return resource_id

    @property
    def key(self) -> str:
        """The key for comparing and storing ids."""
        return self.text.lower()

    @cached_property
    def _segments(self) -> list[str]:
        return self.text.strip("/").split("/")

    @cached_property
    def _provider_at(self) -> int | None:
        """Index of the last `providers` segment that introduces a namespace."""
        positions = [i for i, segment in enumerate(self._segments) if segment.lower() == "providers" and i % 2 == 0]
        return positions[-1] if positions else None

    @property
    def subscription(self) -> str:
        segments = self._segments
        return segments[1] if len(segments) > 1 and segments[0].lower() == "subscriptions" else ""

    @property
    def resource_group(self) -> str:
        segments = self._segments
        return segments[3] if len(segments) > 3 and segments[2].lower() == "resourcegroups" else ""

    @property
    def resource_group_id(self) -> str:
        """The id of the resource group that this is or lies in; empty outside of one."""
        return "/" + "/".join(self._segments[:4]) if self.resource_group else ""

    @property
    def scope(self) -> str:
        """The id before the provider: a resource group, a subscription or, for extension resources, a resource."""
        at = self._provider_at
        return "/" + "/".join(self._segments[: at if at is not None else 2])

    @property
    def namespace(self) -> str:
        at = self._provider_at
        return self._segments[at + 1] if at is not None and len(self._segments) > at + 1 else ""

    @property
    def type(self) -> str:
        """Lower-cased `namespace/type/subtype`; empty when the path ends in a type or in nothing."""
        at = self._provider_at
        if at is None:
            segments = self._segments
            is_group = len(segments) == 4 and segments[0].lower() == "subscriptions"
            return RESOURCE_GROUP_TYPE if is_group and segments[2].lower() == "resourcegroups" else ""
        rest = self._segments[at + 2 :]
        if not rest or len(rest) % 2:
            return ""
        return "/".join([self.namespace, *rest[0::2]]).lower()

    @property
    def type_as_written(self) -> str:
        at = self._provider_at
        return (
            "/".join([self.namespace, *self._segments[at + 2 :][0::2]])
            if at is not None
            else "Microsoft.Resources/resourceGroups"
        )

    @property
    def name(self) -> str:
        return self._segments[-1]

    @property
    def names(self) -> tuple[str, ...]:
        """Resource names, from the outermost resource to this one; empty for a resource group."""
        at = self._provider_at
        return tuple(self._segments[at + 3 :: 2]) if at is not None else ()

    def ancestor(self, level: int) -> str:
        """The id of the resource `level` types below the namespace, which this is or lies in; 1 is the outermost."""
        at = self._provider_at
        assert at is not None, f"{self.text} is not the id of a resource of a provider"
        assert len(self.names) >= level, f"{self.text} has no ancestor {level}"
        return "/" + "/".join(self._segments[: at + 2 + 2 * level])

    @property
    def parent(self) -> str:
        """The id this resource lives under: its parent resource, else its scope."""
        at = self._provider_at
        if at is not None and len(self._segments) > at + 4:
            return "/" + "/".join(self._segments[:-2])
        return self.scope

    @property
    def relative(self) -> str:
        """`Namespace/type/name/subtype/name`, as ARM's 404 text shows it."""
        at = self._provider_at
        if at is None:
            return self.name
        rest = self._segments[at + 2 :]
        return "/".join([self.namespace, *rest])


def is_within(key: str, scope_key: str) -> bool:
    """Whether a resource key equals a scope or lies in it."""
    return key == scope_key or key.startswith(scope_key.rstrip("/") + "/")

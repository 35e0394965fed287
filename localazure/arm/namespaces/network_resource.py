"""Base of all types of Microsoft.Network."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from localazure.arm.control_plane import new_guid
from localazure.arm.patching import Patched
from localazure.arm.reply import Request
from localazure.errors import BadRequest
from localazure.resource import Resource


class NetworkResource(Patched):
    """A type with a resource GUID, an etag, references that must exist, and a PATCH of tags."""

    conflict_code = "AnotherOperationInProgress"  # a code of the network service; azure-native waits and retries

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        before = existing.properties if existing else {}
        return super().properties(request, existing) | {"resourceGuid": before.get("resourceGuid") or new_guid()}

    def complete_body(self, resource: Resource, request: Request) -> None:
        resource.body["etag"] = new_etag()

    def require(self, referenced: Any, request: Request) -> None:
        """Raise when `referenced`, an object with an `id`, names a resource that does not exist."""
        target = referenced.get("id") if isinstance(referenced, dict) else None
        if isinstance(target, str) and self.store.get(target) is None:
            # Known code; the wording is from memory of ARM.
            raise BadRequest(
                "InvalidResourceReference",
                f"Resource {target} referenced by resource {request.id.text} was not found. Please make sure that the "
                "referenced resource exists, and that both resources are in the same region.",
            )


def check_ranges(ranges: Any, owner: str) -> None:
    """Raise BadRequest unless these are ranges such as 10.0.0.0/24, each with its first address."""
    for one in ranges if isinstance(ranges, list) else [ranges]:
        try:
            ip_network(one)
        except (ValueError, TypeError):
            # Known codes (with bits after the prefix Azure says InvalidCIDRNotation); the wording is ours.
            code = "InvalidCIDRNotation" if _has_host_bits(one) else "InvalidAddressPrefixFormat"
            raise BadRequest(
                code, f"The address prefix {one!r} of {owner} is not a range such as 10.0.0.0/24."
            ) from None


def _has_host_bits(value: Any) -> bool:
    try:
        ip_network(value, strict=False)
    except (ValueError, TypeError):
        return False
    return True


def new_etag() -> str:
    return f'W/"{new_guid()}"'

"""If-Match and If-None-Match of a write, for resources that show an etag. Pure.

Azure documents both for private DNS and, with `*`, for ARM as a whole. A condition on a resource that has no etag here
is NotEmulated: ignoring it would overwrite what the condition protects.
"""

from __future__ import annotations

from collections.abc import Mapping

from localazure.arm.reply import Request
from localazure.errors import ArmError, NotEmulated
from localazure.resource import Resource


def check_conditions(headers: Mapping[str, str], request: Request, existing: Resource | None) -> None:
    """Raise 412 when a condition does not hold."""
    match, none_match = headers.get("If-Match"), headers.get("If-None-Match")
    if none_match is not None:
        if none_match.strip() != "*":
            raise NotEmulated(f"A write with If-None-Match {none_match[:60]!r}")
        if existing is not None:
            raise _failed(request, "exists")
    if match is None or (existing is None and request.method == "DELETE"):
        return
    if existing is None:
        raise _failed(request, "does not exist")
    if match.strip() == "*":
        return
    etag = existing.body.get("etag")
    if etag is None:
        raise NotEmulated(f"A write with If-Match of {request.id.type_as_written}")
    if match.strip() != etag:
        raise _failed(request, "has changed")


def _failed(request: Request, what: str) -> ArmError:
    # Known code; the wording is ours.
    return ArmError(
        "PreconditionFailed", f"The condition of the request does not hold: {request.id.text} {what}.", status=412
    )

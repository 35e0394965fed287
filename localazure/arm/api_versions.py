"""Refuses an api-version that a type does not have. Pure.

The list of a type's versions counts as complete up to its newest entry. Azure publishes new versions all the time and
clients soon send them, so a later version is accepted unless its date is in the future.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from localazure.arm.regions import REGIONS
from localazure.catalog.versions import known_versions
from localazure.errors import BadRequest
from localazure.resource_id import RESOURCE_GROUP_TYPE

_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-[a-z]+(\.\d+)?)?", re.IGNORECASE)
_RESOURCE_MANAGER = "microsoft.resources/"


def require_version(api_version: str) -> None:
    """Raise BadRequest if the version is missing or does not look like one."""
    if not api_version:
        # Known code and wording of ARM, from memory.
        raise BadRequest(
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    if not _VERSION.fullmatch(api_version):
        raise _invalid(api_version)


def check_own_version(api_version: str, now: float) -> None:
    """Like `check_api_version`, for what Resource Manager itself answers: groups, lists, providers, tenants."""
    check_api_version(RESOURCE_GROUP_TYPE, api_version, now)


def check_api_version(arm_type: str, api_version: str, now: float, location: str = "") -> None:
    """Raise BadRequest for a version that the type does not have; `now` in seconds since the epoch."""
    known = known_versions(arm_type)
    if not known or api_version.lower() in known or _may_be_new(api_version[:10], known[-1][:10], now):
        return
    if arm_type.lower().startswith(_RESOURCE_MANAGER):
        raise _invalid(api_version)
    # Verbatim as users report it (Azure/azure-sdk-for-js#4097 and others), newest version first.
    raise BadRequest(
        "NoRegisteredProviderFound",
        f"No registered resource provider found for location '{location}' and API version '{api_version}' for type "
        f"'{arm_type.partition('/')[2]}'. The supported api-versions are '{', '.join(reversed(known))}'. "
        f"The supported locations are '{', '.join(REGIONS)}'.",
    )


def _invalid(api_version: str) -> BadRequest:
    """Verbatim, including the list, as a user of `az containerapp logs show` saw it in September 2026."""
    supported = ",".join(reversed(known_versions(RESOURCE_GROUP_TYPE)))
    text = f"The api-version '{api_version[:40]}' is invalid. The supported versions are '{supported}'."
    return BadRequest("InvalidApiVersionParameter", text)


def _may_be_new(day: str, newest: str, now: float) -> bool:
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return newest < day <= datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")

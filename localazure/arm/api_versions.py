"""Refuses an api-version that a type does not have. Pure.

Up to its newest entry the list of a type's versions is taken for complete. Azure publishes new versions all the time,
and its clients send them soon: a later one is answered, unless it is of the future.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from localazure.arm.errors import BadRequest
from localazure.arm.regions import REGIONS
from localazure.catalog.versions import known_versions


def check_api_version(arm_type: str, api_version: str, now: float, location: str = "") -> None:
    """Raise BadRequest for a version that the type does not have; `now` in seconds since the epoch."""
    known = known_versions(arm_type)
    if not known or api_version.lower() in known or _may_be_new(api_version[:10], known[-1][:10], now):
        return
    # Verbatim as users report it (Azure/azure-sdk-for-js#4097 and others), newest version first.
    raise BadRequest(
        "NoRegisteredProviderFound",
        f"No registered resource provider found for location '{location}' and API version '{api_version}' for type "
        f"'{arm_type.partition('/')[2]}'. The supported api-versions are '{', '.join(reversed(known))}'. "
        f"The supported locations are '{', '.join(REGIONS)}'.",
    )


def _may_be_new(day: str, newest: str, now: float) -> bool:
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return newest < day <= datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")

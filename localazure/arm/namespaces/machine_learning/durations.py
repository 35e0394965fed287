"""Durations in the bodies of Machine Learning's resources."""

from __future__ import annotations

from typing import Any

from localazure.durations import read_duration
from localazure.errors import BadRequest


def seconds_of(duration: Any) -> float:
    """Seconds of an ISO 8601 duration; raises `BadRequest`. .NET, which runs the service, does not support weeks."""
    try:
        if "W" in str(duration):
            raise ValueError("weeks")
        return read_duration(str(duration))
    except ValueError as error:
        raise BadRequest("BadRequest", f"{duration!r} is not an ISO 8601 duration such as PT5S.") from error

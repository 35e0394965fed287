"""Names of endpoints and deployments. The rule is documented; the wording is azure-ai-ml's own."""

from __future__ import annotations

import re

from localazure.errors import BadRequest

_PATTERN = re.compile(r"[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?")


def check_name(kind: str, name: str) -> None:
    """Raise BadRequest for a name that the service refuses."""
    if not 3 <= len(name) <= 32:
        text = "must be at least 3 and at most 32 characters long (inclusive of both limits)."
        raise BadRequest("BadRequest", f"The name for {kind} {text} Got {name!r}.")
    if not _PATTERN.fullmatch(name) or "--" in name:
        text = (
            "must start with an upper- or lowercase letter and only consist of single '-'s and alphanumeric characters."
        )
        raise BadRequest("BadRequest", f"The name for {kind} {text} Got {name!r}.")

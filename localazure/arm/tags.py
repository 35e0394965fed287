"""Tags under Resource Manager's limits. Pure.

The limits are documented ("Use tags to organize your Azure resources"). Codes and wording are those that Azure
PowerShell's Az.Migrate uses to imitate Resource Manager; it is not known whether Resource Manager's own wording is
exactly the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localazure.errors import BadRequest

MAX_TAGS = 50
MAX_NAME = 512
MAX_VALUE = 256
_RESERVED = frozenset("<>%&\\?/")


def read_tags(sent: Any, *, max_name: int = MAX_NAME) -> dict[str, Any]:
    """Tags as sent; empty when omitted. Raises BadRequest for anything but an object of strings within the limits."""
    if sent is None:
        return {}
    if not isinstance(sent, dict) or not all(isinstance(value, str | None) for value in sent.values()):
        raise BadRequest("InvalidRequestContent", "tags must be an object whose values are strings.")
    _check_limits(sent, max_name)
    return dict(sent)


def _check_limits(tags: Mapping[str, str | None], max_name: int) -> None:
    if len(tags) > MAX_TAGS:
        raise BadRequest(
            "InvalidTags",
            f"Too many tags specified. Requested tag count - '{len(tags)}'. Maximum number of tags allowed - "
            f"'{MAX_TAGS}'.",
        )
    if any(not name.strip() for name in tags):
        raise BadRequest(
            "InvalidTagName",
            "The tag name must be non-null, non-empty and non-whitespace only. Please provide an actual value.",
        )
    if reserved := [name for name in tags if _RESERVED & set(name) or not name.isprintable()]:
        raise BadRequest(
            "InvalidTagNameCharacters",
            f"The tag names '{', '.join(reserved)}' have reserved characters '<,>,%,&,\\,?,/' or control characters.",
        )
    if longer := [name for name in tags if len(name) > max_name]:
        raise BadRequest(
            "InvalidTagName",
            f"Tag key too large. Following tag name '{', '.join(longer)}' exceeded the maximum length. Maximum allowed "
            f"length for tag name - '{max_name}' characters.",
        )
    if longer := [value for value in tags.values() if value and len(value) > MAX_VALUE]:
        raise BadRequest(
            "InvalidTagValueLength",
            f"Tag value too large. Following tag value '{', '.join(longer)}' exceeded the maximum length. Maximum "
            f"allowed length for tag value - '{MAX_VALUE}' characters.",
        )

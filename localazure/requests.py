"""Reads requests that may be hostile: bodies that are slow or broken, and JSON that no service accepts.

All parts of the local Azure share these refusals. The limits are this project's own: no recording shows Azure's.
"""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any, NoReturn

from aiohttp import web

from localazure.errors import ArmError, BadRequest

BODY_SECONDS = 30.0
MAX_DEPTH = 100


async def read_body(request: web.Request) -> bytes:
    """The whole body, within the application's size limit. Raises ArmError (408) for one that arrives too slowly.

    A second call returns the same body.
    """
    if not request.body_exists:
        return b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        text = f"The request content did not arrive within {BODY_SECONDS:g} seconds."
        raise ArmError("RequestTimeout", text, status=408) from None


def read_json(raw: bytes) -> Any:
    """A JSON document of finite numbers, valid text and bounded depth; raises BadRequest for anything else."""
    try:
        # Not strict: a string may contain raw line ends, as in the conda file that Microsoft's own REST example sends
        # (Azure/azureml-examples, cli/deploy-rest.sh at 085cd6ea3990).
        document = json.loads(raw, strict=False, parse_constant=_refuse_constant, parse_float=_read_float)
        _check(document)
    except (ValueError, RecursionError) as exc:
        # Known code; the wording is ours.
        reason = f": {exc}" if isinstance(exc, _Refused) else ""
        text = f"The request content was invalid: it is not a JSON document{reason}."
        raise BadRequest("InvalidRequestContent", text) from exc
    return document


class _Refused(ValueError):
    """Refuse some well-formed JSON."""


def _check(document: Any) -> None:
    """Check, without recursion, the depth and strings that cannot be encoded as UTF-8 or passed to a process."""
    level = [document]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below += value.values()
                below += value
            elif isinstance(value, list):
                below += value
            elif isinstance(value, str):
                _check_text(value)
        if not below:
            return
        level = below
    raise _Refused(f"it is nested more than {MAX_DEPTH} deep")


def _check_text(text: str) -> None:
    if text.isascii():
        if "\0" in text:
            raise _Refused("a string contains the character NUL")
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Refused("a string contains half of a surrogate pair") from None


def _read_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _Refused(f"the number {text[:40]} is too large")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is not JSON")

"""Reads JSON that has one meaning; whatever is wrong with the input is a ValueError that says so in a clause. Pure.

Python's reader also accepts a key that is written twice, NaN and halves of characters, and ends deep nesting with a
RecursionError.
"""

from __future__ import annotations

import json
from typing import Any


class _Refused(ValueError):
    """What JSON forbids or leaves open, and Python's reader accepts."""


def read_json(text: str) -> Any:
    """Return the value of a JSON text. Raises ValueError with the reason, such as "it is not JSON (...)"."""
    try:
        value = json.loads(text, object_pairs_hook=_mapping, parse_constant=_refused)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except _Refused:
        raise
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error.msg} at character {error.pos})") from error
    except UnicodeEncodeError as error:
        raise ValueError("it has half of a character (a surrogate) in a string") from error
    except ValueError as error:
        raise ValueError("it has a number that is too large") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return value


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Refused(f"it has the key {json.dumps(twice)} twice")
    return found


def _refused(name: str) -> Any:
    raise _Refused(f"it has {name} in place of a number")

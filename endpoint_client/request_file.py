"""The file that holds the requests to send."""

import json
from pathlib import Path

from command_errors import UsageError


def read_bodies(file: Path) -> list[bytes]:
    """Return the request in a JSON file, or the lines of a .jsonl file, which are sent in turn."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the request file {file}: {error.strerror}. Check --request-file.") from error
    bodies = [line for line in content.splitlines() if line.strip()] if file.suffix == ".jsonl" else [content]
    if not bodies:
        raise UsageError(f"{file} contains no request. Write one JSON document per line.")
    return bodies


def read_request(file: Path) -> bytes:
    """Return the request, which must be a JSON document in UTF-8."""
    try:
        content = file.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read the request file {file}: {reason}. Check --request-file.") from error
    try:
        json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is not JSON: {error}. Correct it: a request is a JSON document in UTF-8.") from error
    return content

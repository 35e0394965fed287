"""Reads a fleet file; everything that is wrong with it is said at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from command_errors import UsageError
from config_errors import explain_file
from fleet_config import FleetSettings
from models.document import DocumentError, read_document
from problem import Problem


class FleetFileError(UsageError):
    """The fleet file is refused; nothing was changed."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"The fleet file has {count}; nothing was changed:{lines}")


def read_fleet(file: Path) -> FleetSettings:
    """The waves of a file. Raises FleetFileError with all of its problems."""
    try:
        content = read_document(file).content
    except DocumentError as error:
        raise FleetFileError([Problem("", str(error), "Correct it, or name another file.", file=file.name)]) from error
    try:
        return FleetSettings.model_validate_json(json.dumps(content, default=str))
    except TypeError as error:
        problem = Problem("", "has a key that is not text", "Write each key as a word.", file=file.name)
        raise FleetFileError([problem]) from error
    except ValidationError as error:
        raise FleetFileError(sorted(set(explain_file(error, model=FleetSettings, file=file.name)))) from error

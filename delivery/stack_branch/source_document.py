"""`rollouts/<stack>/source.json` on a stack's branch: which commit of the source branch it carries.

{"arm_host": "management.azure.com", "at": 1795852800, "branch": "main", "commit": "<40 hex>", "deployed": true,
 "subscription": "<guid>", "weights": {"fraud-detection": {"stable": "blue", "traffic": {"blue": 100}, "mirror": {}}}}
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from command_errors import UsageError
from delivery.stack_branch.weights import as_values, from_values
from record_folders import FOLDER, SOURCE, source_path
from rollout.declaration.stack_text import WeightLines
from strict_json import read_json

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_KINDS: Mapping[str, type] = {
    **{"arm_host": str, "at": int, "branch": str, "commit": str, "deployed": bool, "subscription": str},
    "weights": dict,
}


@dataclass(frozen=True, kw_only=True)
class SourceDocument:
    """What a stack's branch carries, and whether it was deployed. `at` is seconds since 1970."""

    branch: str
    """The source branch."""
    commit: str
    at: int
    deployed: bool = False
    subscription: str
    arm_host: str
    weights: Mapping[str, WeightLines] = field(default_factory=dict)
    """The lines of each endpoint as the source branch had them."""

    def text(self) -> str:
        """The file."""
        values = {**vars(self), "weights": {key: as_values(lines) for key, lines in self.weights.items()}}
        return json.dumps(values, indent=1, sort_keys=True) + "\n"


def path_of(stack: str) -> str:
    """Its path from the top of the repository."""
    return f"{FOLDER}/{stack}/{SOURCE}"


def parse(text: str, where: str) -> SourceDocument:
    """Read the file. Raises UsageError with everything that is wrong in it."""
    try:
        values = read_json(text)
    except ValueError as error:
        raise UsageError(f"{where} is broken: {error}. {_REPAIR}") from error
    if not isinstance(values, dict):
        raise UsageError(f"{where} must hold a JSON object, got {values!r}. {_REPAIR}")
    problems = [f"{name} is missing" for name in _KINDS if name not in values]
    problems += [f"{name} is not known" for name in values if name not in _KINDS]
    problems += [
        f"{name} must be {kind.__name__}, got {values[name]!r}"
        for name, kind in _KINDS.items()
        if name in values and type(values[name]) is not kind
    ]
    if isinstance(values.get("commit"), str) and not _COMMIT.fullmatch(values["commit"]):
        problems.append(f"commit must be the id of a commit, got {values['commit']!r}")
    weights = _weights(values.get("weights"), problems)
    if problems:
        raise UsageError(f"{where} is broken: {'; '.join(problems)}. {_REPAIR}")
    return SourceDocument(**{**values, "weights": weights})


def read(folder: Path, stack: str) -> SourceDocument | None:
    """The document of a checkout; None if it is not one of the stack's branch."""
    path = source_path(folder, stack)
    if not path.is_file():
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}. {_REPAIR}") from error
    return parse(text, str(path))


_REPAIR = "Only `sluice ci sync` writes it: restore it from the stack's branch (git checkout), then run that again."


def _weights(values: Any, problems: list[str]) -> dict[str, WeightLines]:
    found: dict[str, WeightLines] = {}
    for key, lines in values.items() if isinstance(values, dict) else ():
        try:
            found[key] = from_values(lines)
        except ValueError as error:
            problems.append(f"weights.{key}: {error}")
    return found

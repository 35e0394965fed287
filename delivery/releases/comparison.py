"""What differs between two releases: their files and their settings. Pure.

The value of an environment variable is never shown: only that it differs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from models.release_document import ReleaseDocument
from strict_yaml import read_yaml

VARIABLES = "body.environmentVariables"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One file or one setting; None stands for "does not have it"."""

    kind: Literal["file", "setting"]
    name: str
    first: str | None
    second: str | None

    def __str__(self) -> str:
        """The difference as one line."""
        if self.first is None:
            return f"+ {self.kind} {self.name}: {self.second}"
        if self.second is None:
            return f"- {self.kind} {self.name}: {self.first}"
        return f"~ {self.kind} {self.name}: {self.first} -> {self.second}"


def differences(first: ReleaseDocument, second: ReleaseDocument) -> list[Difference]:
    """Return what differs, files first, by name; nothing for the same content."""
    if first.content == second.content:
        return []
    found: list[Difference] = []
    for kind, describe in (("file", _files), ("setting", _settings)):
        one, other = describe(first), describe(second)
        found += [
            Difference(kind=kind, name=name, first=_shown(name, one.get(name)), second=_shown(name, other.get(name)))  # type: ignore[arg-type]  # one of the two literals
            for name in sorted(one.keys() | other.keys())
            if one.get(name) != other.get(name)
        ]
    return found


def settings_of(document: ReleaseDocument) -> dict[str, str]:
    """Return every setting by its dotted name, for people."""
    return {name: str(_shown(name, value)) for name, value in sorted(_settings(document).items())}


def _files(document: ReleaseDocument) -> dict[str, Any]:
    return {
        f"{entry.part}/{entry.path}": f"{entry.sha256[:12]}, {entry.size:,} byte{'' if entry.size == 1 else 's'}"
        for entry in document.files
    }


def _settings(document: ReleaseDocument) -> dict[str, Any]:
    """Every setting by its dotted name, except the digests that stand for the files and the environment."""
    values: dict[str, Any] = {}
    for name, value in document.settings.items():
        if isinstance(value, Mapping) and "content" in value:
            value = {key: one for key, one in value.items() if key != "content"}
            place = document.places.get(name)  # type: ignore[call-overload]  # "environment" has no place
            if place is not None:
                value["name"] = place.name
        values |= dict(_flat(name, value))
    environment = document.environment
    if environment is not None:
        values["environment.image"] = environment.image
        values |= dict(_flat("environment.inference_config", environment.inference_config))
    conda = read_yaml(document.conda) if document.conda else None
    return values | dict(_flat("environment.conda", conda))


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _flat(f"{name}.{key}", one)
    elif isinstance(value, list):
        for one in value:  # the lines of a conda file, whose order means little to a reader
            yield from _flat(name, one) if isinstance(one, Mapping) else [(f"{name}[{one}]", "listed")]
    elif value is not None:
        yield name, value


def _shown(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if name.startswith(VARIABLES):
        return "set (not shown)"
    return value if isinstance(value, str) else json.dumps(value)

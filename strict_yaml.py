"""Reads YAML as PyYAML does safely; whatever is wrong with the input is a `yaml.YAMLError`. Pure.

PyYAML lets errors of Python through, such as a ValueError for the date 2001-99-99, and its C reader ends the process
(a segmentation fault) on input that nests some ten thousand levels deep.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

DEEPEST = 1000
"""Levels that every reader of YAML here can take; a deployment's file has four."""
TOO_DEEP = "the YAML is nested too deeply"

_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C reader, if it is installed
_SCALARS = ("bool", "int", "float", "timestamp")
_PYTHON_ERRORS = (ValueError, KeyError, IndexError, AttributeError, OverflowError)


class StrictLoader(_SafeLoader):  # type: ignore[misc]  # mypy knows no base class that is looked up
    """SafeLoader of which every error is a YAMLError."""

    def __init__(self, text: str) -> None:
        if _is_too_deep(text):
            raise yaml.YAMLError(TOO_DEEP)
        super().__init__(text)


def read_yaml(text: str) -> Any:
    """Return the value of the one document in the input. Raises yaml.YAMLError."""
    return yaml.load(text, Loader=StrictLoader)


def as_scalar(name: str) -> str:
    """Return a name as a YAML scalar: quoted if it would be read as something else, such as `on`."""
    return name if read_yaml(name) == name else f'"{name}"'


def _is_too_deep(text: str) -> bool:
    # Each level needs a bracket of its own, or a column of the same line: only input with that many is parsed twice.
    brackets = text.count("[") + text.count("{")
    if brackets + max(map(len, text.splitlines()), default=0) <= DEEPEST:
        return False
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_SafeLoader):  # without recursion, so that it survives
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                return True
    except RecursionError:
        return True
    except yaml.YAMLError:  # the loader says what and where
        pass
    return False


def _checked(construct: Callable[[Any, yaml.ScalarNode], Any]) -> Callable[[Any, yaml.ScalarNode], Any]:
    """Return the constructor with an error that names the place."""

    def constructed(loader: Any, node: yaml.ScalarNode) -> Any:
        try:
            return construct(loader, node)
        except _PYTHON_ERRORS as error:
            kind = node.tag.rpartition(":")[2]
            shown = repr(node.value if len(node.value) <= 40 else f"{node.value[:40]}...")
            raise yaml.constructor.ConstructorError(
                None, None, f"{shown} is not a valid {kind}", node.start_mark
            ) from error

    return constructed


for _tag in (f"tag:yaml.org,2002:{kind}" for kind in _SCALARS):
    StrictLoader.add_constructor(_tag, _checked(StrictLoader.yaml_constructors[_tag]))

"""One deployment in the text of a stack file, written in place: comments, order and line ends of the rest stay.

Pure. The text is cut at the marks of PyYAML's nodes. Each edit is proven: both texts are parsed, and they may differ in
the keys of this deployment only, so that an alias or an unusual form is refused and never changed by accident.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from command_errors import UsageError
from rollout.declaration.yaml_nodes import NULL, end_of
from strict_yaml import StrictLoader, as_scalar, read_yaml

_HEXADECIMAL = re.compile(r"[0-9a-f]{16,64}")
Values = Mapping[str, Any]


def edit_deployment(text: str, endpoint: str, colour: str, values: Values, where: str) -> str:
    """Return the stack file's text with these keys of a deployment; None as a value removes the key.

    A deployment that is not declared yet is added behind the others, in their style. Raises UsageError, which names
    the place, if the file `where` cannot be read or edited so.
    """
    wanted = _wanted(text, endpoint, colour, values, where)
    place = ("config", "sluice:endpoints", endpoint, "deployments")
    edited = text
    if not isinstance(wanted["before"], Mapping):
        kept = {name: value for name, value in values.items() if value is not None}
        edited = _with_entry(edited, place, colour, kept, where)
    else:
        for name, value in values.items():
            if value is None:
                edited = _without_key(edited, (*place, colour), name, where)
            elif wanted["before"].get(name) != value:
                edited = _with_entry(edited, (*place, colour), name, value, where)
    if _loaded(edited, where) != wanted["after"]:
        raise UsageError(
            f"{where}: {'.'.join(place[1:])} is written in a form in which {colour} cannot be edited without changing "
            f"something else. Write it as a plain entry: {colour}: {_flow(values)}"
        )
    return edited


def _wanted(text: str, endpoint: str, colour: str, values: Values, where: str) -> dict[str, Any]:
    """The deployment `before` the edit, and the whole file `after` it, as data."""
    data = copy.deepcopy(_loaded(text, where))
    try:
        deployments = data["config"]["sluice:endpoints"][endpoint]["deployments"]
    except (KeyError, TypeError) as error:
        raise UsageError(f"{where} declares no deployments of the endpoint {endpoint}. Declare them first.") from error
    if not isinstance(deployments, dict):
        raise UsageError(f"{where}: sluice:endpoints.{endpoint}.deployments must be a mapping. Correct it.")
    before = deployments.get(colour)
    after = {**(before or {}), **values}
    # A mapping that an alias shares must not change in its other places: it is replaced here, never changed.
    data = _set(
        data,
        ("config", "sluice:endpoints", endpoint, "deployments", colour),
        {name: value for name, value in after.items() if value is not None},
    )
    return {"before": before, "after": data}


def _set(data: Any, path: tuple[str, ...], value: Any) -> Any:
    if not path:
        return value
    return {**data, path[0]: _set(data.get(path[0]), path[1:], value)}


def _loaded(text: str, where: str) -> Any:
    try:
        return read_yaml(text.removeprefix("\ufeff"))
    except yaml.YAMLError as error:
        raise UsageError(f"{where} cannot be read: {' '.join(str(error).split())}. Correct it.") from error


def _mapping_at(text: str, path: tuple[str, ...], where: str) -> tuple[yaml.MappingNode, yaml.Node, yaml.Node]:
    """Return the mapping that holds the last name of a path, and that name's key and value."""
    parent: yaml.Node | None = yaml.compose(text, Loader=StrictLoader)
    for number, name in enumerate(path):
        entries = parent.value if isinstance(parent, yaml.MappingNode) else []
        found = [(key, value) for key, value in entries if key.value == name]
        if len(found) != 1:
            what = "is written twice" if found else "cannot be found (a merge key?)"
            raise UsageError(f"{where}: {'.'.join(path[1 : number + 1])} {what}. Write it once, where it belongs.")
        if number == len(path) - 1:
            assert isinstance(parent, yaml.MappingNode)
            return parent, *found[0]
        parent = found[0][1]
    raise AssertionError("the path is not empty")


def _with_entry(text: str, path: tuple[str, ...], name: str, value: Any, where: str) -> str:
    """Set one entry of the mapping at a path: replaced where it stands, else added at the end."""
    _, at_key, mapping = _mapping_at(text, path, where)
    if not isinstance(mapping, yaml.MappingNode) or not mapping.value:  # null or {}
        return _replaced(text, at_key, mapping, _flow({name: value}))
    found = next(((key, node) for key, node in mapping.value if key.value == name), None)
    if found is not None:
        return _replaced(text, *found, _flow(value))
    last = mapping.value[-1][1]
    end = end_of(last)
    if mapping.flow_style:
        return f"{text[:end]}, {_entry(name, value)}{text[end:]}"
    line_end = "\r\n" if "\r\n" in text else "\n"
    stop = min((at for mark in ("\r", "\n") if (at := text.find(mark, end)) >= 0), default=len(text))
    first = mapping.value[0][0]
    indent = " " * first.start_mark.column
    lines = [f"{indent}{_entry(name, value)}"]
    if isinstance(last, yaml.MappingNode) and not last.flow_style and isinstance(value, Mapping) and value:
        inner = " " * last.value[0][0].start_mark.column
        lines = [f"{indent}{as_scalar(name)}:", *(f"{inner}{_entry(one, each)}" for one, each in value.items())]
    return text[:stop] + "".join(f"{line_end}{line}" for line in lines) + text[stop:]


def _replaced(text: str, key: yaml.Node, value: yaml.Node, flow: str) -> str:
    """Replace a value of any style; what stands behind it on its line stays."""
    colon = text.index(":", key.end_mark.index)
    end = colon + 1 if value.tag == NULL and not value.value else max(end_of(value), colon + 1)
    return f"{text[: colon + 1]} {flow}{text[end:]}"


def _without_key(text: str, path: tuple[str, ...], name: str, where: str) -> str:
    """Remove one entry of the mapping at a path, with its line; nothing if it is not there."""
    _, at_key, mapping = _mapping_at(text, path, where)
    entries = mapping.value if isinstance(mapping, yaml.MappingNode) else []
    number = next((at for at, (key, _) in enumerate(entries) if key.value == name), None)
    if number is None:
        return text
    key, value = entries[number]
    if len(entries) == 1:
        return _replaced(text, at_key, mapping, "{}")
    if isinstance(mapping, yaml.MappingNode) and mapping.flow_style:
        if number == 0:
            return text[: key.start_mark.index] + text[entries[1][0].start_mark.index :]
        return text[: end_of(entries[number - 1][1])] + text[end_of(value) :]
    start = key.start_mark.index - key.start_mark.column
    stop = text.find("\n", max(end_of(value), key.end_mark.index))
    return text[:start] + (text[stop + 1 :] if stop >= 0 else "")


def _entry(name: str, value: Any) -> str:
    return f"{as_scalar(name)}: {_flow(value)}"


def _flow(value: Any) -> str:
    """Return a value in flow style, on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(_entry(str(name), one) for name, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str) and _HEXADECIMAL.fullmatch(value):
        return json.dumps(value)  # Go's YAML reads 12345678e1234567 as a number, Python's does not
    return yaml.safe_dump([value], default_flow_style=True, width=2**20, allow_unicode=True).strip()[1:-1]

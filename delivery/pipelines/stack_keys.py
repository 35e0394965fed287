"""The keys that pipelines need in the stack files, added in place: comments and order of the file stay.

Pure. Only keys that are absent are added; a value that a team has chosen stays. Each edit is proven: both texts are
parsed, and they differ in the added keys only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from command_errors import UsageError
from strict_yaml import StrictLoader, read_yaml

KeyPath = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Addition:
    """One key of a stack file: its path below the document, such as ("config", "sluice:branch"), and its value."""

    path: KeyPath
    value: str | bool

    def __str__(self) -> str:
        return f"{'.'.join(self.path[1:])}: {_scalar(self.value)}"


def wanted_keys(text: str, stack: str, stacks: Sequence[str], *, branches: bool) -> list[Addition]:
    """The keys that a stack's file lacks for delivery along `stacks`, the order of promotion.

    Every plan starts by itself; every stack but the last promotes to the next one; every stack but the first demands
    the proof of the one before; the last demands exact versions. With `branches`, each stack has a branch of its own,
    and takes only what the stack before could deploy.
    """
    at = stacks.index(stack)
    before, after = (stacks[at - 1] if at else None), (stacks[at + 1] if at + 1 < len(stacks) else None)
    found = []
    if branches:
        found.append(Addition(path=("config", "sluice:branch"), value=f"sluice/{stack}"))
        if before is not None:
            found.append(Addition(path=("config", "sluice:after"), value=before))
    if before is not None:
        found.append(Addition(path=("config", "sluice:limits", "require_proof"), value=before))
        if after is None:
            found.append(Addition(path=("config", "sluice:limits", "require_pinned"), value=True))
    document = read_yaml(text) or {}
    rollouts = _mapping(_mapping(document.get("config")).get("sluice:rollout"))
    for endpoint, rollout in rollouts.items():
        if _mapping(rollout).get("plan"):
            plan = ("config", "sluice:rollout", endpoint, "plan")
            found.append(Addition(path=(*plan, "start"), value="auto"))
            if after is not None:
                found.append(Addition(path=(*plan, "promote_to"), value=after))
    return [addition for addition in found if not _is_set(document, addition.path)]


def with_keys(text: str, additions: Sequence[Addition], where: str) -> str:
    """The text of a stack file with these keys. Raises UsageError if one cannot be added without another change."""
    wanted = read_yaml(text) or {}
    for addition in additions:
        text = _with_key(text, addition, where)
        wanted = _set(wanted, addition.path, addition.value)
        if _loaded(text) != wanted:
            raise UsageError(
                f"{where}: `sluice` cannot add {addition.path[-1]} to {'.'.join(addition.path[:-1])} without changing "
                f"something else in the file. Add it yourself: {addition}"
            )
    return text


def _with_key(text: str, addition: Addition, where: str) -> str:
    root = yaml.compose(text, Loader=StrictLoader)
    if not isinstance(root, yaml.MappingNode):
        raise UsageError(f"{where} cannot be read: it must hold keys and values. Correct it.")
    node, rest = root, list(addition.path)
    while len(rest) > 1:
        child = next((value for key, value in node.value if key.value == rest[0]), None)
        if not isinstance(child, yaml.MappingNode):
            break
        node, rest = child, rest[1:]
    entry = _scalar(addition.value)
    for name in reversed(rest[1:]):
        entry = f"{{{name}: {entry}}}"
    return _appended(text, node, f"{rest[0]}: {entry}")


def _appended(text: str, mapping: yaml.MappingNode, entry: str) -> str:
    """The text with one more entry: at the end of a mapping in flow style, at the beginning of any other."""
    if mapping.flow_style:
        end = mapping.end_mark.index - 1
        before = text[:end].rstrip()
        separator = "" if before.endswith("{") or before.endswith(",") else ", "
        return f"{before}{separator}{entry}{text[len(before) : end].strip(' ')}{text[end:]}"
    start = mapping.value[0][0].start_mark
    line_end = "\r\n" if "\r\n" in text else "\n"
    return f"{text[: start.index]}{entry}{line_end}{' ' * start.column}{text[start.index :]}"


def _scalar(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_set(document: Any, path: KeyPath) -> bool:
    for name in path:
        if not isinstance(document, dict) or name not in document:
            return False
        document = document[name]
    return True


def _set(document: Any, path: KeyPath, value: str | bool) -> Any:
    """The values with one more; what aliases share changes in this place only."""
    if not path:
        return value
    return {**_mapping(document), path[0]: _set(_mapping(document).get(path[0]), path[1:], value)}


def _loaded(text: str) -> Any:
    try:
        return read_yaml(text)
    except yaml.YAMLError:
        return None

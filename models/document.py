"""Reads one az ml YAML file as text and as plain values; finds the other files that azure-ai-ml would read with it.

It checks what YAML readers accept silently (a key written twice), but not what the keys mean.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from strict_yaml import StrictLoader

MAX_DEPTH = 30  # a deployment's file has four levels
MAX_VALUES = 200_000  # a deployment's file has about thirty values, a stack file about thirty for each endpoint


_KINDS = {str: "text", list: "a list", set: "a set", int: "a number", float: "a number"}


class DocumentError(ValueError):
    """A file is not a readable YAML mapping; the message states where and why."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """One YAML file of a model."""

    path: Path
    text: str
    content: dict[str, Any]

    def read_files(self) -> list[Path]:
        """Return the files that azure-ai-ml reads besides this one: conda files, `file:` links, and theirs in turn."""
        found: set[Path] = set()
        _collect(self.content, self.path.parent, found)
        return sorted(found)


class _Loader(StrictLoader):
    """A loader that refuses duplicate keys; YAML readers silently keep the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping of a node."""
        seen = set()
        for key_node, _ in node.value:
            key = (key_node.tag, key_node.value if isinstance(key_node.value, str) else id(key_node))
            if key in seen and key_node.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    "while reading a mapping",
                    node.start_mark,
                    f"key {key_node.value!r} is written twice",
                    key_node.start_mark,
                )
            seen.add(key)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


def read_document(path: Path) -> Document:
    """Return a YAML file that holds one mapping. Raises DocumentError."""
    if path.is_fifo():  # opening it would block forever
        raise DocumentError("the file cannot be read: it is a pipe")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DocumentError(f"the file cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DocumentError(f"the file is not UTF-8 text (byte {error.start})") from error
    try:
        content = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise DocumentError(f"the YAML cannot be read: {_one_line(error)}") from error
    if not isinstance(content, dict):
        kind = "empty" if content is None else _KINDS.get(type(content), "a single value")
        raise DocumentError(f"the file must hold keys and values, but it is {kind}")
    _check_size(content)
    return Document(path=path, text=text, content=content)


def _check_size(content: Any) -> None:
    """Refuse huge content: with aliases, ten lines can contain themselves, or more values than fit into memory."""
    seen = 0
    rest = [(content, 0)]
    while rest:
        value, depth = rest.pop()
        seen += 1
        if depth > MAX_DEPTH:
            raise DocumentError(f"the YAML is nested more than {MAX_DEPTH} deep, or contains itself through an alias")
        if seen > MAX_VALUES:
            raise DocumentError(f"the YAML holds more than {MAX_VALUES} values once its aliases are expanded")
        if isinstance(value, dict):
            rest += [(child, depth + 1) for child in value.values()]
        elif isinstance(value, list):
            rest += [(child, depth + 1) for child in value]


def _one_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    if problem == "but found another document":  # the second half of PyYAML's sentence
        problem = "a second document begins here, but a file must hold exactly one"
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else str(problem)


def _collect(value: Any, folder: Path, found: set[Path]) -> None:
    if isinstance(value, dict):
        conda_file = value.get("conda_file")
        if isinstance(conda_file, str):
            found.add(folder / conda_file.removeprefix("file:"))
        for child in value.values():
            _collect(child, folder, found)
    elif isinstance(value, list):
        for child in value:
            _collect(child, folder, found)
    elif isinstance(value, str) and value.startswith("file:"):
        linked = folder / value.removeprefix("file:")
        if linked not in found:
            found.add(linked)
            with contextlib.suppress(DocumentError):  # azure-ai-ml reports what is wrong with it
                _collect(read_document(linked).content, linked.parent, found)

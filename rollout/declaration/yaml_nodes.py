"""YAML nodes as PyYAML composes them: their values, how often each is referred to, and where each ends in its text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

STRING, NULL = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "null"))


def plain_data(node: yaml.Node, left_out: Mapping[int, tuple[str, ...]], seen: dict[int, Any]) -> Any:
    """Return tags and values of a node; keys stay in their order. It is built once where aliases share it."""
    if id(node) in seen:
        return seen[id(node)]
    if isinstance(node, yaml.MappingNode):
        found: Any = [node.tag]
        seen[id(node)] = found
        names = left_out.get(id(node), ())
        found += [
            (plain_data(key, left_out, seen), plain_data(value, left_out, seen))
            for key, value in node.value
            if not (key.tag == STRING and key.value in names)
        ]
    elif isinstance(node, yaml.SequenceNode):
        found = [node.tag]
        seen[id(node)] = found
        found += [plain_data(each, left_out, seen) for each in node.value]
    else:
        found = seen[id(node)] = (node.tag, node.value)
    return found


def count_references(root: yaml.Node) -> dict[int, int]:
    """Return how many places of the file refer to each node: more than one if there is an alias."""
    counted: dict[int, int] = {id(root): 1}
    waiting = [root]
    while waiting:
        for child in _children(waiting.pop()):
            counted[id(child)] = counted.get(id(child), 0) + 1
            if counted[id(child)] == 1:
                waiting.append(child)
    return counted


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def end_of(node: yaml.Node) -> int:
    """Return where a value ends: in block style with its last value or item, before comments that follow."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        node = node.value[-1][1] if isinstance(node, yaml.MappingNode) else node.value[-1]
    return int(node.end_mark.index)

"""A stack file's text with its nodes, and edits that are cut in at the marks of nodes (ADR 29).

Pure. The classes that edit one kind of value build on it; each proves its edits by parsing both texts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import yaml

from command_errors import UsageError
from rollout.declaration.yaml_nodes import STRING, count_references, end_of
from strict_yaml import StrictLoader


@dataclass(frozen=True)
class Edit:
    """One piece of the text, from `start` to `end`, and what replaces it."""

    start: int
    end: int
    text: str


def apply(text: str, edits: Iterable[Edit]) -> str:
    """Return the text with these edits, which do not overlap; of two at one place, the first stays first."""
    pieces, at = [], 0
    for edit in sorted(edits, key=lambda each: each.start):
        pieces += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*pieces, text[at:]])


class YamlText:
    """The text of the file `where`, and its nodes. Raises UsageError if it is no mapping."""

    def __init__(self, text: str, where: str) -> None:
        self.text = text
        self.where = where
        self.root = self._composed()
        self._references = count_references(self.root)

    # Reading

    def child(self, mapping: yaml.MappingNode, name: str) -> yaml.Node | None:
        """Return the value under a key; a key that is written twice is refused."""
        found = [value for key, value in mapping.value if key.tag == STRING and key.value == name]
        if len(found) > 1:
            line = found[1].start_mark.line + 1
            raise UsageError(f"{self.where}, line {line}: the key {name!r} is written twice. Remove one.")
        return found[0] if found else None

    def is_shared(self, node: yaml.Node) -> bool:
        """Whether several places of the file refer to a node."""
        return self._references[id(node)] > 1

    def require_own(self, node: yaml.Node, place: str) -> None:
        """Refuse a node that an alias refers to as well."""
        if self.is_shared(node):
            raise UsageError(
                f"{self.where}: {place} is an anchor with an alias (line {node.start_mark.line + 1}), so that its "
                "change would change another place too. Write the value itself in each place."
            )

    # Editing

    def replaced(self, node: yaml.Node, value: str) -> Edit:
        """Replace a scalar; an anchor or a tag before it stays."""
        start, end = node.start_mark.index, node.end_mark.index
        while self.text[start:end][:1] in ("&", "!"):
            word = self.text[start:end].split()[0]
            start += len(word)
            start += len(self.text[start:end]) - len(self.text[start:end].lstrip())
        return Edit(start, end, value)

    def filled(self, node: yaml.Node, value: str) -> Edit:
        """Replace a null, which may have no text at all."""
        edit = self.replaced(node, value)
        return edit if edit.start < edit.end else Edit(edit.start, edit.end, f" {value}")

    def added(self, node: yaml.MappingNode, entries: list[str]) -> list[Edit]:
        """Add entries at the end of a mapping, in the mapping's style."""
        if not entries:
            return []
        if not node.value:  # {}, which has no other style
            at = self.text.index("{", node.start_mark.index) + 1
            return [Edit(at, at, ", ".join(entries))]
        return self.after(node, node.value[-1][1], entries)

    def after(self, mapping: yaml.MappingNode, value: yaml.Node, entries: list[str]) -> list[Edit]:
        """Add entries to a mapping behind the entry that has this value."""
        end = end_of(value)
        if mapping.flow_style:
            return [Edit(end, end, "".join(f", {entry}" for entry in entries))]
        at = self._end_of_line(end)
        return [Edit(at, at, "".join(f"{self._line_end}{self._indent_of(mapping)}{entry}" for entry in entries))]

    def before_all(self, mapping: yaml.MappingNode, entry: str) -> list[Edit]:
        """Add an entry at the beginning of a mapping, where no other value can be in the way."""
        if not mapping.value:
            return self.added(mapping, [entry])
        start = self._start_of(mapping.value[0][0])
        separator = ", " if mapping.flow_style else f"{self._line_end}{self._indent_of(mapping)}"
        return [Edit(start, start, f"{entry}{separator}")]

    def removed(self, mapping: yaml.MappingNode, name: str) -> Edit:
        """Remove an entry: with its lines in block style, with one of the commas beside it in flow style."""
        keys = [key for key, _ in mapping.value]
        index = next(index for index, key in enumerate(keys) if key.tag == STRING and key.value == name)
        start, end = self._start_of(keys[index]), end_of(mapping.value[index][1])
        if not mapping.flow_style:
            start = max(self.text.rfind("\n", 0, start), self.text.rfind("\r", 0, start)) + 1
            end = self._end_of_line(end)
            return Edit(start, min(len(self.text), end + len(self._line_end)), "")
        if index + 1 < len(keys):
            return Edit(start, self._start_of(keys[index + 1]), "")
        return Edit(end_of(mapping.value[index - 1][1]) if index else start, end, "")

    def _start_of(self, key: yaml.Node) -> int:
        """Return where an entry begins; its key may stand behind a question mark."""
        start = int(key.start_mark.index)
        before = self.text[:start].rstrip(" ")
        return len(before) - 1 if before.endswith("?") else start

    def _end_of_line(self, at: int) -> int:
        return min(
            (self.text.find(mark, at) for mark in ("\r", "\n") if mark in self.text[at:]), default=len(self.text)
        )

    def _indent_of(self, mapping: yaml.MappingNode) -> str:
        start = self._start_of(mapping.value[0][0])
        line = max(self.text.rfind("\n", 0, start), self.text.rfind("\r", 0, start)) + 1
        return " " * (start - line)

    @property
    def _line_end(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    def _composed(self) -> yaml.MappingNode:
        try:
            root = yaml.compose(self.text, Loader=StrictLoader)
        except yaml.YAMLError as error:
            raise UsageError(f"{self.where} cannot be read: {' '.join(str(error).split())}. Correct it.") from error
        if not isinstance(root, yaml.MappingNode):
            raise UsageError(f"{self.where} cannot be read: it must hold keys and values. Correct it.")
        return root

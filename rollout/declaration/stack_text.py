"""The weights of one endpoint in the text of a stack file: read, and replaced where they stand.

Pure. The text is cut at the marks of PyYAML's nodes, so comments, order, quotes, anchors, flow style and line ends
stay as they are. Each edit is proven: both texts are parsed, and they may differ in the named values only (ADR 29).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from command_errors import UsageError
from rollout.declaration.yaml_nodes import NULL, STRING, FastLoader, as_scalar, count_references, end_of, plain_data
from rollout.split import Split
from weights import is_whole_percent, nonzero

ROLLOUT = ("config", "sluice:rollout")
NAMES = ("traffic", "mirror")


@dataclass(frozen=True, kw_only=True)
class WeightLines:
    """What the three lines of an endpoint say that a rollout moves: `traffic`, `mirror` and `stable`."""

    split: Split
    stable: str | None = None


@dataclass(frozen=True)
class _Edit:
    """One piece of the text, from `start` to `end`, and what replaces it."""

    start: int
    end: int
    text: str


def read_lines(text: str, key: str, where: str) -> WeightLines:
    """Return the weights under `sluice:rollout.<key>` of the file `where`. Raises UsageError if they are invalid."""
    return _Document(text, key, where).lines


def edit_lines(text: str, key: str, where: str, to: Split, stable: str | None = None) -> str:
    """Return the text with these weights, and with `stable` unless it is None.

    A colour with an entry but without weight gets 0. Raises UsageError, which names the place, if the file cannot be
    edited without changing something else.
    """
    document = _Document(text, key, where)
    edits = [
        *document.edits_of("traffic", to.traffic),
        *document.edits_of("mirror", to.mirror),
        *(document.edits_of_stable(stable) if stable is not None else ()),
    ]
    edited = _apply(text, edits)
    _prove(document, edited, WeightLines(split=to, stable=document.lines.stable if stable is None else stable))
    return edited


def differ_in_weights_only(one: str, other: str, key: str, where: str) -> bool:
    """Whether two versions of a file are the same text, comments included, apart from this endpoint's three lines."""
    documents = _Document(one, key, where), _Document(other, key, where)
    colours = {name: sorted({*documents[0].written[name], *documents[1].written[name]}) for name in NAMES}
    alike = Split(**{name: dict.fromkeys(each, 1) for name, each in colours.items()})
    first, second = (edit_lines(document.text, key, where, alike, "any") for document in documents)
    return first == second


class _Document:
    """A stack file's nodes down to one endpoint's weights."""

    def __init__(self, text: str, key: str, where: str) -> None:
        self.text = text
        self.key = key
        self.where = where
        self.root = self._composed()
        self._references = count_references(self.root)
        self.section = self._section()
        self.written: dict[str, dict[str, int]] = {}  # with zeros
        self.lines = self._lines()

    def edits_of(self, name: str, weights: Mapping[str, int]) -> list[_Edit]:
        """Return the edits that give these weights to the mapping `traffic` or `mirror`."""
        before = self.written[name]
        wanted = {colour: weights.get(colour, 0) for colour in before} | dict(weights)
        if wanted == before:
            return []
        node = self._child(self.section, name)
        if node is None or node.tag == NULL:
            return self._edits_of_absent(name, node, wanted) if nonzero(wanted) != nonzero(before) else []
        assert isinstance(node, yaml.MappingNode)
        place = f"{self._path}.{name}"
        self._require_own(node, place)
        edits, added = [], {}
        for colour, weight in wanted.items():
            value = self._child(node, colour)
            if value is None:
                if weight != before.get(colour, 0):
                    added[colour] = weight
            elif weight != before[colour]:
                self._require_own(value, f"{place}.{colour}")
                edits.append(self._replaced(value, str(weight)))
        return edits + self._added(node, [f"{as_scalar(colour)}: {weight}" for colour, weight in added.items()])

    def edits_of_stable(self, stable: str) -> list[_Edit]:
        """Return the edits that make a colour the stable one."""
        node = self._child(self.section, "stable")
        if node is None:
            return self._before_all(f"stable: {as_scalar(stable)}")
        if node.value == stable:
            return []
        self._require_own(node, f"{self._path}.stable")
        return [self._replaced(node, as_scalar(stable))]

    @property
    def _path(self) -> str:
        return f"sluice:rollout.{self.key}"

    def _edits_of_absent(self, name: str, node: yaml.Node | None, weights: Mapping[str, int]) -> list[_Edit]:
        """Write a section that is absent or null, in flow style."""
        flow = "{" + ", ".join(f"{as_scalar(colour)}: {weight}" for colour, weight in weights.items()) + "}"
        if node is not None:
            self._require_own(node, f"{self._path}.{name}")
            edit = self._replaced(node, flow)
            return [edit if edit.start < edit.end else _Edit(edit.start, edit.end, f" {flow}")]
        traffic = self._child(self.section, "traffic")
        if name == "mirror" and traffic is not None and traffic.tag != NULL and not self._is_shared(traffic):
            return self._after(self.section, traffic, [f"{name}: {flow}"])
        return self._before_all(f"{name}: {flow}")

    def _added(self, node: yaml.MappingNode, entries: list[str]) -> list[_Edit]:
        """Add entries at the end of a mapping, in the mapping's style."""
        if not entries:
            return []
        if not node.value:  # {}, which has no other style
            at = self.text.index("{", node.start_mark.index) + 1
            return [_Edit(at, at, ", ".join(entries))]
        return self._after(node, node.value[-1][1], entries)

    def _after(self, mapping: yaml.MappingNode, value: yaml.Node, entries: list[str]) -> list[_Edit]:
        """Add entries to a mapping behind the entry that has this value."""
        end = end_of(value)
        if mapping.flow_style:
            return [_Edit(end, end, "".join(f", {entry}" for entry in entries))]
        at = min(
            (self.text.find(mark, end) for mark in ("\r", "\n") if mark in self.text[end:]), default=len(self.text)
        )
        return [_Edit(at, at, "".join(f"{self._line_end}{self._indent_of(mapping)}{entry}" for entry in entries))]

    def _before_all(self, entry: str) -> list[_Edit]:
        """Add an entry at the beginning of the endpoint's section, where no other value can be in the way."""
        if not self.section.value:
            return self._added(self.section, [entry])
        start = self._start_of(self.section)
        separator = ", " if self.section.flow_style else f"{self._line_end}{self._indent_of(self.section)}"
        return [_Edit(start, start, f"{entry}{separator}")]

    def _start_of(self, mapping: yaml.MappingNode) -> int:
        """Return where the first entry of a mapping begins; its key may stand behind a question mark."""
        start = int(mapping.value[0][0].start_mark.index)
        before = self.text[:start].rstrip(" ")
        return len(before) - 1 if before.endswith("?") else start

    def _indent_of(self, mapping: yaml.MappingNode) -> str:
        start = self._start_of(mapping)
        line = max(self.text.rfind("\n", 0, start), self.text.rfind("\r", 0, start)) + 1
        return " " * (start - line)

    @property
    def _line_end(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    def _replaced(self, node: yaml.Node, value: str) -> _Edit:
        """Replace a scalar; an anchor or a tag before it stays."""
        start, end = node.start_mark.index, node.end_mark.index
        while self.text[start:end][:1] in ("&", "!"):
            word = self.text[start:end].split()[0]
            start += len(word)
            start += len(self.text[start:end]) - len(self.text[start:end].lstrip())
        return _Edit(start, end, value)

    # Reading

    def _composed(self) -> yaml.MappingNode:
        loader = FastLoader(self.text)
        try:
            root = loader.get_single_node()
        except yaml.YAMLError as error:
            raise UsageError(f"{self.where} cannot be read: {' '.join(str(error).split())}. Correct it.") from error
        finally:
            loader.dispose()
        if not isinstance(root, yaml.MappingNode):
            raise UsageError(f"{self.where} cannot be read: it must hold keys and values. Correct it.")
        return root

    def _section(self) -> yaml.MappingNode:
        node, path = self.root, ""
        for name in (*ROLLOUT, self.key):
            child = self._child(node, name)
            if not isinstance(child, yaml.MappingNode):
                raise UsageError(
                    f"{self.where} has no section {self._path} of its own. Add it, with stable, traffic and plan."
                )
            node, path = child, f"{path}.{name}".removeprefix(".")
            self._require_own(node, path.removeprefix("config."))
        return node

    def _child(self, mapping: yaml.MappingNode, name: str) -> yaml.Node | None:
        found = [value for key, value in mapping.value if key.tag == STRING and key.value == name]
        if len(found) > 1:
            line = found[1].start_mark.line + 1
            raise UsageError(f"{self.where}, line {line}: the key {name!r} is written twice. Remove one.")
        return found[0] if found else None

    def _is_shared(self, node: yaml.Node) -> bool:
        return self._references[id(node)] > 1

    def _require_own(self, node: yaml.Node, place: str) -> None:
        if self._is_shared(node):
            raise UsageError(
                f"{self.where}: {place} is an anchor with an alias (line {node.start_mark.line + 1}), so that its "
                "change would change another place too. Write the value itself in each place."
            )

    def _lines(self) -> WeightLines:
        loader = FastLoader("")
        try:
            content = loader.construct_document(copy.deepcopy(self.section))  # follows merges (<<), which changes nodes
        except (yaml.YAMLError, RecursionError) as error:
            raise UsageError(f"{self.where}: {self._path} cannot be read: {error}. Correct it.") from error
        finally:
            loader.dispose()
        stable = content.get("stable")
        if stable is not None and not isinstance(stable, str):
            raise UsageError(f"{self.where}: {self._path}.stable must be the name of a deployment, got {stable!r}.")
        self.written = {name: self._weights(content, name) for name in NAMES}
        return WeightLines(split=Split(**self.written), stable=stable)

    def _weights(self, content: Mapping[str, Any], name: str) -> dict[str, int]:
        weights = content.get(name)
        weights = {} if weights is None else weights
        if not isinstance(weights, dict) or not all(
            isinstance(colour, str) and is_whole_percent(weight) for colour, weight in weights.items()
        ):
            raise UsageError(
                f"{self.where}: {self._path}.{name} must hold whole percents by deployment, such as {{blue: 100}}, got "
                f"{weights!r}. Correct it."
            )
        return weights


def _apply(text: str, edits: list[_Edit]) -> str:
    pieces, at = [], 0
    for edit in sorted(edits, key=lambda each: each.start):  # stable: of two at one place, the first stays first
        pieces += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*pieces, text[at:]])


def _prove(before: _Document, edited: str, wanted: WeightLines) -> None:
    """Raise UsageError unless the edited text has these weights, and otherwise the same values as before."""
    try:
        after = _Document(edited, before.key, before.where)
        same = after.lines == wanted and _rest(after) == _rest(before)
    except UsageError:
        same = False
    if not same:
        raise UsageError(
            f"{before.where}: the weights of sluice:rollout.{before.key} are written in a form that cannot be edited "
            "in place without changing something else. Write them as plain lines: traffic: {blue: 90, green: 10}."
        )


def _rest(document: _Document) -> Any:
    """Return all values of a file as plain data, without the three lines of this endpoint."""
    lines = {id(document.section): ("traffic", "mirror", "stable")}
    return plain_data(document.root, lines, {})

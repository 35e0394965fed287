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
from rollout.declaration.yaml_nodes import NULL, plain_data
from rollout.declaration.yaml_text import Edit, YamlText, apply
from rollout.split import Split
from strict_yaml import StrictLoader, as_scalar
from weights import is_whole_percent, nonzero

ROLLOUT = ("config", "sluice:rollout")
NAMES = ("traffic", "mirror")


@dataclass(frozen=True, kw_only=True)
class WeightLines:
    """What the three lines of an endpoint say that a rollout moves: `traffic`, `mirror` and `stable`."""

    split: Split
    stable: str | None = None


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
    edited = apply(text, edits)
    _prove(document, edited, WeightLines(split=to, stable=document.lines.stable if stable is None else stable))
    return edited


def differ_in_weights_only(one: str, other: str, key: str, where: str) -> bool:
    """Whether two versions of a file are the same text, comments included, apart from this endpoint's three lines."""
    documents = _Document(one, key, where), _Document(other, key, where)
    colours = {name: sorted({*documents[0].written[name], *documents[1].written[name]}) for name in NAMES}
    alike = Split(**{name: dict.fromkeys(each, 1) for name, each in colours.items()})
    first, second = (edit_lines(document.text, key, where, alike, "any") for document in documents)
    return first == second


class _Document(YamlText):
    """A stack file's nodes down to one endpoint's weights."""

    def __init__(self, text: str, key: str, where: str) -> None:
        super().__init__(text, where)
        self.key = key
        self.section = self._section()
        self.written: dict[str, dict[str, int]] = {}  # with zeros
        self.lines = self._lines()

    def edits_of(self, name: str, weights: Mapping[str, int]) -> list[Edit]:
        """Return the edits that give these weights to the mapping `traffic` or `mirror`."""
        before = self.written[name]
        wanted = {colour: weights.get(colour, 0) for colour in before} | dict(weights)
        if wanted == before:
            return []
        node = self.child(self.section, name)
        if node is None or node.tag == NULL:
            return self._edits_of_absent(name, node, wanted) if nonzero(wanted) != nonzero(before) else []
        assert isinstance(node, yaml.MappingNode)
        place = f"{self._path}.{name}"
        self.require_own(node, place)
        edits, added = [], {}
        for colour, weight in wanted.items():
            value = self.child(node, colour)
            if value is None:
                if weight != before.get(colour, 0):
                    added[colour] = weight
            elif weight != before[colour]:
                self.require_own(value, f"{place}.{colour}")
                edits.append(self.replaced(value, str(weight)))
        return edits + self.added(node, [f"{as_scalar(colour)}: {weight}" for colour, weight in added.items()])

    def edits_of_stable(self, stable: str) -> list[Edit]:
        """Return the edits that make a colour the stable one."""
        node = self.child(self.section, "stable")
        if node is None:
            return self.before_all(self.section, f"stable: {as_scalar(stable)}")
        if node.value == stable:
            return []
        self.require_own(node, f"{self._path}.stable")
        return [self.replaced(node, as_scalar(stable))]

    @property
    def _path(self) -> str:
        return f"sluice:rollout.{self.key}"

    def _edits_of_absent(self, name: str, node: yaml.Node | None, weights: Mapping[str, int]) -> list[Edit]:
        """Write a section that is absent or null, in flow style."""
        flow = "{" + ", ".join(f"{as_scalar(colour)}: {weight}" for colour, weight in weights.items()) + "}"
        if node is not None:
            self.require_own(node, f"{self._path}.{name}")
            return [self.filled(node, flow)]
        traffic = self.child(self.section, "traffic")
        if name == "mirror" and traffic is not None and traffic.tag != NULL and not self.is_shared(traffic):
            return self.after(self.section, traffic, [f"{name}: {flow}"])
        return self.before_all(self.section, f"{name}: {flow}")

    # Reading

    def _section(self) -> yaml.MappingNode:
        node, path = self.root, ""
        for name in (*ROLLOUT, self.key):
            child = self.child(node, name)
            if not isinstance(child, yaml.MappingNode):
                raise UsageError(
                    f"{self.where} has no section {self._path} of its own. Add it, with stable, traffic and plan."
                )
            node, path = child, f"{path}.{name}".removeprefix(".")
            self.require_own(node, path.removeprefix("config."))
        return node

    def _lines(self) -> WeightLines:
        loader = StrictLoader("")
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

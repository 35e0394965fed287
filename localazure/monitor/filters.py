"""The `$filter` of metric queries: which dimension values to include, and by which dimensions to split.

The grammar of Azure Monitor: `A eq 'x' and (B eq 'y' or B eq 'z')`, with `ne`, `sw` (starts with) and `'*'` for any.
Names and values are compared without case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from localazure.monitor.errors import QueryError

MAX_LENGTH = 4000
_DEPTH = 20
_TOKEN = re.compile(r"\s*(?:(\()|(\))|'((?:[^']|'')*)'|([^\s()']+))")

Matches = Callable[[Mapping[str, str]], bool]


@dataclass(frozen=True)
class Filter:
    """A parsed filter."""

    dimensions: tuple[str, ...] = ()
    """The dimensions that it names, in the metric's spelling: the result is split by them."""
    matches: Matches = lambda values: True
    """Whether the filter includes a time series with these dimension values."""


def parse_filter(text: str, known: tuple[str, ...], metric: str) -> Filter:
    """Raises `QueryError` for an invalid filter, or one that names a dimension which the metric does not have."""
    if not text.strip():
        return Filter()
    if len(text) > MAX_LENGTH:
        raise QueryError(f"The filter has {len(text)} characters, at most {MAX_LENGTH} are allowed.")
    parser = _Parser(text, known, metric)
    matches = parser.alternatives(0)
    if parser.peek() is not None:
        raise parser.refused()
    return Filter(tuple(parser.named), matches)


class _Parser:
    def __init__(self, text: str, known: tuple[str, ...], metric: str) -> None:
        self.named: list[str] = []
        self._text, self._known, self._metric = text, known, metric
        self._tokens: list[tuple[str, str]] = []
        self._at = position = 0
        text = text.rstrip()
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:
                raise self.refused()
            opening, closing, value, word = found.groups()
            if opening or closing:
                self._tokens.append((opening or closing, ""))
            else:
                self._tokens.append(("value", value.replace("''", "'")) if value is not None else ("word", word))
            position = found.end()

    def peek(self) -> str | None:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else None

    def refused(self) -> QueryError:
        return QueryError(f"The filter {self._text[:200]!r} is not valid. Write it as A eq 'x' and B eq '*'.")

    def alternatives(self, depth: int) -> Matches:
        parts = [self._conjunction(depth)]
        while self._word_is("or"):
            self._at += 1
            parts.append(self._conjunction(depth))
        return parts[0] if len(parts) == 1 else lambda values: any(part(values) for part in parts)

    def _conjunction(self, depth: int) -> Matches:
        parts = [self._term(depth)]
        while self._word_is("and"):
            self._at += 1
            parts.append(self._term(depth))
        return parts[0] if len(parts) == 1 else lambda values: all(part(values) for part in parts)

    def _term(self, depth: int) -> Matches:
        if self.peek() == "(" and depth < _DEPTH:
            self._at += 1
            inner = self.alternatives(depth + 1)
            self._take(")")
            return inner
        name = self._dimension(self._take("word"))
        operator, value = self._take("word").lower(), self._take("value").lower()
        if name not in self.named:
            self.named.append(name)
        if operator == "eq":
            return lambda values: value == "*" or values.get(name, "").lower() == value
        if operator == "ne":
            return lambda values: values.get(name, "").lower() != value
        if operator == "sw":
            return lambda values: values.get(name, "").lower().startswith(value)
        raise self.refused()

    def _dimension(self, written: str) -> str:
        for name in self._known:
            if name.lower() == written.lower():
                return name
        supported = ", ".join(self._known) or "none"
        raise QueryError(  # wording from memory of the service
            f"Metric: {self._metric} does not support requested dimension combination: {written[:60]}, "
            f"supported ones are: {supported}"
        )

    def _take(self, kind: str) -> str:
        if self.peek() != kind:
            raise self.refused()
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _word_is(self, word: str) -> bool:
        return self.peek() == "word" and self._tokens[self._at][1].lower() == word

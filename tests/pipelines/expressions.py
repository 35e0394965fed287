"""Expressions of GitHub Actions and Azure Pipelines, as far as the pipelines of this project use them.

Texts in single quotes; names with dots (`github.event_name`, `inputs.stack`, `parameters.stack`); `variables['A.B']`;
`==`, `!=`, `&&`, `||`, parentheses; `eq`, `ne`, `in`. Anything else raises Unsupported. Texts compare without regard to
case, as in both systems.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|[A-Za-z_][\w.-]*|==|!=|&&|\|\||[()\[\],])")
_EMBEDDED = re.compile(r"\$\{\{(.*?)\}\}")


class Unsupported(Exception):
    """A key or an expression outside of the subset that the runner knows."""


def evaluate(text: str, names: Mapping[str, Any]) -> Any:
    """The value of an expression; a name whose last parts are absent is an empty text, as on GitHub."""
    tokens, at = [], 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise Unsupported(f"expression {text!r}, at {text[at:]!r}")
        tokens.append(found[1])
        at = found.end()
    reader = _Reader(tokens, names, text)
    value = reader.either()
    if reader.tokens:
        raise reader.unsupported()
    return value


def filled_in(text: str, names: Mapping[str, Any]) -> str:
    """The text with the values of its `${{ }}`."""
    return _EMBEDDED.sub(lambda found: str(evaluate(found[1], names)), text)


class _Reader:
    def __init__(self, tokens: list[str], names: Mapping[str, Any], text: str) -> None:
        self.tokens, self._names, self._text = tokens, names, text

    def unsupported(self) -> Unsupported:
        return Unsupported(f"expression {self._text!r}, at {' '.join(self.tokens) or 'its end'}")

    def either(self) -> Any:
        value = self._both()
        while self._took("||"):
            other = self._both()
            value = value or other
        return value

    def _both(self) -> Any:
        value = self._compared()
        while self._took("&&"):
            other = self._compared()
            value = value and other
        return value

    def _compared(self) -> Any:
        value = self._single()
        for sign in ("==", "!="):
            if self._took(sign):
                return (_alike(value) == _alike(self._single())) == (sign == "==")
        return value

    def _single(self) -> Any:
        token = self.tokens.pop(0) if self.tokens else ""
        if token == "(":
            value = self.either()
            self._require(")")
            return value
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if self._took("("):
            return self._called(token)
        if self._took("["):
            name = self._single()
            self._require("]")
            return self._found([token, name])
        if re.match(r"[A-Za-z_]", token):
            return self._found(token.split("."))
        raise self.unsupported()

    def _called(self, name: str) -> bool:
        values = [_alike(self.either())]
        while self._took(","):
            values.append(_alike(self.either()))
        self._require(")")
        if name == "in":
            return values[0] in values[1:]
        if name in ("eq", "ne") and len(values) == 2:
            return (values[0] == values[1]) == (name == "eq")
        raise self.unsupported()

    def _found(self, path: list[str]) -> Any:
        value: Any = self._names
        if path[0] not in value:
            raise Unsupported(f"expression {self._text!r}: {path[0]}")
        for name in path:
            value = value.get(name, "") if isinstance(value, Mapping) else ""
        return value

    def _took(self, token: str) -> bool:
        if self.tokens[:1] != [token]:
            return False
        self.tokens.pop(0)
        return True

    def _require(self, token: str) -> None:
        if not self._took(token):
            raise self.unsupported()


def _alike(value: Any) -> str:
    return str(value).lower()

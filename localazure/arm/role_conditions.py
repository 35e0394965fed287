"""Conditions of role assignments: whether a holder of a role may write or delete one certain role assignment.

The subset of Azure's grammar (documented in "Azure role assignment condition format and syntax" and in the examples of
"Delegate Azure role assignment management to others with conditions") that restricts who may be given which role:
ActionMatches, the attributes of a role assignment in the request or in the resource, GuidEquals and
StringEqualsIgnoreCase over any values, and, or, not. Everything else raises NotEmulated when the condition is sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from localazure.errors import NotEmulated

_PREFIX = "microsoft.authorization/roleassignments:"
_ATTRIBUTES = ("roledefinitionid", "principalid", "principaltype")
_OPERATORS = ("guidequals", "stringequalsignorecase")
_TOKEN = re.compile(
    r"\s*(?:(?P<mark>[(){},!]|&&|\|\|)"
    r"|@(?P<source>\w+)\[(?P<attribute>[^\]]+)\]"
    r"|'(?P<text>[^']*)'"
    r"|(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<word>[A-Za-z]+(?::[A-Za-z]+)?))"
)


@dataclass(frozen=True)
class Attempt:
    """What a holder of the role does: an action, and the role assignment that it is about, by lower-case attributes."""

    action: str
    request: Mapping[str, str] = field(default_factory=dict)
    """Of the assignment that a PUT would make."""
    resource: Mapping[str, str] = field(default_factory=dict)
    """Of the assignment as it is."""


Condition = Callable[[Attempt], bool]


def parse_condition(text: str) -> Condition:
    """A condition as a function. Raises NotEmulated for what this subset does not have."""
    parser = _Parser(text)
    condition = parser.either()
    if parser.rest():
        raise _unknown(parser.rest())
    return condition


def attributes_of(properties: Mapping[str, object]) -> dict[str, str]:
    """The attributes of a role assignment from its properties; a role by its GUID."""
    found = {name.lower(): str(value) for name, value in properties.items() if value is not None}
    shown = {name: found[name] for name in _ATTRIBUTES if name in found}
    if "roledefinitionid" in shown:
        shown["roledefinitionid"] = shown["roledefinitionid"].rsplit("/", 1)[-1]
    return shown


class _Parser:
    """Recursive descent: or binds weaker than and, and weaker than not."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def rest(self) -> str:
        return self._text[self._at :].strip()

    def either(self) -> Condition:
        parts = [self._all()]
        while self._take("or", "||"):
            parts.append(self._all())
        return lambda attempt: any(part(attempt) for part in parts)

    def _all(self) -> Condition:
        parts = [self._one()]
        while self._take("and", "&&"):
            parts.append(self._one())
        return lambda attempt: all(part(attempt) for part in parts)

    def _one(self) -> Condition:
        if self._take("not", "!"):
            inner = self._one()
            return lambda attempt: not inner(attempt)
        if self._take("("):
            inner = self.either()
            self._expect(")")
            return inner
        if self._take("actionmatches"):
            return _action(self._values())
        return self._comparison()

    def _comparison(self) -> Condition:
        match = self._match()
        if match is None or match["source"] is None:
            raise _unknown(self.rest())
        source, attribute = match["source"].lower(), match["attribute"].lower()
        if source not in ("request", "resource") or attribute.removeprefix(_PREFIX) not in _ATTRIBUTES:
            raise _unknown(self.rest())
        self._at = match.end()
        operator = self._word()
        function, _, comparison = operator.partition(":")
        if function != "foranyofanyvalues" or comparison not in _OPERATORS:
            raise _unknown(operator)
        wanted = {value.lower() for value in self._values()}
        name = attribute.removeprefix(_PREFIX)

        def compare(attempt: Attempt) -> bool:
            shown = attempt.request if source == "request" else attempt.resource
            return shown.get(name, "").lower() in wanted

        return compare

    def _values(self) -> list[str]:
        self._expect("{")
        values = []
        while True:
            match = self._match()
            if match is None or (match["text"] is None and match["guid"] is None):
                raise _unknown(self.rest())
            values.append(match["text"] if match["text"] is not None else match["guid"])
            self._at = match.end()
            if not self._take(","):
                self._expect("}")
                return values

    def _word(self) -> str:
        match = self._match()
        if match is None or match["word"] is None:
            raise _unknown(self.rest())
        self._at = match.end()
        return match["word"].lower()

    def _take(self, *wanted: str) -> bool:
        match = self._match()
        if match is None or (match["mark"] or (match["word"] or "").lower()) not in wanted:
            return False
        self._at = match.end()
        return True

    def _expect(self, mark: str) -> None:
        if not self._take(mark):
            raise _unknown(self.rest())

    def _match(self) -> re.Match[str] | None:
        return _TOKEN.match(self._text, self._at)


def _action(patterns: list[str]) -> Condition:
    if any("*" in pattern for pattern in patterns):
        raise _unknown("ActionMatches with *")
    wanted = {pattern.lower() for pattern in patterns}
    return lambda attempt: attempt.action in wanted


def _unknown(text: str) -> NotEmulated:
    return NotEmulated(f"The condition of a role assignment at {text[:80]!r}")

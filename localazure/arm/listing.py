"""Lists as Resource Manager returns them: `$filter`, and pages of `$top` with a `nextLink`. Pure.

Of the filter language the documented part for resources, resource groups and role assignments: `eq`, `ne`,
`substringof`, functions such as `atScope()`, joined by `and` and `or`. Everything else is NotEmulated, because an
ignored filter would return too much.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from localazure.errors import BadRequest, NotEmulated
from localazure.resource_id import ResourceId

_TEXT = r"'((?:[^']|'')*)'"
_TERM = re.compile(
    rf"\s*(?:(\w+)\s+(eq|ne)\s+{_TEXT}|substringof\(\s*{_TEXT}\s*,\s*(\w+)\s*\)|(\w+)\(\s*(?:{_TEXT})?\s*\))\s*",
    re.IGNORECASE,
)
_JOIN = re.compile(r"(and|or)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Term:
    """One comparison of a filter; names and values in lower case."""

    name: str
    operator: str
    """eq, ne, substringof, or call; for a call, `name` is that of the function."""
    value: str


Alternatives = Sequence[Sequence[Term]]
"""A filter matches when one of its alternatives does; an alternative matches when all its terms do."""


def read_filter(text: str) -> Alternatives:
    """Raises NotEmulated for any other syntax; an empty string matches everything."""
    if not text.strip():
        return [[]]
    alternatives: list[list[Term]] = [[]]
    position = 0
    while match := _TERM.match(text, position):
        alternatives[-1].append(_term(match))
        position = match.end()
        if position == len(text):
            return alternatives
        join = _JOIN.match(text, position)
        if join is None:
            break
        if join[1].lower() == "or":
            alternatives.append([])
        position = join.end()
    raise NotEmulated(f"The filter {text[:200]}")


def _term(match: re.Match[str]) -> Term:
    name, operator, value, part, container, function, argument = match.groups()
    if function:
        return Term(function.lower(), "call", _value(argument))
    if container:
        return Term(container.lower(), "substringof", _value(part))
    return Term(name.lower(), operator.lower(), _value(value))


def _value(text: str | None) -> str:
    return (text or "").replace("''", "'").lower()


def resource_filter(text: str, names: Sequence[str]) -> Callable[[Mapping[str, Any]], bool]:
    """Whether a resource in its list form matches a filter. `names` are the ones that this list's filter may use.

    Raises NotEmulated for others.
    """
    alternatives = read_filter(text)
    for term in (term for terms in alternatives for term in terms):
        comparable = ("substringof",) if term.name in ("name", "resourcegroup") else ()
        allowed = ("eq",) if term.name.startswith("tag") else ("eq", "ne", *comparable)
        if term.name not in names or term.operator not in allowed:
            raise NotEmulated(f"The filter {text[:200]}")
    return lambda body: any(_fulfils(body, terms) for terms in alternatives)


def _fulfils(body: Mapping[str, Any], terms: Sequence[Term]) -> bool:
    tags = {str(name).lower(): str(value).lower() for name, value in (body.get("tags") or {}).items()}
    wanted = [term.value for term in terms if term.name == "tagname"]
    if not all(name in tags for name in wanted):
        return False
    tagged = [tags[name] for name in wanted] or list(tags.values())
    return all(_compare(body, term, tagged) for term in terms if term.name != "tagname")


def _compare(body: Mapping[str, Any], term: Term, tagged: Sequence[str]) -> bool:
    if term.name == "tagvalue":
        return term.value in tagged
    if term.name == "resourcegroup":
        actual = ResourceId(str(body["id"])).resource_group
    else:
        actual = str(body.get({"resourcetype": "type"}.get(term.name, term.name), ""))
    if term.operator == "substringof":
        return term.value in actual.lower()
    return (actual.lower() == term.value) == (term.operator == "eq")


def page(values: Sequence[Any], query: Mapping[str, str], url: str, *, size: str = "$top") -> dict[str, Any]:
    """The requested page of a list, and the link to the next page. `url` is that of the list.

    The token of the next page is opaque in Azure; here it is the number of items returned so far.
    """
    token = {"$top": "$skiptoken"}.get(size, "$skip")
    given = {name.lower(): value for name, value in query.items()}
    first = _number(given.get(token, "0"), token, least=0)
    if size not in given:
        return {"value": list(values[first:])}
    last = first + _number(given[size], size, least=1)
    body: dict[str, Any] = {"value": list(values[first:last])}
    if last < len(values):
        following = {name: value for name, value in query.items() if name.lower() != token} | {token: str(last)}
        body["nextLink"] = f"{url}?{urlencode(following, safe='$')}"
    return body


def _number(text: str, name: str, *, least: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= least):
        # The wording is ours.
        raise BadRequest("BadRequest", f"{name} must be a whole number of at least {least}, got {text[:40]!r}.")
    return int(text)

"""The route table: which handler answers a method and a path that is not simply one resource, one list or one action.

A line is `METHOD /pattern`; `GET|HEAD` allows two methods, `*` all of them. In a pattern, `{name}` matches one segment
and `{name:one|other}` one of these words; the handler finds the values in `Request.parts`. Case is ignored. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace

from localazure.arm.reply import Reply, Request

Handler = Callable[[Request], Reply | Awaitable[Reply]]
_PLACEHOLDER = re.compile(r"\{(\w+)(?::([\w|]+))?\}")
_EVERY_METHOD = "*"


def compile_pattern(text: str) -> re.Pattern[str]:
    """The regular expression for the paths of a pattern."""
    parts, end = [], 0
    for placeholder in _PLACEHOLDER.finditer(text):
        name, words = placeholder.groups()
        parts += [re.escape(text[end : placeholder.start()]), f"(?P<{name}>{words or '[^/]+'})"]
        end = placeholder.end()
    return re.compile("".join([*parts, re.escape(text[end:])]), re.IGNORECASE)


@dataclass(frozen=True)
class Route:
    """One line of the table."""

    methods: frozenset[str]
    pattern: re.Pattern[str]
    handler: Handler
    of_type: str
    """The resource type that declares it; empty for routes of Resource Manager itself."""

    @classmethod
    def read(cls, line: str, handler: Handler, of_type: str = "") -> Route:
        methods, _, pattern = line.partition(" ")
        return cls(frozenset(methods.split("|")), compile_pattern(pattern), handler, of_type)

    @property
    def is_own(self) -> bool:
        """Whether Resource Manager itself or its own provider answers."""
        return not self.of_type or self.of_type.lower().startswith("microsoft.resources/")

    def match(self, request: Request) -> Request | None:
        """The request with its parts, or None when this line does not match it."""
        if request.method not in self.methods and _EVERY_METHOD not in self.methods:
            return None
        found = self.pattern.fullmatch(request.id.text)
        return replace(request, parts=found.groupdict()) if found else None


class RouteTable:
    """All routes of one control plane."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = tuple(routes)

    def find(self, request: Request) -> tuple[Route, Request] | None:
        """The route that answers a request, and its handler's argument; None when no line matches."""
        for route in self._routes:
            if matched := route.match(request):
                return route, matched
        return None

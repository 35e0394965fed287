"""Markdown that shows names and messages as they are, whatever is in them, and text that keeps a limit. Pure.

GitHub and Azure Repos render comments as Markdown with HTML. A name from a file may hold markup, mention a person or
end a comment, so each character that could mean something is written as an entity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_MEANINGFUL = frozenset("&<>\"'`*_[]()#@~|!\\$")
_BREAKING = frozenset("@#")
"""Characters by which GitHub finds people and issues, even where they are written as entities."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the text. `lines` may be cut from the end; `head` and `foot` stay."""

    head: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    foot: tuple[str, ...] = ()


def escaped(text: str) -> str:
    """Return one line of Markdown that renders as these characters."""
    return "".join(map(_character, " ".join(text.split())))


def code(name: object) -> str:
    """Return a name as code, in which GitHub looks for nothing."""
    text = " ".join(str(name).split())
    return f"<code>{''.join(map(_entity, text))}</code>"


def fitted(sections: Sequence[Section], limit: int, *, elsewhere: str) -> str:
    """Return the sections as one text of at most `limit` characters (UTF-16 units, as servers count them).

    If it is too long, lines are cut from the end of the last sections first; each cut section says how many are missing
    and where they are (`elsewhere`).
    """
    kept = [len(section.lines) for section in sections]
    for index in reversed(range(len(sections))):
        if _units(_joined(sections, kept, elsewhere)) <= limit:
            break
        least, most = 0, kept[index]
        while least < most:  # the most lines that fit, if any number does
            middle = (least + most + 1) // 2
            kept[index] = middle
            least, most = (middle, most) if _units(_joined(sections, kept, elsewhere)) <= limit else (least, middle - 1)
        kept[index] = least
    return _joined(sections, kept, elsewhere)


def _joined(sections: Sequence[Section], kept: Sequence[int], elsewhere: str) -> str:
    parts = []
    for section, count in zip(sections, kept, strict=True):
        missing = len(section.lines) - count
        note = (f"- … {missing} more {'is' if missing == 1 else 'are'} in {elsewhere}",) if missing else ()
        parts.append("\n".join([*section.head, *section.lines[:count], *note, *section.foot]))
    return "\n\n".join(part for part in parts if part) + "\n"


def _character(one: str) -> str:
    return f"{_entity(one)}<!-- -->" if one in _BREAKING else _entity(one)


def _entity(one: str) -> str:
    return f"&#{ord(one)};" if one in _MEANINGFUL else one


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2

"""Whether a conda file names an exact version of every package, so that the next build installs the same ones.

Pure. Sources: conda's "package match specifications" (`=1.2` is a prefix match, `==1.2` is exact, and so is a build
behind a second `=`); pip's "requirement specifiers" (PEP 440: `==` without `.*`, `===`; PEP 508: `name @ <address>`).
What the named packages require in turn is not seen here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from strict_yaml import read_yaml

SHOWN = 4
"""Lines that one message shows."""

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_VERSION = r"[A-Za-z0-9][A-Za-z0-9._+!-]*"
_CONDA = re.compile(
    rf"(?:[^\s:]+::)?{_NAME}\s*(?:==\s*{_VERSION}(?:=\S+)?|=\s*{_VERSION}=[^\s=*]+|\s{_VERSION}\s[^\s*]+)"
)
_PIP = re.compile(rf"{_NAME}\s*(?:\[[^\]]*\])?\s*===?\s*{_VERSION}\s*(?:;.*|\s--hash.*)?")
_ADDRESS = re.compile(
    rf"{_NAME}\s*(?:\[[^\]]*\])?\s*@\s*\S+(?:#sha256=[0-9a-f]{{64}}|@[0-9a-f]{{40}}(?:#\S*)?)\s*(?:;.*)?"
)
_OPTION = re.compile(
    r"--?(?:i|f|index-url|extra-index-url|find-links|no-index|trusted-host|prefer-binary|only-binary|no-binary|pre"
    r"|require-hashes)(?:[\s=].*)?"
)
"""Options of pip that say where packages come from, and name none."""


def unpinned_lines(conda_file: str | None) -> list[str]:
    """Return the lines of a conda file that name no exact version, in its order, each once."""
    content = read_yaml(conda_file) if conda_file else None
    return list(dict.fromkeys(_unpinned(content)))


def shown_lines(lines: Sequence[str]) -> str:
    """Return the first lines in quotes, and how many more there are."""
    more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return ", ".join(f'"{line}"' for line in lines[:SHOWN]) + more


def _unpinned(content: Any) -> Iterator[str]:
    dependencies = content.get("dependencies") if isinstance(content, dict) else None
    for one in dependencies if isinstance(dependencies, list) else []:
        if isinstance(one, dict):
            lines = one.get("pip")
            yield from (str(line) for line in lines or () if not _is_exact_pip(str(line).strip()))
        elif not _CONDA.fullmatch(str(one).strip()):
            yield str(one)


def _is_exact_pip(line: str) -> bool:
    line = re.sub(r"(^|\s)#.*$", "", line).strip()
    return not line or any(form.fullmatch(line) for form in (_PIP, _ADDRESS, _OPTION))

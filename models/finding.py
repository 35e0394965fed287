"""What one check reports about one field of a file."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One refused field of one file: its dotted name, what is wrong (with value and rule), and the fix."""

    field: str
    what: str
    fix: str


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ' Did you mean x?', or an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""

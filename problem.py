"""What is wrong with something that a person wrote: where it stands, what is wrong with it, and the fix.

Pure. Every check of the stack file, of the az ml files and of a declared change says what it refuses as a `Problem`;
the errors of each stage list all of theirs.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong.

    Without a `file`, `where` is a full key of the stack file, and the sentence begins with it. In a file it is a dotted
    field, "" for the file as a whole, and the sentence names it where needed. `what` has value and rule, and no full
    stop at its end; `fix` is one or more sentences, and may be "" in a file.
    """

    where: str
    what: str
    fix: str
    file: str = ""
    """As a person finds it: from the folder above the model's, such as fraud-detection/blue.yml."""

    def __str__(self) -> str:
        """The problem as one line."""
        if not self.file:
            return f"{self.where} {self.what}. {self.fix}"
        line, fix = f"{self.file}: {self.what.rstrip('.')}.", self.fix.rstrip(".")
        return f"{line} {fix}{'' if fix.endswith('?') else '.'}" if fix else line


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ' Did you mean x?' or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""

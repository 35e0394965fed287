"""What the remote answered to a push, from the lines of `git push --porcelain`. Pure.

!<tab>HEAD:refs/heads/main<tab>[rejected] (fetch first)
!<tab>HEAD:refs/heads/main<tab>[remote rejected] (protected branch hook declined)
"""

from __future__ import annotations

from enum import StrEnum

# Words of the server where another push took place at the same moment (git's own, read in builtin/receive-pack.c).
RACES = ("cannot lock ref", "failed to update ref", "incorrect old value")


class Answer(StrEnum):
    """How a push ended."""

    TAKEN = "taken"
    RACED = "raced"
    """The branch moved on: another push was first."""
    REFUSED = "refused"
    """The server does not take this push, now or later."""
    NONE = "none"
    """Nothing was said about the branch."""


def answer_of(porcelain: str) -> Answer:
    """Return what the lines say about the only branch that is pushed."""
    for line in porcelain.splitlines():
        flag, _, rest = line.partition("\t")
        if not rest or len(flag) != 1:
            continue
        summary = rest.partition("\t")[2]
        if flag != "!":
            return Answer.TAKEN
        if summary.startswith("[rejected]"):
            return Answer.RACED
        if summary.startswith("[remote rejected]"):
            return Answer.RACED if any(words in summary for words in RACES) else Answer.REFUSED
        return Answer.NONE  # [remote failure], [no match]
    return Answer.NONE


def refusal_in(porcelain: str) -> str:
    """Return what the server gave as the reason, such as `protected branch hook declined`."""
    for line in porcelain.splitlines():
        _, found, reason = line.partition("[remote rejected] (")
        if found:
            return reason.rstrip().removesuffix(")")
    return ""

"""One checked item, and what the check found."""

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """The result of a check."""

    GOOD = "good"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One checked item."""

    check: str
    health: Health
    text: str
    fix: str | None = None

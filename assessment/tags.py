"""The tags of a stack: those it declares, and those that others have added. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ownership import ENVIRONMENT_TAG, STACK_TAG, TEAM_TAG
from stack_config import Settings

__all__ = ["stack_tags", "tags_of_others"]

OWN_PREFIXES = ("sluice:", "sluice-")
"""What begins so belongs to this program, on DNS zones with a dash."""


def stack_tags(settings: Settings) -> dict[str, str]:
    """The tags of every resource: the owner's and the program's."""
    own = {
        TEAM_TAG: settings.team,
        STACK_TAG: settings.stack,
        ENVIRONMENT_TAG: settings.environment or settings.stack,
    }
    return {**settings.tags, **own}


def tags_of_others(live: Mapping[str, str], *own: Iterable[str]) -> frozenset[str]:
    """The keys of a resource's tags that are neither the program's nor among `own`: declared now or by the last update.

    What the stack stopped declaring before that counts as someone else's: it stays, too.
    """
    known = {key for keys in own for key in keys}
    return frozenset(key for key in live if key not in known and not key.startswith(OWN_PREFIXES))

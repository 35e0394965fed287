"""Refusals of the monitor. It does not know ARM: the caller translates them.

QueryError                a metric query breaks a rule
|- NotServed              Azure would answer it, but this local Azure does not
SettingError              an autoscale setting breaks rules; lists all of them
|- SettingNotEmulated     Azure would act on it, but this local Azure cannot
"""

from __future__ import annotations

from collections.abc import Sequence


class QueryError(Exception):
    """A metric query that cannot be answered; the message states the reason."""


class NotServed(QueryError):
    """A metric or interval that only Azure has."""


class SettingError(Exception):
    """An invalid autoscale setting."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = tuple(problems)


class SettingNotEmulated(SettingError):
    """An autoscale setting that only Azure can follow."""

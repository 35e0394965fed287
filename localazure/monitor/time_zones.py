"""Translates Windows time zone names, which autoscale profiles use, into IANA names.

`tzlocal` has the Unicode CLDR's windowsZones table ("001"). `babel` has the same entries, in 36 MB instead of 0.1.
"""

from __future__ import annotations

from functools import cache
from zoneinfo import ZoneInfo

_LATER_THAN_AZURE = ("Alberta Standard Time", "British Columbia Standard Time", "Manitoba Standard Time")
"""New in the CLDR's table. Whether Azure accepts them is not verified, so they are refused."""


@cache
def _names() -> dict[str, str]:
    from tzlocal.windows_tz import win_tz  # only a profile with a schedule needs it

    return {windows.lower(): iana for windows, iana in win_tz.items() if windows not in _LATER_THAN_AZURE}


@cache
def zone_of(name: str) -> ZoneInfo:
    """The zone of a Windows name; KeyError for one that Azure does not know."""
    return ZoneInfo(_names()[name.strip().lower()])

"""The zones of autoscale profiles: every Windows name that Azure has is a zone, and no other is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tzlocal.windows_tz import win_tz

from localazure.monitor.time_zones import zone_of

NAMES_OF_AZURE = 139


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        ("UTC", 0),
        ("W. Europe Standard Time", 1),
        (" w. europe standard time ", 1),
        ("FLE Standard Time", 2),
        ("India Standard Time", 5.5),
        ("Nepal Standard Time", 5.75),
        ("Greenland Standard Time", -2),
        ("Argentina Standard Time", -3),
    ],
)
def test_a_windows_name_in_either_case_is_its_zone(name: str, hours: float) -> None:
    assert zone_of(name).utcoffset(datetime(2026, 1, 15, tzinfo=UTC)) == timedelta(hours=hours)


@pytest.mark.parametrize("name", ["", "Europe/Berlin", "CET", "Mars Standard Time", "Alberta Standard Time"])
def test_what_azure_does_not_know_is_no_zone(name: str) -> None:
    with pytest.raises(KeyError):
        zone_of(name)


def test_every_name_of_the_table_has_rules_on_this_machine() -> None:
    known = []
    for name in win_tz:
        try:
            known.append(zone_of(name))
        except KeyError:
            continue
    assert len(known) == NAMES_OF_AZURE

"""Durations are read by a library that knows more of ISO 8601 than Azure: what Azure refuses stays refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localazure.arm.namespaces.machine_learning.durations import seconds_of
from localazure.durations import read_duration, write_duration
from localazure.errors import BadRequest
from localazure.monitor.durations import read_duration as read_monitor_duration
from localazure.monitor.errors import QueryError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT0S", 0),
        ("PT5S", 5),
        ("PT00005S", 5),
        ("PT0.5S", 0.5),
        ("PT120S", 120),
        ("PT1H30M", 5400),
        ("P1D", 86400),
        ("P1DT", 86400),
        ("P2DT3H4M5.25S", 183845.25),
        ("P9999999D", 863999913600),
    ],
)
def test_a_duration_is_read_in_seconds_by_every_service(text: str, seconds: float) -> None:
    assert read_duration(text) == seconds_of(text) == read_monitor_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "P", "PT", "PTS", "PD", "5", "5S", "T5S", "PT5", "P5", "5 seconds"),
        *("P1Y", "P0Y", "P1M", "P0M", "P1Y2M3DT4H"),
        *("-PT5S", "+PT5S", "PT-5S", "P-1D"),
        *("PT1,5S", "PT1.5M", "PT1.5H", "P1.5D", "P1.5W", "PT5.S", "PT.5S"),
        *("PT1M1H", "PT1S1M", "PT5S5S", "P1D1D", "P1H", "PT1D"),
        *("P20260101T000000", "P0000-00-01T00:00:00", "P2026-01-01T00:00:00", "P0001-001T00:00:00"),
        *("PT 5S", "P T5S", "PT1e3S", "PTinfS", "PTnanS", "PT1_0S", "PT5S/PT5S", "P9999999999D"),
    ],
)
def test_what_only_the_library_accepts_is_no_duration(text: str) -> None:
    for read in (read_duration, seconds_of, read_monitor_duration):
        with pytest.raises((ValueError, BadRequest, QueryError)):
            read(text)


@pytest.mark.parametrize("text", ["pt5s", "PT5s", " PT5S ", "PT5S\n", "P1W", "P1W1D"])
def test_azure_monitor_reads_weeks_and_either_case_and_azure_ml_does_not(text: str) -> None:
    assert read_monitor_duration(text) > 0
    with pytest.raises(BadRequest, match="is not an ISO 8601 duration such as PT5S"):
        seconds_of(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "PT0S"),
        (5, "PT5S"),
        (120, "PT2M"),
        (5400, "PT1H30M"),
        (86400, "P1D"),
        (129605, "P1DT12H5S"),
        (7 * 86400, "P7D"),
        (400 * 86400, "P400D"),
    ],
)
def test_a_duration_is_written_in_its_largest_units(seconds: int, text: str) -> None:
    assert write_duration(seconds) == text


@given(st.integers(0, 10**9))
def test_what_is_written_is_read_again(seconds: int) -> None:
    assert read_duration(write_duration(seconds)) == seconds


@given(st.text("PTWDHMSY0123456789.,+-:", max_size=20))
def test_any_text_is_a_duration_or_an_error(text: str) -> None:
    try:
        outcome: object = read_duration(text) >= 0
    except ValueError as refused:
        outcome = str(refused)
    assert outcome

"""How metric queries are read: timespans, intervals, filters; and what is refused with which words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localazure.durations import write_duration
from localazure.monitor.durations import read_duration, read_moment
from localazure.monitor.errors import QueryError
from localazure.monitor.filters import parse_filter
from localazure.monitor.query import GRAINS, read_query

NOW = 1_800_000_030.5
KNOWN = ("deployment", "statusCode")


def matches(text: str, **values: str) -> bool:
    return parse_filter(text, KNOWN, "RequestsPerMinute").matches(values)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("deployment eq 'blue'", True),
        ("Deployment EQ 'BLUE'", True),
        ("deployment ne 'blue'", False),
        ("deployment eq '*'", True),
        ("deployment sw 'bl'", True),
        ("deployment eq 'blue' and statusCode eq '500'", False),
        ("deployment eq 'green' or deployment eq 'blue'", True),
        ("deployment eq 'green' or deployment eq 'blue' and statusCode eq '500'", False),
        ("(deployment eq 'green' or deployment eq 'blue') and statusCode ne '500'", True),
    ],
)
def test_a_filter_selects_the_series(text, expected):
    assert matches(text, deployment="blue", statusCode="200") is expected


def test_a_filter_names_the_dimensions_to_split_by():
    parsed = parse_filter("statuscode eq '*' and (deployment eq 'a' or deployment eq 'b')", KNOWN, "m")
    assert parsed.dimensions == ("statusCode", "deployment")
    assert matches("deployment eq 'it''s'", deployment="it's")


@pytest.mark.parametrize(
    "text",
    [
        *("deployment", "deployment eq", "deployment eq blue", "deployment eq 'a", "(deployment eq 'a'", "eq 'a'"),
        *("deployment like 'a'", "deployment eq 'a' deployment eq 'b'", "'a' eq deployment", "(" * 30, "x" * 5000),
    ],
)
def test_what_is_no_filter_is_refused(text):
    with pytest.raises(QueryError):
        parse_filter(text, KNOWN, "m")


def test_an_unknown_dimension_is_refused_with_the_known_ones():
    with pytest.raises(QueryError, match=r"dimension combination: colour, supported ones are: deployment, statusCode"):
        parse_filter("colour eq 'x'", KNOWN, "m")


@given(st.text(max_size=60))
def test_any_text_is_a_filter_or_a_query_error(text):
    try:
        outcome: object = parse_filter(text, KNOWN, "m").matches({})
    except QueryError as refused:
        outcome = str(refused)
    assert outcome is False or outcome


def span(**parameters: str) -> tuple[int, int, int]:
    query = read_query({"metricnames": "RequestLatency", **parameters}, NOW)
    return query.span.start - 1_800_000_000, query.span.end - 1_800_000_000, query.span.grain


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, (-3600, 60, 60)),
        ({"timespan": "PT300.0S"}, (-300, 60, 60)),
        ({"timespan": "2027-01-15T08:00:00Z/2027-01-15T08:10:00.000Z"}, (0, 600, 60)),
        ({"timespan": "2027-01-15T08:00:10Z/PT5M", "interval": "PT5M"}, (0, 360, 300)),
        ({"timespan": "2027-01-15T08:00:00Z/2027-01-15T08:10:00Z", "interval": "FULL"}, (0, 600, 600)),
        ({"starttime": "2027-01-15T08:00:00.000Z", "endtime": "2027-01-15T08:01:00.000Z"}, (0, 60, 60)),
        ({"timespan": "PT10S", "interval": "PT1S"}, (20, 31, 1)),
    ],
)
def test_timespans_and_intervals_of_both_routes(parameters, expected):
    assert span(**parameters) == expected


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"interval": "PT2M"}, "interval must be one of PT1S, PT1M, PT5M"),
        ({"interval": "PT1S"}, "at most 600 seconds"),
        ({"timespan": "2027-01-15T08:10:00Z/2027-01-15T08:00:00Z"}, "end after it starts"),
        ({"timespan": "yesterday"}, "A duration is written like"),
        ({"timespan": "P3000D"}, "more than 10000 points"),
        ({"timespan": "P999999D"}, "more than 10000 points"),
        ({"timespan": "P999999D", "interval": "FULL"}, "in the years 1 to 9999"),
        ({"timespan": "9999-12-31T23:00:00Z/P1D", "interval": "FULL"}, "in the years 1 to 9999"),
        ({"starttime": "soon"}, "A time is written like"),
        ({"aggregation": "Median"}, "aggregation must be of"),
        ({"top": "-1"}, "top must be"),
        ({"orderby": "name"}, "orderby must be"),
    ],
)
def test_impossible_queries_are_refused(parameters, said):
    with pytest.raises(QueryError, match=said):
        span(**parameters)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_timespan_and_interval_is_a_query_or_a_query_error(timespan, interval):
    try:
        span = read_query({"timespan": timespan, "interval": interval}, NOW).span
        outcome: object = span.start < span.end
    except QueryError as refused:
        outcome = str(refused)
    assert outcome


@pytest.mark.parametrize("grain", GRAINS)
def test_durations_are_read_as_they_are_written(grain):
    assert read_duration(write_duration(grain)) == grain


def test_a_time_with_seven_decimals_is_read():
    assert read_moment("2027-01-15T08:00:00.1234567Z") == pytest.approx(1_800_000_000.123456)
    assert read_moment("2027-01-15T09:00:00+01:00") == 1_800_000_000

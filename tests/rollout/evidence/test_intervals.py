"""An interval holds only data that can be true, and survives the record."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.evidence.intervals import Counts, Interval, Quantiles

NAMES = st.sampled_from(["blue", "green", "amber"])
WHOLE = st.integers(min_value=0, max_value=10**6)
LATENCY = st.none() | st.floats(min_value=0, max_value=1e7)


@st.composite
def counted(draw: st.DrawFn) -> Counts:
    errors, client_errors, good = draw(WHOLE), draw(WHOLE), draw(WHOLE)
    return Counts(
        requests=errors + client_errors + good, errors=errors, client_errors=client_errors, throttled=draw(WHOLE)
    )


QUANTILES = st.builds(Quantiles, p50=LATENCY, p90=LATENCY, p95=LATENCY, p99=LATENCY)
INTERVALS = st.builds(
    Interval,
    start=WHOLE,
    seconds=st.integers(min_value=1, max_value=3600),
    counts=st.dictionaries(NAMES, counted()),
    quantiles=st.dictionaries(NAMES, QUANTILES),
)


@given(INTERVALS)
def test_an_interval_comes_back_from_json(interval: Interval) -> None:
    again = Interval.from_values(json.loads(json.dumps(interval.as_values(), allow_nan=False)))
    assert (again.start, again.end) == (interval.start, interval.end)
    for name in ("blue", "green", "amber"):
        assert again.counts_of(name) == interval.counts_of(name)
        assert again.quantiles_of(name) == interval.quantiles_of(name)
    assert again.as_values() == interval.as_values()


def test_its_values_are_compact_and_sorted() -> None:
    interval = Interval(
        start=1_795_000_000,
        seconds=60,
        counts={"green": Counts(requests=31, errors=9), "blue": Counts(requests=268, errors=3), "amber": Counts()},
        quantiles={"green": Quantiles(p50=80.5, p95=219.0), "amber": Quantiles()},
    )
    assert json.dumps(interval.as_values()) == (
        '{"start": 1795000000, "seconds": 60, "counts": {"blue": [268, 3, 0, 0], "green": [31, 9, 0, 0]}, '
        '"quantiles": {"green": [80.5, null, 219.0, null]}}'
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"requests": -1}, "counts must be whole numbers of requests, at least 0, got -1 in Counts("),
        ({"requests": 1.0}, "counts must be whole numbers of requests, at least 0, got 1.0 in Counts("),
        ({"requests": math.nan}, "counts must be whole numbers of requests, at least 0, got nan in Counts("),
        ({"requests": True}, "counts must be whole numbers of requests, at least 0, got True in Counts("),
        ({"requests": None}, "counts must be whole numbers of requests, at least 0, got None in Counts("),
        ({"requests": 2, "errors": 3}, "errors and client_errors are part of requests, got 3 + 0 of 2"),
        ({"requests": 2, "errors": 1, "client_errors": 2}, "got 1 + 2 of 2"),
    ],
)
def test_counts_that_cannot_be_true_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="requests") as refused:
        Counts(**values)
    assert message in str(refused.value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, "7", True])
def test_latencies_that_cannot_be_true_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="latencies must be milliseconds, at least 0, got"):
        Quantiles(p95=value)


def test_an_interval_lasts_at_least_a_second() -> None:
    with pytest.raises(ValueError, match="an interval lasts at least 1 s, got 0"):
        Interval(start=0, seconds=0)


@pytest.mark.parametrize("row", [[1, 2], [1, 2, 0, 0], ["1", 0, 0, 0], [3, 0, 0, 0, 0], 7])
def test_a_row_of_a_record_that_cannot_be_true_is_refused(row: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        Interval.from_values({"start": 0, "seconds": 60, "counts": {"green": row}, "quantiles": {}})


def test_counts_add_up() -> None:
    assert Counts(requests=3, errors=1, client_errors=1, throttled=2) + Counts(requests=1) == Counts(
        requests=4, errors=1, client_errors=1, throttled=2
    )

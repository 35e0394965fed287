"""Reading recorded minutes: from a CSV file, and from the record of a rollout."""

from __future__ import annotations

import pytest

from command_errors import UsageError
from rollout.evidence.intervals import Counts, Interval, Quantiles
from rollout.plan.recorded import EXAMPLE, read_csv, read_record
from rollout.record.event import Kind
from rollout.split import Split
from tests.rollout.record.rollouts import PLAN, Story, interval

CSV = """start,deployment,requests,errors,p95
2026-11-27T14:07:00Z,blue,270,1,212
2026-11-27T14:07:00Z,green,30,0,219.5
2026-11-27T14:10:00Z,blue,260,0,
2026-11-27T14:08:00Z,green,28,2,
"""
START = 1_795_788_420


def test_a_csv_file_is_read_in_the_order_of_time() -> None:
    read = read_csv(CSV, name="minutes.csv")
    assert (read.grain_seconds, read.colour, read.baseline) == (60, None, None)
    assert [interval.start - START for interval in read.intervals] == [0, 60, 180]
    first = read.intervals[0]
    assert first.counts == {"blue": Counts(requests=270, errors=1), "green": Counts(requests=30)}
    assert first.quantiles["green"] == Quantiles(p95=219.5)
    assert read.intervals[1].counts_of("blue") == Counts()


def test_starts_may_be_seconds() -> None:
    text = "start,deployment,requests,errors\n1000,blue,1,0\n1001,blue,1,0\n"
    assert [interval.start for interval in read_csv(text, name="m").intervals] == [1000, 1001]
    assert read_csv(EXAMPLE + "\n2026-11-27T14:08:00Z,blue,1,0", name="m").intervals[0].start == START


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "its header lacks start, deployment, requests, errors."),
        ("start,deployment,requests\n", "its header lacks errors. Known columns: start,"),
        ("start,deployment,requests,errors,p96\n", "its header has the unknown p96. Known"),
        (EXAMPLE, "must have at least two intervals, got 1."),
    ],
)
def test_a_file_that_is_no_such_table_is_refused_with_an_example(text: str, expected: str) -> None:
    with pytest.raises(UsageError, match=f"^m.csv: {expected}") as refused:
        read_csv(text, name="m.csv")
    assert str(refused.value).endswith(EXAMPLE)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("2026-11-27T14:07:00Z,green,1,0", "green has another row for 2026-11-27T14:07:00Z."),
        ("noon,green,1,0", 'start must be like 2026-11-27T14:07:00Z or seconds since 1970, got "noon"'),
        ("9,green,1.5,0", 'requests must be a whole number of requests, got "1.5". Correct that row.'),
        ("9,green,1,2", "errors and client_errors are part of requests, got 2"),
        ("9,green", 'requests must be a whole number of requests, got ""'),
        ("9,green,1", 'errors must be a whole number of requests, got ""'),
    ],
)
def test_a_row_that_is_wrong_is_named(row: str, expected: str) -> None:
    with pytest.raises(UsageError, match=f"^m.csv, line 4: {expected}"):
        read_csv(f"{EXAMPLE}\n{row}", name="m.csv")


def record(*starts: int) -> str:
    """Green gets its first weight 20 seconds after the start; minutes at these seconds after it."""
    story = Story()
    story.at(10, Kind.VERIFIED, counted=0, settle=90, skipped=True)
    story.move(20, 0, applied=5)
    story.at(600, Kind.EVIDENCE, intervals=[interval(start) for start in starts], results={})
    return "".join(f"{event.line()}\n" for event in story.events)


def test_a_record_has_the_minutes_that_were_evidence_its_colour_and_its_plan() -> None:
    read = read_record(record(0, 60, 120) + '{"torn', name="record.jsonl")
    assert read.intervals == tuple(map(Interval.from_values, [interval(60), interval(120)]))
    assert (read.grain_seconds, read.settle_seconds, read.colour, read.plan) == (60, 90, "green", PLAN)
    assert read.baseline == Split(traffic={"blue": 100})


def test_a_record_without_a_start_or_without_intervals_cannot_be_tested() -> None:
    with pytest.raises(UsageError, match="no interval with requests of green is recorded yet"):
        read_record(record(), name="record.jsonl")
    with pytest.raises(UsageError, match="is not the record of a rollout: the record is empty"):
        read_record("", name="record.jsonl")
    with pytest.raises(UsageError, match=r"record\.jsonl, line 1: it is not JSON"):
        read_record("hello\n", name="record.jsonl")

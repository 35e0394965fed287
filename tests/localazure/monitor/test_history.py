"""Minutes of served requests across restarts of the server."""

from __future__ import annotations

import sqlite3

import pytest

from localazure.monitor.buckets import KEPT_MINUTES, MINUTE
from localazure.monitor.definitions import DEPLOYMENTS, definitions
from localazure.monitor.filters import Filter
from localazure.monitor.history import History
from localazure.monitor.measures import Measured, Span, measure
from localazure.monitor.metrics import Metrics
from localazure.scoring.served import ServedRequest

NOON = 1_800_000_000 - 1_800_000_000 % MINUTE


def serve(metrics: Metrics, second: float, *, status: int = 200, count: int = 1, seconds: float = 0.25) -> None:
    for _ in range(count):
        metrics.observe(
            ServedRequest(
                endpoint="Ep",
                deployment="Blue",
                request_id="1",
                method="POST",
                path="/score",
                started=second - seconds,
                seconds=seconds,
                status=status,
                model_status=status,
                request_bytes=10,
                response_bytes=5,
            )
        )


def read(metrics: Metrics, name: str, end: int):
    span = Span(NOON, end, MINUTE, end + 1)
    return measure(metrics, definitions(DEPLOYMENTS)[name.lower()], Measured("ep", "blue"), span, Filter())


def run(path, *, now: float) -> tuple[History, Metrics]:
    history, metrics = History(path), Metrics()
    history.restore(metrics, now)
    return history, metrics


def test_a_minute_survives_a_kill_up_to_the_last_save(tmp_path):
    history, metrics = run(tmp_path / "m.db", now=NOON)
    for second in range(30):
        serve(metrics, NOON + second, count=2, status=500 if second % 3 == 0 else 200)
        history.save(metrics, NOON + second + 0.5)
    # Not closed: killed.
    _, after = run(tmp_path / "m.db", now=NOON + 60)
    assert read(after, "RequestsPerMinute", NOON + 60) == read(metrics, "RequestsPerMinute", NOON + 60)
    assert read(after, "RequestsPerMinute", NOON + 60) == {(): {NOON: {"average": 60.0}}}
    assert read(after, "RequestLatency_P50", NOON + 60) == read(metrics, "RequestLatency_P50", NOON + 60)
    history.close()


def test_both_runs_of_one_minute_count_once(tmp_path):
    history, metrics = run(tmp_path / "m.db", now=NOON)
    serve(metrics, NOON + 5, count=3)
    history.save(metrics, NOON + 6)
    history.close()
    for restart in range(3):
        history, metrics = run(tmp_path / "m.db", now=NOON + 20)
        serve(metrics, NOON + 20 + restart, count=4)
        history.save(metrics, NOON + 21)
        history.save(metrics, NOON + 25)
        history.close()
    _, after = run(tmp_path / "m.db", now=NOON + 60)
    assert read(after, "RequestsPerMinute", NOON + 60) == {(): {NOON: {"average": 15.0}}}


def test_requests_that_end_in_a_saved_second_are_saved_too(tmp_path):
    history, metrics = run(tmp_path / "m.db", now=NOON)
    serve(metrics, NOON + 59)
    history.save(metrics, NOON + 59.2)
    serve(metrics, NOON + 59.5, count=2)
    serve(metrics, NOON + 61, count=5)
    history.save(metrics, NOON + 61.5)
    history.close()
    _, after = run(tmp_path / "m.db", now=NOON + 120)
    expected = {NOON: {"average": 3.0}, NOON + 60: {"average": 5.0}}
    assert read(after, "RequestsPerMinute", NOON + 120) == {(): expected}


def test_names_keep_their_spelling(tmp_path):
    history, metrics = run(tmp_path / "m.db", now=NOON)
    serve(metrics, NOON + 1)
    history.save(metrics, NOON + 2)
    history.close()
    _, after = run(tmp_path / "m.db", now=NOON + 3)
    assert [series.deployment for series in after.requests("ep")] == ["Blue"]


def test_old_minutes_are_deleted(tmp_path):
    history, metrics = run(tmp_path / "m.db", now=NOON)
    serve(metrics, NOON + 1)
    history.save(metrics, NOON + 2)
    history.save(metrics, NOON + (KEPT_MINUTES + 1) * MINUTE)
    assert history._connection.execute("SELECT COUNT(*) FROM minutes").fetchone() == (0,)
    history.close()


def test_nothing_is_written_while_nothing_is_served(tmp_path):
    history, metrics = run(tmp_path / "m.db", now=NOON)
    serve(metrics, NOON + 1)
    history.save(metrics, NOON + 2)
    before = history._connection.total_changes
    for second in range(3, 50):
        history.save(metrics, NOON + second)
    assert history._connection.total_changes == before
    history.close()


def test_an_unreadable_file_is_put_aside(tmp_path, caplog):
    path = tmp_path / "m.db"
    path.write_bytes(b"no database" * 100)
    History(path).close()
    assert (tmp_path / "m.unreadable").read_bytes().startswith(b"no database")
    assert "metrics start empty" in caplog.text


def damaged_pages(path):
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * (size - 8192))


def damaged_row(path):
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE minutes SET steps = x'00'")  # half a number


def damaged_text(path):
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE minutes SET statuses = '[1, 2]'")


@pytest.mark.parametrize("damage", [damaged_pages, damaged_row, damaged_text])
def test_a_file_damaged_in_the_middle_keeps_no_server_from_starting(tmp_path, caplog, damage):
    path = tmp_path / "m.db"
    history, metrics = run(path, now=NOON)
    for minute in range(500):
        serve(metrics, NOON + minute * MINUTE)
    history.save(metrics, NOON + 500 * MINUTE)
    history.close()
    damage(path)
    history, metrics = run(path, now=NOON + 501 * MINUTE)
    assert "metrics start empty" in caplog.text
    serve(metrics, NOON + 501 * MINUTE)
    history.save(metrics, NOON + 502 * MINUTE)
    history.close()
    history, _ = run(path, now=NOON + 503 * MINUTE)
    assert history._connection.execute("SELECT COUNT(*) FROM minutes").fetchone() == (1,)
    history.close()


def test_a_clock_set_back_loses_and_doubles_nothing(tmp_path):
    history, metrics = run(tmp_path / "m.db", now=NOON + 600)
    serve(metrics, NOON + 600, count=3)
    history.save(metrics, NOON + 601)
    serve(metrics, NOON + 30, count=4)
    history.save(metrics, NOON + 31)
    history.close()
    history, metrics = run(tmp_path / "m.db", now=NOON + 40)
    serve(metrics, NOON + 41, count=2)
    history.save(metrics, NOON + 42)
    history.close()
    _, after = run(tmp_path / "m.db", now=NOON + 700)
    total = sum(
        sum(minute.statuses.values()) for one in after.requests("ep") for minute in one.minutes(0, NOON * 2, NOON * 2)
    )
    assert total == 9


def test_a_file_that_may_not_be_written_is_an_error(tmp_path):
    with pytest.raises(sqlite3.OperationalError):
        History(tmp_path / "missing" / "m.db")

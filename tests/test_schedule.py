"""The order of the tests, and how they are handed out."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.schedule import FOLDER, RECORDED, ROOT, Schedule, Stopwatch, recorded, sort_integration


def item(nodeid: str, *, integration: bool = False) -> Any:
    return SimpleNamespace(nodeid=nodeid, get_closest_marker=lambda name: True if integration else None)


def test_a_file_is_handed_out_whole_and_a_test_on_the_real_engine_alone() -> None:
    split = Schedule._split_scope
    of_a_file = Schedule.__new__(Schedule)
    assert split(of_a_file, "tests/test_skus.py::test_a[x]") == "tests/test_skus.py"
    assert split(of_a_file, f"{FOLDER}test_change.py::test_b[y-1]") == f"{FOLDER}test_change.py::test_b[y-1]"


def test_the_longest_tests_on_the_real_engine_begin_first_and_unknown_ones_are_middling() -> None:
    names = ("short", "long", "unknown")
    integration = [item(f"{FOLDER}test_a.py::{name}", integration=True) for name in names]
    items = [*integration, item("tests/test_b.py::engine", integration=True), item("tests/test_b.py::fast")]
    sort_integration(items, {f"{FOLDER}test_a.py::short": 1.0, f"{FOLDER}test_a.py::long": 60.0})
    assert [one.nodeid.rpartition("::")[2] for one in items] == ["fast", "engine", "long", "unknown", "short"]


def test_seconds_are_recorded_by_file(tmp_path: Path) -> None:
    path = tmp_path / "seconds.json"
    path.write_text(json.dumps({f"{FOLDER}a.py::gone": 9.0, f"{FOLDER}b.py::kept": 2.0}))
    stopwatch = Stopwatch(path)
    for when, nodeid in (("setup", "a.py::one"), ("call", "a.py::one"), ("call", "a.py::failed")):
        report = SimpleNamespace(when=when, nodeid=FOLDER + nodeid, duration=3.04, passed="failed" not in nodeid)
        stopwatch.pytest_runtest_logreport(report)  # type: ignore[arg-type]  # as much as it reads
    stopwatch.pytest_sessionfinish()
    assert recorded(path) == {f"{FOLDER}a.py::one": 3.0, f"{FOLDER}b.py::kept": 2.0}
    assert recorded(tmp_path / "missing.json") == {}


def test_the_record_names_files_that_exist() -> None:
    gone = {nodeid for nodeid in recorded() if not (ROOT / nodeid.partition("::")[0]).exists()}
    assert not gone, f"{RECORDED.name} names files that are gone: record it again"

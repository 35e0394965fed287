"""What each worker of `make test` gets: a file at once, but of tests/integration and the stories one test at a time.

The tests of a file may share a server. A test on the real engine takes up to a minute and stands alone: a file of them
would keep one worker busy after the others have ended. The longest are begun first. How long they took is in
`tests/integration/seconds.json`, which `pytest tests/integration --record-seconds` writes, in whole or by file; a test
that is not there is taken for a middling one.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).resolve().parents[1]
FOLDER = "tests/integration/"
SINGLY = (FOLDER, "tests/pipelines/test_stories.py")
"""Where each test stands alone."""
RECORDED = ROOT / FOLDER / "seconds.json"


class Schedule(LoadFileScheduling):
    """Hands out files, and single tests of those in `SINGLY`."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith(SINGLY) else str(super()._split_scope(nodeid))


class Stopwatch:
    """The plugin that records how long those tests take."""

    def __init__(self, recorded: Path = RECORDED) -> None:
        self._recorded = recorded
        self._seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note one test."""
        if report.when == "call" and report.passed and report.nodeid.startswith(SINGLY):
            self._seconds[report.nodeid] = report.duration

    def pytest_sessionfinish(self) -> None:
        """Write what was noted; of files that did not run, what was there."""
        files = {nodeid.partition("::")[0] for nodeid in self._seconds}
        kept = {nodeid: took for nodeid, took in recorded(self._recorded).items() if _file(nodeid) not in files}
        merged = kept | {nodeid: round(took, 1) for nodeid, took in self._seconds.items()}
        text = json.dumps(dict(sorted(merged.items())), indent=1, ensure_ascii=False)
        self._recorded.write_text(text + "\n", encoding="utf-8")


def recorded(path: Path = RECORDED) -> Mapping[str, float]:
    """Seconds by node id; nothing without a record."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def sort_integration(items: list[pytest.Item], seconds: Mapping[str, float]) -> None:
    """Put what is integration at the end, and there the longest of those in `SINGLY` first."""

    middling = statistics.median(seconds.values()) if seconds else 0.0

    def rank(item: pytest.Item) -> tuple[bool, bool, float]:
        slow = item.get_closest_marker("integration") is not None
        single = item.nodeid.startswith(SINGLY)
        return slow, single, -seconds.get(item.nodeid, middling) if single else 0.0

    items.sort(key=rank)


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def scheduler(config: pytest.Config, log: Any) -> Schedule | None:
    """The scheduler of `--dist loadfile`; None for another one."""
    return Schedule(config, log) if config.getvalue("dist") == "loadfile" else None

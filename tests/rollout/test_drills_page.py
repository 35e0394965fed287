"""docs/drills.md has a row for every drill."""

from __future__ import annotations

from pathlib import Path

from tests.integration.crash_drill import CRASHES
from tests.integration.drill_table import FAULTS, ROWS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "drills.md"


def test_the_page_shows_every_fault_and_every_kill() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    wanted = [f"| {row} | {fault} |" for row in ROWS for fault in FAULTS]
    wanted += [f"| {' | '.join(list(crash.facts().values())[:2])} |" for crash in CRASHES]
    missing = [start for start in wanted if not any(line.startswith(start) for line in lines)]
    assert not missing, "put the output of `make drills` on the page"

"""docs/coverage.md: every row says here and why, and every test that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if re.match(r"\| \d", line)]


def test_the_rows_are_complete() -> None:
    assert [int(row[0]) for row in ROWS] == list(range(1, len(ROWS) + 1))
    assert len(ROWS) == 73
    assert all(len(row) == 8 and row[6] in "●◐○" for row in ROWS)


def test_what_is_there_has_a_test_and_what_is_not_has_a_reason() -> None:
    for row in ROWS:
        if row[6] == "○":
            assert row[7].startswith(("not yet", "not, because ")), row
        else:
            assert "`tests/" in row[7], row


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[a-z_/]+\.py)(?:::(\w+))?`", PAGE)
    assert len(named) > 40
    for file, test in named:
        text = (ROOT / file).read_text(encoding="utf-8")
        assert f"def {test}(" in text if test else text, (file, test)

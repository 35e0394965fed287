"""Compares a string with a file in tests/components/golden; `UPDATE_GOLDEN=1` writes the file instead."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def assert_golden(name: str, text: str) -> None:
    """Fail, with a diff, if the string differs from the golden file."""
    path = FOLDER / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text(), f"{path.name} differs; if the change is meant, run with UPDATE_GOLDEN=1"

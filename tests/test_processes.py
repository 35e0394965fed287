"""Facts about a process stay true on a machine that is too busy to read them at once."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

import processes


def test_a_process_is_not_taken_for_a_later_one_where_a_minute_passes_while_its_age_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read, now = Path.read_text, time.time
    passed = 0.0

    def slow_read(file: Path, *arguments: Any, **named: Any) -> str:
        nonlocal passed
        text = read(file, *arguments, **named)
        if file == processes.PROC / "uptime":
            text = str(float(text.split()[0]) + passed)
        passed += 60
        return text

    monkeypatch.setattr(Path, "read_text", slow_read)
    monkeypatch.setattr(time, "time", lambda: now() + passed)
    assert processes.is_alive_since(os.getpid(), now())

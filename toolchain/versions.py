"""Reads the versions that programs print, to compare them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

Version = tuple[int, int, int]

PROBE_SECONDS = 20.0


def parse(text: str) -> Version | None:
    """Return the first version in `text` ("v3.259.0", "go1.26"), or None. Pre-release suffixes are ignored."""
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3] or 0))


def show(version: Version) -> str:
    """The usual spelling."""
    return ".".join(str(part) for part in version)


def of_program(command: list[str | Path], environment: dict[str, str] | None = None) -> Version | None:
    """Return the version that a program prints, or None if it does not run or prints none."""
    try:
        answer = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            check=False,
            timeout=PROBE_SECONDS,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse(answer.stdout) if answer.returncode == 0 else None

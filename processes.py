"""What the operating system says about a process id: alive or not, when it started, what it runs.

A process id alone proves nothing, it is used again after its owner died; the start time tells the two apart. Linux is
read from /proc, other systems through `ps`. It ends no process.
"""

import contextlib
import os
import subprocess
import time
from datetime import datetime
from pathlib import Path

PROC = Path("/proc")
# Boot time and file times are whole seconds or clock ticks: two moments closer than this count as one.
CLOCK_TOLERANCE_SECONDS = 2.0


def started_at(pid: int) -> float | None:
    """When the living process `pid` started (seconds since 1970); None when there is none, or it is only a zombie."""
    if (PROC / "self" / "stat").exists():
        return _started_at_linux(pid)
    answer = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}
    )
    text = answer.stdout.strip()
    return datetime.strptime(text, "%a %b %d %H:%M:%S %Y").timestamp() if text else None


def _started_at_linux(pid: int) -> float | None:
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rfind(")") + 2 :].split()  # the name in parentheses may hold spaces
    state, ticks = fields[0], int(fields[19])
    if state in "ZX":
        return None
    # Before the uptime is read: a process that waits for a processor in between must not look younger than it is.
    now = time.time()
    uptime = float((PROC / "uptime").read_text().split()[0])
    return now - uptime + ticks / os.sysconf("SC_CLK_TCK")


def is_alive_since(pid: int, moment: float) -> bool:
    """Whether the process `pid` that existed at `moment` still lives (and not another one that got its number)."""
    started = started_at(pid)
    return started is not None and started <= moment + CLOCK_TOLERANCE_SECONDS


def resident_mib(pid: int) -> float | None:
    """Resident memory of a process in MiB; None where the system does not say."""
    with contextlib.suppress(OSError, ValueError):
        pages = int((PROC / str(pid) / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return None

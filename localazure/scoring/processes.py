"""Starts processes in their own groups, ends whole groups, and ends what a killed predecessor left behind.

Pid *and* start time identify a process, and a marker in the environment identifies members of its group, so a reused
pid is never mistaken for one of ours. Without /proc (macOS) only group leaders are found.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_LAUNCHER = Path(__file__).with_name("launcher.py")
MARKER = "SLUICE_INSTANCE"


@dataclass
class Process:
    """A running command, leader of its own process group."""

    process: asyncio.subprocess.Process
    pid_file: Path
    _gone: bool = False

    @property
    def pid(self) -> int:
        """The leader's process id, which is also the group's."""
        return self.process.pid

    async def wait(self) -> int:
        """Wait until the leader ends, then end the rest of its group; returns the exit code."""
        code = await self.process.wait()
        if not self._gone:  # only once: another process may get the number later
            self._gone = True
            _signal_group(self.pid, signal.SIGKILL)
            self.pid_file.unlink(missing_ok=True)
        return code

    async def end(self, grace_seconds: float) -> None:
        """SIGTERM to the group, SIGKILL after the grace."""
        if self.process.returncode is None:
            _signal_group(self.pid, signal.SIGTERM)
            try:
                await asyncio.wait_for(asyncio.shield(self.process.wait()), grace_seconds)
            except TimeoutError:
                _signal_group(self.pid, signal.SIGKILL)
        await self.wait()


async def start(
    command: Sequence[str],
    *,
    pid_file: Path,
    output: BinaryIO,
    environment: Mapping[str, str],
    folder: Path,
    keep_open: Sequence[int] = (),
) -> Process:
    """Start a command in its own session, with a pid file, output to `output`, ended when this process dies."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), str(pid_file)),
        *command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env={**environment, MARKER: uuid.uuid4().hex},
        cwd=folder,
        start_new_session=True,
        pass_fds=tuple(keep_open),
    )
    return Process(process, pid_file)


def end_orphans(pid_files: Sequence[Path], grace_seconds: float = 1.0) -> list[int]:
    """End the groups that the pid files name and remove the files; returns the ended pids. Call it in a thread.

    Only processes that are provably ours are ended: the leader by its start time, members by their marker.
    """
    groups: dict[int, tuple[str, str]] = {}
    for pid_file in pid_files:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            entry = json.loads(pid_file.read_text())
            groups[int(entry["pid"])] = (str(entry["started"]), str(entry["marker"]))
    ended = [pid for group, (started, marker) in groups.items() for pid in _members(group, started, marker)]
    for pid in ended:
        _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while (left := _all_members(groups)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in left:
        _signal(pid, signal.SIGKILL)
    while _all_members(groups) and time.monotonic() < deadline + grace_seconds:
        time.sleep(0.02)
    for pid_file in pid_files:
        pid_file.unlink(missing_ok=True)
    return ended


def started_at(pid: int) -> str | None:
    """When a process started, as an opaque string; None for a process that does not exist or is a zombie."""
    if Path("/proc/self/stat").exists():
        try:
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            return None
        return None if fields[0] in (b"Z", b"X") else fields[19].decode()
    answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None


def _all_members(groups: Mapping[int, tuple[str, str]]) -> list[int]:
    return [pid for group, (started, marker) in groups.items() for pid in _members(group, started, marker)]


def _members(group: int, started: str, marker: str) -> list[int]:
    members = [group] if started_at(group) == started else []
    if not marker or not Path("/proc/self/stat").exists():
        return members
    needle = f"{MARKER}={marker}".encode()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == group:
            continue
        with contextlib.suppress(OSError, IndexError):
            fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            ours = fields[0] not in (b"Z", b"X") and int(fields[2]) == group
            if ours and needle in (folder / "environ").read_bytes().split(b"\0"):
                members.append(int(folder.name))
    return members


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)

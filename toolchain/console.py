"""What set-up prints, how it fails, and how it runs other programs.

ToolchainError          what is missing, and what to do about it; printed without a traceback
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from exit_codes import ExitCode

HEARTBEAT_SECONDS = 15.0
OUTPUT_LINES_SHOWN = 15
NETWORK_WORDS = (
    "dial tcp", "no such host", "connection refused", "connection reset", "i/o timeout", "timed out", "proxyconnect",
    "tls handshake", "network is unreachable", "temporary failure in name resolution", "failed to fetch", "dns error",
    "could not connect", "newconnectionerror", "max retries exceeded", "error sending request", "certificate",
)  # fmt: skip
DISK_WORDS = ("no space left on device", "disk quota exceeded")


class ToolchainError(Exception):
    """A step of set-up cannot run; has what is missing and the fix."""

    exit_code = ExitCode.UNAVAILABLE

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(f"{problem}\n  Fix: {fix}")
        self.problem = problem
        self.fix = fix


def say(message: str) -> None:
    """Print one line of progress."""
    print(f"setup: {message}", flush=True)


def is_network_failure(output: str) -> bool:
    """Return whether a failed program's output mentions the network."""
    return any(word in output.lower() for word in NETWORK_WORDS)


def is_disk_failure(output: str) -> bool:
    """Return whether a failed program's output mentions a full disk."""
    return any(word in output.lower() for word in DISK_WORDS)


def last_lines(output: str) -> str:
    """Return the end of a program's output, indented, for an error message."""
    return "\n".join(f"    {line}" for line in output.strip().splitlines()[-OUTPUT_LINES_SHOWN:])


def run(
    command: Sequence[str | Path],
    *,
    doing: str,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
) -> tuple[int, str]:
    """Run a program, keep its output, and print every 15 seconds that it is still `doing` it.

    Returns exit code and output. Ctrl-C ends the program and everything that it started.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            process_group=0,
        )
        try:
            while True:
                try:
                    process.wait(heartbeat_seconds)
                    break
                except subprocess.TimeoutExpired:
                    say(f"  still {doing} ({time.monotonic() - started:.0f} s)")
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
        output.seek(0)
        return process.returncode, output.read().decode(errors="replace")


def run_or_fail(command: Sequence[str | Path], *, doing: str, fix: str, environment: Mapping[str, str]) -> str:
    """Run a program that must succeed; the error's fix depends on the cause: network, disk, or anything else."""
    code, output = run(command, doing=doing, environment=environment)
    if code == 0:
        return output
    if is_disk_failure(output):
        raise ToolchainError(f"{doing} failed: the disk is full.\n{last_lines(output)}", "free some space, then repeat")
    if is_network_failure(output):
        fix = f"check the network, the proxy settings and the package index that uv and pip use, then repeat; {fix}"
    raise ToolchainError(f"{doing} failed (exit code {code}):\n{last_lines(output)}", fix)


def fail(error: ToolchainError) -> int:
    """Print the error and return the exit code."""
    print(f"setup: error: {error}", file=sys.stderr, flush=True)
    return 1

"""Moments that last: the local Azure is held at a moment while a test does its work."""

import contextlib
import subprocess
import time
from types import TracebackType
from typing import Any

from command_errors import CommandError, UsageError
from rehearsal.faults import add_fault, clear_faults, release_fault, wait_until_held
from rehearsal.home import LocalHome
from tests.waiting import HANGS

LOOK_SECONDS = 2.0


class Moment:
    """A fault that holds requests during a `with` block; at its end everything that it held continues.

    `kind` is `hold` (a request, `when` before or after it took effect) or `operation-never-ends`; the scope is that of
    `localazure.faults.fault.Fault`.
    """

    def __init__(self, home: LocalHome, kind: str = "hold", **scope: Any) -> None:
        self._home = home
        self._document = {"kind": kind, **scope}
        self._number = 0

    def __enter__(self) -> "Moment":
        self._number = int(add_fault(self._home, **self._document)["number"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(UsageError):  # it is over: released as often as it counts
            clear_faults(self._home, self._number)

    def reached(self, process: "subprocess.Popen[Any]") -> bool:
        """Return whether Azure is held at the moment before the process that leads to it ends."""
        deadline = time.monotonic() + HANGS
        while time.monotonic() < deadline:
            ended = process.poll() is not None
            try:
                wait_until_held(self._home, self._number, seconds=0 if ended else LOOK_SECONDS)
            except CommandError:
                if ended:
                    return False
                continue
            return True
        raise AssertionError(f"after {HANGS:g} s neither is the moment there nor has the process ended")

    def release(self) -> None:
        """Release what is held; it has taken effect when this returns."""
        release_fault(self._home, self._number)

"""An event loop whose time is the test's: who waits for a moment gets it at once, and in the right order.

Time stands still while there is something to do, and jumps to the next timer when there is not. So a test of timeouts
and delays takes no time, and no busy machine changes its outcome. Only for code that waits on nothing but the loop:
while the outside world (a process, a thread, a peer's socket) works, time would jump.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.SelectSelector):
    """Does not wait for timers: what it was to wait for is added to the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:  # there is no timer: something from outside will wake it
            return super().select(None)
        ready = super().select(0)
        if not ready and timeout > 0:
            self.now += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Its clock begins at 1000 and is moved by `asyncio.sleep` and timers alone."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run(work: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(work)

"""An event loop in virtual time: whatever waits for a moment continues at once, and in the right order.

Time stops while there is something to do, and otherwise jumps to the next timer. So a test of timeouts and delays takes
no time, and a busy machine does not change its result. Use it only for code that waits for nothing but the loop: while
the outside world (a process, a thread, a peer's socket) works, time jumps. If there is no timer, the loop waits for the
threads that it started (`asyncio.to_thread`); if there is no such thread either, the test fails at once.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tests.waiting import HANGS

T = TypeVar("T")


class _JumpingSelector(selectors.SelectSelector):
    """A selector that does not wait for timers, but adds the time to the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.in_threads: set[asyncio.Future[Any]] = set()

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is not None:
            self.now += timeout
            return ready
        if not self.in_threads:
            raise RuntimeError("The test waits for something that no timer and no thread of this event loop can bring.")
        ready = super().select(HANGS)
        if not ready:
            raise RuntimeError(f"A thread that the test waits for has not ended within {HANGS:g} s.")
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock begins at 1000; only `asyncio.sleep` and timers move it."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    @property
    def waits_for_threads(self) -> bool:
        """Return whether a thread works for this loop."""
        return bool(self._jumping.in_threads)

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self._jumping.in_threads.add(future)
        future.add_done_callback(self._jumping.in_threads.discard)
        return future

    async def shutdown_default_executor(self, *timeout: Any) -> None:
        joining = self.create_future()  # joins the threads in a thread that `run_in_executor` does not know
        self._jumping.in_threads.add(joining)
        await super().shutdown_default_executor(*timeout)
        self._jumping.in_threads.discard(joining)


def run(work: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(work)

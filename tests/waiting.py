"""Waiting for events: how long a test waits before it reports that it hangs; this time proves nothing."""

import asyncio
import time
from collections.abc import Callable

HANGS = 180.0
"""Seconds; only a guard against hanging. A machine ten times slower than any of ours still passes."""


def wait_until(condition: Callable[[], object], what: str = "it does not happen", look_seconds: float = 0.02) -> None:
    """Return as soon as the condition holds."""
    deadline = time.monotonic() + HANGS
    while not condition():
        assert time.monotonic() < deadline, f"{what}: after {HANGS:g} s"
        time.sleep(look_seconds)


async def until(condition: Callable[[], object], what: str = "it does not happen", look_seconds: float = 0.005) -> None:
    """Return as soon as the condition holds, for code on an event loop."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + HANGS
    while not condition():
        assert loop.time() < deadline, f"{what}: after {HANGS:g} s"
        await asyncio.sleep(look_seconds)

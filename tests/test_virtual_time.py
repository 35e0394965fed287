"""The event loop in virtual time: it jumps to timers, waits for its threads, and never hangs."""

import asyncio
import threading

import pytest

from tests.virtual_time import run


def test_time_jumps_to_the_next_timer():
    async def main():
        begun = asyncio.get_running_loop().time()
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time() - begun

    assert run(main()) == 3600


def test_without_a_timer_the_loop_waits_for_its_threads():
    async def main():
        gate = threading.Event()
        thread = asyncio.create_task(asyncio.to_thread(gate.wait))
        await asyncio.sleep(0)
        threading.Timer(0.05, gate.set).start()
        return await thread

    assert run(main()) is True


def test_a_wait_that_nothing_ends_fails_at_once():
    async def main():
        await asyncio.to_thread(int)  # a thread that has ended adds nothing
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="no timer and no thread of this event loop can bring"):
        run(main())

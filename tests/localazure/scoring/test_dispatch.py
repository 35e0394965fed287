"""Places at instances: who gets one, who waits, who is refused."""

from __future__ import annotations

import asyncio

import pytest

from localazure.scoring.dispatch import Backend, Dispatcher, NoInstance, Saturated
from tests import virtual_time


def soon(seconds: float = 1.0) -> float:
    return asyncio.get_running_loop().time() + seconds


def run(body):
    virtual_time.run(asyncio.wait_for(body(), 10))


def with_backends(max_concurrent: int, count: int) -> tuple[Dispatcher, list[Backend]]:
    dispatcher = Dispatcher(max_concurrent, count)
    backends = [Backend(str(number)) for number in range(count)]
    for backend in backends:
        dispatcher.add(backend)
    return dispatcher, backends


def test_requests_go_to_the_least_busy_instance():
    async def body():
        dispatcher, backends = with_backends(3, 3)
        for _ in range(6):
            await dispatcher.acquire(soon())
        assert [backend.active for backend in backends] == [2, 2, 2]

    run(body)


def test_those_who_wait_are_served_in_order():
    async def body():
        dispatcher, (backend,) = with_backends(1, 1)
        await dispatcher.acquire(soon())
        order: list[int] = []

        async def waiting(number: int) -> None:
            order.append(number) if await dispatcher.acquire(soon()) else None

        task = asyncio.create_task(waiting(1))
        await asyncio.sleep(0)
        with pytest.raises(Saturated):
            await dispatcher.acquire(soon())
        assert order == []
        dispatcher.release(backend)
        await task
        assert order == [1]
        assert (backend.active, dispatcher.in_flight) == (1, 1)

    run(body)


def test_a_wait_ends_at_the_deadline_and_leaves_nothing_behind():
    async def body():
        dispatcher, (backend,) = with_backends(1, 1)
        await dispatcher.acquire(soon())
        with pytest.raises(TimeoutError):
            await dispatcher.acquire(soon(0.02))
        dispatcher.release(backend)
        assert (backend.active, dispatcher.in_flight) == (0, 0)

    run(body)


def test_a_cancelled_wait_hands_its_place_on():
    async def body():
        dispatcher, (backend,) = with_backends(2, 1)
        first = [await dispatcher.acquire(soon()) for _ in range(2)]
        waiting = [asyncio.create_task(dispatcher.acquire(soon())) for _ in range(2)]
        await asyncio.sleep(0)
        dispatcher.release(first[0])  # gives the place to waiting[0], which is cancelled before it runs
        waiting[0].cancel()
        assert await waiting[1] is backend
        await asyncio.gather(*waiting, return_exceptions=True)
        assert (backend.active, dispatcher.in_flight) == (2, 2)

    run(body)


def test_when_the_last_instance_leaves_the_waiting_are_told():
    async def body():
        dispatcher, (backend,) = with_backends(1, 1)
        await dispatcher.acquire(soon())
        waiting = asyncio.create_task(dispatcher.acquire(soon()))
        await asyncio.sleep(0)
        dispatcher.retire(backend)
        with pytest.raises(NoInstance):
            await waiting
        with pytest.raises(NoInstance):
            await dispatcher.acquire(soon())
        assert backend.active == 1

    run(body)


def test_a_retired_instance_drains():
    async def body():
        dispatcher, (first, second) = with_backends(1, 2)
        a, b = await dispatcher.acquire(soon()), await dispatcher.acquire(soon())
        assert {a, b} == {first, second}
        dispatcher.retire(first)
        assert await first.drained(0.02) is False
        dispatcher.release(first)
        assert await first.drained(1) is True
        dispatcher.release(second)
        assert await dispatcher.acquire(soon()) is second

    run(body)


def test_a_new_instance_takes_the_waiting():
    async def body():
        dispatcher, _ = with_backends(1, 1)
        await dispatcher.acquire(soon())
        waiting = asyncio.create_task(dispatcher.acquire(soon()))
        await asyncio.sleep(0)
        added = Backend("new")
        dispatcher.add(added)
        assert await waiting is added

    run(body)

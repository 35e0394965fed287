"""Holds subjects of a fault until they are released, the fault ends or is cleared, or the server stops.

A held subject polls every few milliseconds, so that the registry stays pure. Only held subjects bear that cost.
"""

from __future__ import annotations

import asyncio

from localazure.faults.registry import ActiveFault, Faults

LOOK_SECONDS = 0.02


async def stand_still(faults: Faults, active: ActiveFault, seconds: float | None = None) -> bool:
    """Hold the latest hit of the fault, for at most the given seconds. False if the server stops: the caller must then
    not continue."""
    hit = active.hits
    loop = asyncio.get_running_loop()
    end = None if seconds is None else loop.time() + seconds
    active.standing.add(hit)
    try:
        while faults.holds(active, hit) and (end is None or loop.time() < end):
            await asyncio.sleep(LOOK_SECONDS if end is None else min(LOOK_SECONDS, end - loop.time()))
    finally:
        faults.leave(active, hit)
    return not faults.closed


async def wait_until_gone(faults: Faults, held: list[ActiveFault]) -> None:
    """Return when everything that was released or cleared has continued and has done its immediate work."""
    while any(not faults.holds(active, hit) for active in held for hit in active.standing):
        await asyncio.sleep(LOOK_SECONDS)


async def wait_until_held(faults: Faults, number: int, count: int, seconds: float) -> ActiveFault | None:
    """The fault as soon as it holds `count` subjects at once, or after `seconds`; None if it has ended or ends."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        active = faults.find(number)
        if active is None or active.held >= count or faults.closed or loop.time() >= deadline:
            return active
        await asyncio.sleep(LOOK_SECONDS)

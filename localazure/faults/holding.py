"""Holding: what a fault holds waits here until it is released, the fault ends or is cleared, or the server stops.

Whatever waits polls every few milliseconds instead of being woken, so that the registry stays pure. Only what is held
pays for that.
"""

from __future__ import annotations

import asyncio

from localazure.faults.registry import ActiveFault, Faults

LOOK_SECONDS = 0.02


async def stand_still(faults: Faults, active: ActiveFault, seconds: float | None = None) -> bool:
    """Hold what the fault has just hit, for at most so many seconds. False when the server stops: then it must not go
    on."""
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
    """Return when everything that was released or cleared has gone on, and has done what it does at once."""
    while any(not faults.holds(active, hit) for active in held for hit in active.standing):
        await asyncio.sleep(LOOK_SECONDS)


async def wait_until_held(faults: Faults, number: int, count: int, seconds: float) -> ActiveFault | None:
    """The fault as soon as it holds so many things at once, or when the time is over; None if it has ended or ends."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        active = faults.find(number)
        if active is None or active.held >= count or faults.closed or loop.time() >= deadline:
            return active
        await asyncio.sleep(LOOK_SECONDS)

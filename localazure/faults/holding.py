"""Standing still: what a fault holds waits here until it is released, cleared or over, or the server stops.

What waits looks again every few milliseconds instead of being woken: so the registry stays pure. Only what is held pays
for it.
"""

from __future__ import annotations

import asyncio

from localazure.faults.registry import ActiveFault, Faults

LOOK_SECONDS = 0.02


async def stand_still(faults: Faults, active: ActiveFault, seconds: float | None = None) -> bool:
    """Wait as what the fault has just hit, no longer than so many seconds; False when the server stops and it shall not
    go on."""
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
    """Return when all that was released or cleared has gone on: what it does at once, it has done then."""
    while any(not faults.holds(active, hit) for active in held for hit in active.standing):
        await asyncio.sleep(LOOK_SECONDS)


async def wait_until_held(faults: Faults, number: int, count: int, seconds: float) -> ActiveFault | None:
    """The fault as soon as it holds so many at once, or when the time is over; None when it is or goes away."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        active = faults.find(number)
        if active is None or active.held >= count or faults.closed or loop.time() >= deadline:
            return active
        await asyncio.sleep(LOOK_SECONDS)

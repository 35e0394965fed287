"""Standing still: what a fault holds waits here until it is released, cleared or over, or the server stops.

What waits looks again every few milliseconds instead of being woken: so the registry stays pure. Only what is held pays
for it.
"""

from __future__ import annotations

import asyncio

from localazure.faults.registry import ActiveFault, Faults

LOOK_SECONDS = 0.02


async def stand_still(faults: Faults, active: ActiveFault) -> bool:
    """Wait as what the fault has just hit; False when the server stops and it shall not go on."""
    hit = active.hits
    active.held += 1
    try:
        while faults.holds(active, hit):
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        active.held -= 1
    return not faults.closed


async def wait_until_held(faults: Faults, number: int, count: int, seconds: float) -> ActiveFault | None:
    """The fault as soon as it holds so many at once, or when the time is over; None when it is or goes away."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        active = faults.find(number)
        if active is None or active.held >= count or faults.closed or loop.time() >= deadline:
            return active
        await asyncio.sleep(LOOK_SECONDS)

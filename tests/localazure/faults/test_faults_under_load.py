"""Faults on requests to models under load: whatever is refused, broken, slow or given up, no place is leaked."""

from __future__ import annotations

import asyncio
import random
import tempfile
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout, web

from localazure.faults.fault import Fault, Kind
from localazure.faults.registry import Faults
from localazure.faults.scoring import exchange_with_faults
from localazure.scoring.calls import Target, exchange
from localazure.scoring.dispatch import Backend, Dispatcher
from localazure.scoring.router import Router
from localazure.scoring.specification import EndpointRouting
from tests.waiting import HANGS, until

pytestmark = pytest.mark.integration  # seconds of load

REQUESTS = 400
AT_ONCE = 40
NAMES = ("blue", "green")
EVERY_KIND = [
    Fault(kind=Kind.DELAY, type="score", by_seconds=0.01, share_percent=10.0),
    Fault(kind=Kind.CONFLICT, type="score", share_percent=5.0),
    Fault(kind=Kind.THROTTLE, type="score", share_percent=5.0, retry_after_seconds=1),
    Fault(kind=Kind.ERROR, type="score", share_percent=5.0, status=503),
    Fault(kind=Kind.DROP, type="score", share_percent=5.0),
    Fault(kind=Kind.LOSE_RESPONSE, type="score", share_percent=10.0),
    Fault(kind=Kind.UNHEALTHY, share_percent=5.0),
    Fault(kind=Kind.SLOW, by_seconds=0.02, share_percent=20.0),
    Fault(kind=Kind.SLOW, by_seconds=10.0, share_percent=2.0),
    Fault(kind=Kind.ERRORS, status=500, share_percent=10.0),
]


async def model(request: web.Request) -> web.StreamResponse:
    """Answers at once, in pieces, late, or breaks off."""
    await request.read()
    way = request.headers["x-way"]
    if way == "late":
        await asyncio.sleep(0.05)
    if way in ("whole", "late"):
        return web.Response(text="ok")
    answer = web.StreamResponse()
    await answer.prepare(request)
    for piece in range(6):
        await answer.write(b"x" * 200_000)
        if way == "breaks" and piece == 2:
            assert request.transport is not None
            request.transport.abort()
            break
    return answer


async def call(session: ClientSession, url: str, chance: random.Random) -> int:
    """The status; 0 when there was no (whole) answer, or the client did not wait for it."""
    patience = ClientTimeout(total=chance.choice([0.005, 0.03, HANGS, HANGS, HANGS]))
    way = chance.choice(["whole", "whole", "late", "pieces", "breaks"])
    try:
        async with session.post(url, data=b"[1]", headers={"x-way": way}, timeout=patience) as answer:
            await answer.read()
            return answer.status
    except (ClientError, TimeoutError):
        return 0


@pytest.mark.parametrize("mirror", [{}, {"green": 50}])
def test_no_place_at_an_instance_is_leaked(mirror: dict[str, int]) -> None:
    async def story(folder: Path) -> tuple[list[int], list[Dispatcher], list[Backend]]:
        faults, chance = Faults(chance=random.Random(5).random), random.Random(6)
        for fault in EVERY_KIND:
            faults.add(fault)
        router = Router(random.Random(7), exchange_with_faults(faults, exchange))
        models, front = web.Application(), web.Application()
        models.router.add_route("*", "/{path:.*}", model)
        front.add_routes(router.routes())
        runners = [web.AppRunner(one, access_log=None, shutdown_timeout=1) for one in (models, front)]
        for runner in runners:
            await runner.setup()
        dispatchers, backends = [], []
        for name in NAMES:
            dispatcher = Dispatcher(4, 2)
            for number in range(2):
                backend = Backend(str(folder / f"{name}{number}"))
                await web.UnixSite(runners[0], backend.address).start()
                dispatcher.add(backend)
                backends.append(backend)
            dispatchers.append(dispatcher)
            router.attach(Target("fraud", name, dispatcher, 1.0))
        traffic = {"blue": 100} if mirror else {"blue": 60, "green": 40}
        router.route(
            EndpointRouting(endpoint="fraud", traffic=traffic, mirror=mirror, auth_mode="Key", primary_key="k")
        )
        await web.TCPSite(runners[1], "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runners[1].addresses[0][1]}/endpoints/fraud/score"
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(session: ClientSession) -> int:
            async with turns:
                return await call(session, url, chance)

        async with ClientSession(headers={"Authorization": "Bearer k"}) as session:
            statuses = await asyncio.gather(*(one(session) for _ in range(REQUESTS)))
        # What callers have given up ends by its own deadline.
        await until(lambda: not any(dispatcher.in_flight for dispatcher in dispatchers))
        await router.close()
        for runner in reversed(runners):
            await runner.cleanup()
        return statuses, dispatchers, backends

    with tempfile.TemporaryDirectory() as folder:  # short: a unix socket's path has about 100 bytes
        statuses, dispatchers, backends = asyncio.run(story(Path(folder)))
    assert {200, 0, 409, 424, 429, 503} <= set(statuses)
    assert 500 not in statuses  # of the router itself
    assert [dispatcher.in_flight for dispatcher in dispatchers] == [0, 0]
    assert [backend.active for backend in backends] == [0, 0, 0, 0]
    assert [len(dispatcher._waiting) for dispatcher in dispatchers] == [0, 0]

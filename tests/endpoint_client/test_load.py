"""The load generator counts what an endpoint answers, per deployment, and never repeats a request."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from command_errors import UsageError
from endpoint_client.load import Load
from endpoint_client.request_file import read_bodies
from endpoint_client.tally import DEPLOYMENT_HEADER, Tally

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def against(handler: Handler, use: Callable[[str], Awaitable[Tally]]) -> Tally:
    application = web.Application()
    application.router.add_post("/score", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        return await use(f"http://127.0.0.1:{port}/score")
    finally:
        await runner.cleanup()


def test_answers_are_counted_per_deployment_and_status() -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        green = len(seen) % 4 == 0
        return web.Response(status=500 if green else 200, headers={DEPLOYMENT_HEADER: "green" if green else "blue"})

    tally = asyncio.run(against(handler, lambda uri: Load(uri, [b"{}"], key="k", clients=3).run(requests=40)))
    assert tally.requests == len(seen) == 40
    assert tally.split_percent() == {"blue": 75.0, "green": 25.0}
    assert tally.statuses == {200: 30, 500: 10}
    assert (tally.failed, tally.errors_by_deployment) == (10, {"green": 10})
    assert set(seen) == {"Bearer k"}


def test_a_connection_that_breaks_is_a_failure_and_not_an_answer() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    tally = asyncio.run(against(handler, lambda uri: Load(uri, [b"{}"], key=None, clients=1).run(requests=2)))
    assert tally.failed == 2
    assert tally.split_percent() == {}


def test_the_number_of_clients_is_bounded() -> None:
    with pytest.raises(UsageError, match="1 to 64, got 65"):
        Load("http://127.0.0.1", [b""], key=None, clients=65)


def test_the_lines_of_a_jsonl_file_are_sent_in_turn(tmp_path: Path) -> None:
    file = tmp_path / "traffic.jsonl"
    file.write_text('{"a": 1}\n\n{"a": 2}\n')
    seen: list[bytes] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(await request.read())
        return web.Response()

    asyncio.run(against(handler, lambda uri: Load(uri, read_bodies(file), key=None, clients=1).run(requests=3)))
    assert seen == [b'{"a": 1}', b'{"a": 2}', b'{"a": 1}']

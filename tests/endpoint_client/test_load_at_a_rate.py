"""An open loop: requests start when they are due, whatever became of those before them. In virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from cli.main import main
from command_errors import UsageError
from endpoint_client.load import Load, Post
from endpoint_client.tally import DEPLOYMENT_HEADER, NOT_STARTED
from tests.virtual_time import run

Answering = Callable[["ScriptedLoad"], Awaitable[int]]


class ScriptedLoad(Load):
    """A load against an endpoint that is a coroutine; `starts` are the moments at which requests started."""

    def __init__(self, answer: Answering, *, rate: float, in_flight: int = 256) -> None:
        super().__init__("", [b"{}"], key=None, rate=rate, in_flight=in_flight)
        self.answer = answer
        self.starts: list[float] = []
        self.under_way = 0
        self.most_under_way = 0

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Post]:
        began = asyncio.get_running_loop().time()

        async def post(body: bytes) -> tuple[int, Mapping[str, str]]:
            self.starts.append(round(asyncio.get_running_loop().time() - began, 6))
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
            try:
                return await self.answer(self), {DEPLOYMENT_HEADER: "blue"}
            finally:
                self.under_way -= 1

        yield post


def after(seconds: float) -> Answering:
    async def answer(load: ScriptedLoad) -> int:
        await asyncio.sleep(seconds)
        return 200

    return answer


def test_requests_start_on_schedule_however_slow_the_answers_are() -> None:
    load = ScriptedLoad(after(10), rate=4)
    tally = run(load.run(requests=8))
    assert load.starts == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75]
    assert load.most_under_way == 8
    assert (tally.requests, tally.failed, tally.scheduled, tally.late) == (8, 0, 8, 0)
    assert tally.percentile_ms(0.5) == 10_000


def test_a_time_holds_the_requests_that_are_due_in_it() -> None:
    load = ScriptedLoad(after(0), rate=10)
    tally = run(load.run(seconds=1))
    assert len(load.starts) == 10
    assert load.starts[-1] == 0.9
    assert tally.requests == 10


def test_a_stall_shows_in_every_request_that_it_kept_waiting() -> None:
    """The endpoint stops for one second; a closed loop would have sent one slow request and nothing meanwhile."""

    async def answer(load: ScriptedLoad) -> int:
        stalled_until = 1000.995  # virtual time begins at 1000
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, stalled_until - now) + 0.01)
        return 200

    load = ScriptedLoad(answer, rate=10, in_flight=1)
    tally = run(load.run(requests=20))
    # The first took 1.005 s. The second was due at 0.1 s and started at 1.005 s; each later one waited a little less.
    assert [round(latency) for latency in tally.latencies_ms[:4]] == [1005, 915, 825, 735]
    assert load.most_under_way == 1
    assert tally.late == 10
    assert tally.greatest_delay_ms == pytest.approx(905)
    assert tally.facts()["starts"] == {"scheduled": 20, "late": 10, "greatest_delay_ms": 905.0}
    assert load.starts[-1] == 1.9  # it has caught up


def test_what_found_no_room_until_the_time_was_up_is_a_failure() -> None:
    load = ScriptedLoad(after(60), rate=10, in_flight=3)
    tally = run(load.run(seconds=2))
    assert len(load.starts) == load.most_under_way == 3
    assert tally.failures == {NOT_STARTED: 17}
    assert (tally.requests, tally.failed) == (20, 17)


def test_a_request_without_an_answer_makes_room_for_the_next() -> None:
    async def answer(load: ScriptedLoad) -> int:
        await asyncio.sleep(1)
        raise aiohttp.ServerDisconnectedError

    load = ScriptedLoad(answer, rate=1, in_flight=1)
    tally = run(load.run(requests=3))
    assert tally.failures == {"ServerDisconnectedError": 3}
    assert (tally.late, load.starts) == (0, [0, 1, 2])


def test_a_stop_ends_it_before_the_next_request_is_due_and_waits_for_those_under_way() -> None:
    load = ScriptedLoad(after(5), rate=0.01)

    async def stop_soon() -> float:
        running = asyncio.create_task(load.run())
        await asyncio.sleep(1)
        load.stop()
        await running
        return asyncio.get_running_loop().time() - 1000

    assert run(stop_soon()) == pytest.approx(5)
    assert (load.total.requests, load.total.failures) == (1, {})


def test_a_stop_ends_it_where_no_request_has_room() -> None:
    load = ScriptedLoad(after(30), rate=10, in_flight=1)

    async def stop_soon() -> None:
        running = asyncio.create_task(load.run())
        await asyncio.sleep(3)
        load.stop()
        await running

    run(stop_soon())
    assert (load.total.requests, load.total.failures) == (1, {})


def test_a_load_without_a_rate_has_no_schedule_to_be_late_for() -> None:
    load = ScriptedLoad(after(1), rate=1)
    load.rate = None
    tally = run(load.run(requests=4))
    assert tally.late == tally.scheduled == 0
    assert "starts" not in tally.facts()


@pytest.mark.parametrize(("rate", "in_flight"), [(0, 1), (-1, 1), (501, 1), (5, 0), (5, 513)])
def test_rate_and_requests_under_way_are_bounded(rate: float, in_flight: int) -> None:
    with pytest.raises(UsageError, match=f"got {rate} and {in_flight}"):
        Load("", [b""], key=None, rate=rate, in_flight=in_flight)


def test_the_command_sends_at_a_rate_to_a_real_endpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.json").write_text("{}")

    async def answer(request: web.Request) -> web.Response:
        return web.Response(headers={DEPLOYMENT_HEADER: "blue"})

    async def serve() -> int:
        application = web.Application()
        application.router.add_post("/score", answer)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            uri = f"http://127.0.0.1:{runner.addresses[0][1]}/score"
            words = ["load", uri, "--request-file", str(tmp_path / "r.json"), "--rate", "200", "--requests", "20"]
            return await asyncio.to_thread(main, [*words, "--json"])
        finally:
            await runner.cleanup()

    assert asyncio.run(serve()) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["requests"], facts["failed"], facts["starts"]["scheduled"]) == (20, 0, 20)
    assert facts["deployments"] == {"blue": 20}

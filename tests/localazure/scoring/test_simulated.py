"""Deployments without processes: the router's rules hold, and nothing is started."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from localazure.scoring.environments import EnvironmentCache
from localazure.scoring.plane import DeploymentSpec, EndpointRouting, ScoringPlane
from tests.waiting import until


def run(home: Path, body: Callable[[ScoringPlane, ClientSession, str], Awaitable[None]]) -> None:
    async def main() -> None:
        plane = ScoringPlane(home, EnvironmentCache(home / "cache"), simulated=True)
        await plane.start()
        application = web.Application()
        application.add_routes(plane.routes())
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/endpoints/fraud"
        async with ClientSession(headers={"Authorization": "Bearer k"}) as session:
            await body(plane, session, url)
        await runner.cleanup()
        await plane.close()

    asyncio.run(main())


def spec(deployment: str = "blue", **more) -> DeploymentSpec:
    return DeploymentSpec(endpoint="fraud", deployment=deployment, **more)


@pytest.mark.proves("switches", honours=["--compute"])
def test_it_answers_like_an_inference_server_without_code_or_environment(tmp_path):
    async def body(plane, session, url):
        await plane.deploy(spec())
        plane.route(EndpointRouting(endpoint="fraud", traffic={"blue": 100}, primary_key="k"))
        async with session.post(
            f"{url}/score", data=b"[1]", headers={"x-request-id": "9c4d50ee-2d56-4cd3-8152-34347dc9f2b0"}
        ) as answer:
            assert answer.status == 200
            assert await answer.json() == {
                "simulated": True,
                **{"endpoint": "fraud", "deployment": "blue", "instance": 0},
            }
            assert answer.headers["azureml-model-deployment"] == "blue"
            assert answer.headers["x-ms-run-function-failed"] == "False"
            assert answer.headers["x-request-id"] == "9c4d50ee-2d56-4cd3-8152-34347dc9f2b0"
        async with session.get(f"{url}/swagger.json") as answer:
            assert json.loads(await answer.text())["swagger"] == "2.0"
        assert "simulated" in await plane.logs("fraud", "blue", "InferenceServer", 10)
        assert not list(tmp_path.rglob("*.pid"))

    run(tmp_path, body)


def test_instances_take_turns_and_follow_the_count(tmp_path):
    async def body(plane, session, url):
        await plane.deploy(spec(instance_count=3))
        plane.route(EndpointRouting(endpoint="fraud", traffic={"blue": 100}, primary_key="k"))

        async def seen() -> set[int]:
            numbers = set()
            for _ in range(12):
                async with session.post(f"{url}/score", data=b"[1]") as answer:
                    numbers.add((await answer.json())["instance"])
            return numbers

        assert await seen() == {0, 1, 2}
        await plane.scale("fraud", "blue", 1)
        assert await seen() == {0}
        await plane.deploy(spec(instance_count=2))
        assert await seen() == {0, 1}
        assert [one.instances for one in plane.running()] == [[(0, None, True), (1, None, True)]]
        status = plane.status()["fraud"]["deployments"]["blue"]
        assert (status["requests"], status["errors"], status["simulated"]) == (36, 0, True)

    run(tmp_path, body)


def test_a_mirrored_simulated_deployment_sees_copies_and_a_removed_one_is_gone(tmp_path):
    async def body(plane, session, url):
        served = []
        plane.observe(served.append)
        plane._router._random = random.Random(7).random
        await plane.deploy(spec())
        await plane.deploy(spec("green", environment_variables={"A": "b"}))
        await plane.deploy(spec("green", environment_variables={"A": "c"}))
        routing = EndpointRouting(endpoint="fraud", traffic={"blue": 100}, mirror={"green": 50}, primary_key="k")
        plane.route(routing)
        for _ in range(40):
            async with session.post(f"{url}/score", data=b"[1]") as answer:
                assert (await answer.json())["deployment"] == "blue"
        await until(lambda: not plane._router._copies)
        copies = [one for one in served if one.mirrored]
        assert len(copies) == 22  # the chance is seeded
        assert {one.deployment for one in copies} == {"green"}
        await plane.remove("fraud", "green")
        with pytest.raises(KeyError):
            await plane.scale("fraud", "green", 2)

    run(tmp_path, body)

"""The whole data plane with real inference servers, in environments built by uv from conda files."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from cache_folder import cache_folder
from localazure.monitor.metrics import CPU, MEMORY, Metrics
from localazure.monitor.sampler import Sampler
from localazure.scoring import processes
from localazure.scoring.environments import EnvironmentCache
from localazure.scoring.plane import (
    DeploymentFailed,
    DeploymentSpec,
    EndpointRouting,
    ScoringPlane,
)
from tests.waiting import until
from toolchain.uv import find_uv, uv_environment

pytestmark = pytest.mark.integration

CONDA = "dependencies:\n- python=3.11\n- pip:\n  - azureml-inference-server-http==1.5.1\n"
MODEL = Path(__file__).parents[3] / "models" / "fraud-detection"
SCRIPT = """
import json, os, time
def init():
    print("model says hello from", os.path.basename(os.environ["AZUREML_MODEL_DIR"]))
def run(data):
    asked = json.loads(data)
    time.sleep(asked.get("seconds", 0))
    return {"pid": os.getpid(), "colour": os.environ["COLOUR"]}
"""


@pytest.fixture(autouse=True)
def uv(monkeypatch):
    environment = uv_environment(os.environ)
    for name, value in environment.items():
        if name.startswith("UV_") or name == "SSL_CERT_FILE":
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("SLUICE_UV", str(find_uv(os.environ)))


@pytest.fixture
def spec(tmp_path) -> Callable[..., DeploymentSpec]:
    def make(deployment: str = "blue", script: str = SCRIPT, **changes: Any) -> DeploymentSpec:
        code = tmp_path / f"code-{abs(hash(script))}"
        code.mkdir(exist_ok=True)
        (code / "score.py").write_text(script)
        values = {"conda_file": CONDA, "code_folder": code, "scoring_script": "score.py"}
        values |= {"max_concurrent_requests_per_instance": 4, "environment_variables": {"COLOUR": deployment}}
        return DeploymentSpec(endpoint="fraud", deployment=deployment, **(values | changes))

    return make


class Caller:
    """A plane behind a loopback port, and a client for it."""

    def __init__(self, plane: ScoringPlane, session: ClientSession, port: int, home: Path) -> None:
        self.plane, self.home = plane, home
        self._session, self._url = session, f"http://127.0.0.1:{port}/endpoints/fraud/score"

    def route(self, **traffic: int) -> None:
        self.plane.route(EndpointRouting(endpoint="fraud", traffic=traffic, primary_key="k"))

    async def score(self, body: bytes = b"{}", deployment: str | None = None) -> tuple[int, Any]:
        headers = {"Authorization": "Bearer k", "Content-Type": "application/json"}
        headers |= {"azureml-model-deployment": deployment} if deployment else {}
        async with self._session.post(self._url, data=body, headers=headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if answer.content_type == "application/json" else text

    def in_flight(self) -> int:
        """Requests that a model is working on."""
        return int(self.plane.status()["fraud"]["deployments"]["blue"]["in_flight"])

    def pids(self, deployment: str = "blue") -> list[int]:
        instances = self.plane.status()["fraud"]["deployments"][deployment]["instances"]
        return [instance["pid"] for instance in instances]


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Caller]:
    with tempfile.TemporaryDirectory() as home:
        plane = ScoringPlane(Path(home), EnvironmentCache(cache_folder(os.environ) / "environments"))
        await plane.start()
        application = web.Application()
        application.add_routes(plane.routes())
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            async with ClientSession() as session:
                yield Caller(plane, session, runner.addresses[0][1], Path(home))
        finally:
            await runner.cleanup()
            await plane.close()
            assert not list(Path(home).glob("deployments/*/*/*.pid"))


def run(body: Callable[[Caller], Awaitable[None]]) -> None:
    async def main() -> None:
        async with serving() as caller:
            await body(caller)

    asyncio.run(main())


def alive(pid: int) -> bool:
    return processes.started_at(pid) is not None


def test_the_example_model_answers_its_sample_request():
    async def body(caller):
        files = {"code_folder": MODEL / "src", "scoring_script": "score.py", "model_folder": MODEL / "artefacts/blue"}
        conda_file = (MODEL / "conda.yml").read_text()
        await caller.plane.deploy(DeploymentSpec(endpoint="fraud", deployment="blue", conda_file=conda_file, **files))
        caller.route(blue=100)
        status, answer = await caller.score((MODEL / "sample-request.json").read_bytes())
        assert status == 200
        assert answer["version"] == "blue"
        assert all(0 <= one["fraud_probability"] <= 1 for one in answer["predictions"])
        assert (await caller.score(b"[]"))[0] == 424

    run(body)


def test_deploy_again_changes_nothing_and_logs_read_as_recorded(spec):
    async def body(caller):
        await caller.plane.deploy(spec())
        caller.route(blue=100)
        before = caller.pids()
        await caller.plane.deploy(spec())
        assert caller.pids() == before
        assert await caller.score() == (200, {"pid": (await caller.score())[1]["pid"], "colour": "blue"})
        log = await caller.plane.logs("fraud", "blue", "InferenceServer", 100)
        assert log.startswith(
            "Instance status:\nSystemSetup: Succeeded\nUserContainerImagePull: Succeeded\n"
            "ModelDownload: Succeeded\nUserContainerStart: Succeeded\n\nContainer logs:\n"
        )
        assert "model says hello from 1" in log
        assert "Model mounted at" in await caller.plane.logs("fraud", "blue", "StorageInitializer", 100)

    run(body)


LOGGING_SCRIPT = """
import logging, sys
logging.basicConfig(level=logging.INFO)
log = logging.getLogger(__name__)
def init():
    log.info("LOADED")
    print("printed")
    print("complained", file=sys.stderr)
def run(data):
    log.error("BOOM")
    log.info("quiet")
    return {}
"""
# Microsoft's own command, on the loopback address instead of all interfaces.
OWN_COMMAND = """
import sys
del sys.path[0]
sys.argv = ["azmlinfsrv", "--entry_script", sys.argv[1], "--port", sys.argv[2]]
from azureml_inference_server_http import amlserver
amlserver.DEFAULT_HOST = "127.0.0.1"
amlserver.run()
"""


def lines_of(log: str) -> list[str]:
    """A log without what differs from run to run: times, process ids, addresses, durations, access lines."""
    log = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ (\w) \[\d+\]", r"\1", log)
    log = re.sub(r"Listening at: .*|pid:? \d+|31311|\(pid: \d+\)|\d+\.\d+ms", "", log)
    return [line for line in log.splitlines() if "gunicorn.access" not in line and "ontrol socket" not in line]


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the model's environment is read from /proc")
def test_the_log_of_a_model_is_what_the_servers_own_command_writes(spec, tmp_path):
    """Format and level: an INFO line that Azure would not show is not shown, however the script asks for it."""

    async def body(caller):
        await caller.plane.deploy(spec(script=LOGGING_SCRIPT))
        caller.route(blue=100)
        assert (await caller.score())[0] == 200
        process = Path(f"/proc/{caller.pids()[0]}")
        python = (process / "cmdline").read_bytes().split(b"\0")[0].decode()
        pairs = (entry.split("=", 1) for entry in (process / "environ").read_bytes().decode().split("\0") if entry)
        variables = dict(pairs)
        ours = lines_of(
            (await caller.plane.logs("fraud", "blue", "InferenceServer", 1000)).split("Container logs:\n")[1]
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        log = tmp_path / "own.log"
        with log.open("wb") as output:
            own = subprocess.Popen(
                [python, "-c", OWN_COMMAND, variables["AZUREML_ENTRY_SCRIPT"], str(port)],
                cwd=variables["AML_APP_ROOT"],
                env=variables | {"HOME": str(tmp_path)},
                stdout=output,
                stderr=output,
            )
        try:
            await until(lambda: "ready for serving traffic" in log.read_text())
            url = f"http://127.0.0.1:{port}/score"
            async with ClientSession() as session, session.post(url, data=b"{}") as answer:
                assert answer.status == 200
            await until(lambda: "POST /score 200" in log.read_text())
            theirs = lines_of(log.read_text().replace(str(port), "31311"))
        finally:
            own.terminate()
            own.wait()
        assert sorted(ours) == sorted(theirs)
        assert "ERROR:entry_module:BOOM" in ours
        assert "complained" in ours
        assert any(line.endswith("azmlinfsrv.print - printed") for line in ours)
        assert not [line for line in ours if "LOADED" in line or "quiet" in line]

    run(body)


@pytest.mark.proves("data plane", honours=["drain"])
def test_scaling_out_and_in_under_load_loses_no_request(spec):
    async def body(caller):
        await caller.plane.deploy(spec())
        caller.route(blue=100)
        statuses, going = [], True

        async def client():
            while going:
                statuses.append((await caller.score(b'{"seconds": 0.02}'))[0])

        clients = [asyncio.create_task(client()) for _ in range(3)]
        await caller.plane.scale("fraud", "blue", 3)
        assert len(set(caller.pids())) == 3
        answered = len(statuses)
        await until(lambda: len(statuses) > answered + 20)
        await caller.plane.scale("fraud", "blue", 1)
        assert len(caller.pids()) == 1
        going = False
        await asyncio.gather(*clients)
        assert set(statuses) == {200}
        assert len(list(caller.home.glob("deployments/*/*/*.pid"))) == 1

    run(body)


def test_a_changed_deployment_takes_over_when_it_is_ready_and_loses_no_request(spec):
    async def body(caller):
        await caller.plane.deploy(spec())
        caller.route(blue=100)
        running = asyncio.create_task(caller.score(b'{"seconds": 3}'))
        await until(lambda: caller.in_flight() == 1)
        await caller.plane.deploy(
            spec(environment_variables={"COLOUR": "navy"}, max_concurrent_requests_per_instance=9)
        )
        assert (await caller.score())[1]["colour"] == "navy"
        assert (await running)[1]["colour"] == "blue"

    run(body)


def test_a_failed_change_leaves_the_old_version_serving(spec):
    async def body(caller):
        await caller.plane.deploy(spec())
        caller.route(blue=100)
        with pytest.raises(DeploymentFailed):
            await caller.plane.deploy(spec(script="def init(): raise ValueError('bad')\ndef run(x): pass\n"))
        assert (await caller.score())[0] == 200

    run(body)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("def init():\n    raise RuntimeError('no weights found')\ndef run(x): pass\n", "no weights found"),
        ("import nothing_of_this_name\n", "nothing_of_this_name"),
        ("def init(:\n", "SyntaxError"),
    ],
)
def test_a_script_that_fails_at_start_fails_the_deployment_with_its_traceback(spec, script, reason):
    async def body(caller):
        with pytest.raises(DeploymentFailed, match=reason) as caught:
            await caller.plane.deploy(spec(script=script))
        assert caught.value.code == "ResourceNotReady"
        assert "Traceback" in caught.value.message
        assert caller.pids() == []
        caller.route(blue=100)
        assert (await caller.score())[0] == 503
        log = await caller.plane.logs("fraud", "blue", "InferenceServer", 100)
        assert "UserContainerStart: Failed" in log
        assert reason in log
        # It can be replaced.
        await caller.plane.deploy(spec())
        assert (await caller.score())[0] == 200

    run(body)


@pytest.mark.proves("onlineEndpoints/deployments", honours=["properties.environmentId"])
def test_a_package_that_does_not_exist_is_an_image_build_failure(spec, tmp_path):
    async def body(caller):
        broken = CONDA + "  - azureml-inference-server-http==999.0\n"
        with pytest.raises(DeploymentFailed, match=r"999\.0") as caught:
            await caller.plane.deploy(spec(conda_file=broken))
        assert caught.value.code == "ImageBuildFailure"

    run(body)


@pytest.mark.proves("data plane", honours=["repair"])
def test_a_killed_instance_comes_back(spec):
    async def body(caller):
        await caller.plane.deploy(spec(instance_count=2))
        caller.route(blue=100)
        first, second = caller.pids()
        worker = (await caller.score())[1]["pid"]
        os.kill(first, signal.SIGKILL)
        os.kill(second, signal.SIGKILL)
        await until(lambda: None not in caller.pids() and not {first, second} & set(caller.pids()))
        deployment = caller.plane.status()["fraud"]["deployments"]["blue"]
        await until(
            lambda: all(
                instance["ready"] for instance in caller.plane.status()["fraud"]["deployments"]["blue"]["instances"]
            )
        )
        assert deployment["state"] == "serving"
        assert (await caller.score())[0] == 200
        assert not alive(worker)

    run(body)


def test_a_removed_deployment_finishes_its_requests_and_leaves_nothing(spec):
    async def body(caller):
        await caller.plane.deploy(spec())
        caller.route(blue=100)
        pids = [*caller.pids(), (await caller.score())[1]["pid"]]
        running = asyncio.create_task(caller.score(b'{"seconds": 0.5}'))
        await until(lambda: caller.in_flight() == 1)
        await caller.plane.remove("fraud", "blue")
        assert (await running)[0] == 200
        assert not any(alive(pid) for pid in pids)
        assert not (caller.home / "deployments/fraud/blue").exists()
        with pytest.raises(KeyError):
            await caller.plane.logs("fraud", "blue", "InferenceServer", 1)
        await caller.plane.remove("fraud", "blue")

    run(body)


SERVER = """
import asyncio, json, os, pathlib, sys
sys.path.insert(0, sys.argv[1])
from cache_folder import cache_folder
from localazure.scoring.environments import EnvironmentCache
from localazure.scoring.plane import *
async def main():
    plane = ScoringPlane(pathlib.Path(sys.argv[2]), EnvironmentCache(cache_folder(os.environ) / "environments"))
    await plane.start()
    values = json.loads(sys.argv[3])
    await plane.deploy(DeploymentSpec(**{**values, "code_folder": pathlib.Path(values["code_folder"])}))
    print(plane.status()["fraud"]["deployments"]["blue"]["instances"][0]["pid"], flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds processes through /proc")
@pytest.mark.proves("data plane", honours=["repair"])
def test_after_kill_9_of_the_server_the_next_start_leaves_no_orphan(spec, tmp_path):
    wanted = spec()
    values = {"endpoint": "fraud", "deployment": "blue", "conda_file": CONDA, "scoring_script": "score.py"}
    values |= {"code_folder": str(wanted.code_folder), "environment_variables": {"COLOUR": "blue"}}
    with tempfile.TemporaryDirectory() as home:
        root = str(Path(processes.__file__).parents[2])
        server = subprocess.Popen(
            [sys.executable, "-c", SERVER, root, home, json.dumps(values)], stdout=subprocess.PIPE, text=True
        )
        assert server.stdout is not None
        leader = int(server.stdout.readline())
        workers = [int(pid) for pid in Path(f"/proc/{leader}/task/{leader}/children").read_text().split()]
        assert workers
        os.kill(leader, signal.SIGSTOP)  # cannot react to the death of its parent
        server.kill()
        server.wait()
        server.stdout.close()
        assert alive(leader)
        assert any(alive(worker) for worker in workers)

        async def start_again() -> None:
            plane = ScoringPlane(Path(home), EnvironmentCache(cache_folder(os.environ) / "environments"))
            await plane.start()
            assert not any(alive(pid) for pid in (leader, *workers))
            await plane.deploy(wanted)
            await plane.close()

        asyncio.run(start_again())


BUSY_SCRIPT = """
import time
def init(): pass
def run(data):
    end = time.process_time() + 0.6
    while time.process_time() < end: pass
    return {}
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_load_of_real_instances_shows_in_their_metrics(spec):
    async def body(caller):
        await caller.plane.deploy(spec(script=BUSY_SCRIPT, instance_count=2, max_concurrent_requests_per_instance=1))
        caller.route(blue=100)
        metrics = Metrics()
        sampler = Sampler(metrics, caller.plane)
        sampler.sample(1000.0)
        assert (await caller.score())[0] == 200
        sampler.sample(1001.0)  # a second for 0.6 s of work, however long this machine took
        sampled: dict[str, list[float]] = {CPU: [], MEMORY: []}
        for (kind, _), samples in metrics.gauges("fraud", "blue").usage.items():
            sampled[kind] += [spread.total for _, spread in samples.seconds(0, 2000, 3000)]
        idle, busy = sorted(sampled[CPU])
        assert 55 <= busy <= 100
        assert idle < busy / 2
        assert all(0 < percent < 100 for percent in sampled[MEMORY])

    run(body)

"""Batch jobs as real processes: what the scoring script gets, what becomes of what it returns, and how it can fail."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from localazure.batch import runner as batch_runner
from localazure.batch.runner import BatchRunner
from localazure.batch.specification import BatchSpec
from localazure.scoring import processes
from localazure.scoring.environments import EnvironmentCache
from localazure.scoring.specification import DeploymentFailed
from tests.waiting import HANGS, until, wait_until
from toolchain.uv import find_uv

pytestmark = pytest.mark.integration

SCRIPT = """
import os

def init():
    global greeting
    folder = os.environ["AZUREML_MODEL_DIR"]
    with open(os.path.join(folder, "model", "greeting.txt")) as file:
        greeting = file.read()

def run(mini_batch):
    print("batch", len(mini_batch))
    return [f"{greeting} {os.path.basename(path)} {os.environ['MOOD']}" for path in mini_batch]
"""


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> EnvironmentCache:
    return EnvironmentCache(tmp_path_factory.mktemp("environments"))


@pytest.fixture(autouse=True)
def uv(monkeypatch):
    monkeypatch.setenv("SLUICE_UV", str(find_uv(os.environ)))


@pytest.fixture
def make_spec(tmp_path: Path):
    """A job over five files with a model of one file in a folder."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "greeting.txt").write_text("hello")
    (tmp_path / "rows").mkdir()
    for number in range(5):
        (tmp_path / "rows" / f"{number}.csv").write_text(str(number))

    def make(script: str = SCRIPT, **changes: object) -> BatchSpec:
        code = tmp_path / "code"
        code.mkdir(exist_ok=True)
        (code / "score.py").write_text(script)
        facts = {
            "job": "batchjob-1",
            "conda_file": "dependencies:\n- python\n",
            "image": None,
            "code_folder": code,
            "scoring_script": "score.py",
            "model": tmp_path / "model",
            "inputs": tuple(sorted((tmp_path / "rows").iterdir())),
            "mini_batch_size": 2,
            "max_retries": 1,
            "mini_batch_timeout_seconds": HANGS,
            "error_threshold": -1,
            "workers": 1,
            "append_row": True,
            "output_file_name": "predictions.csv",
            "logging_level": "Info",
            "environment_variables": {"MOOD": "fine"},
        }
        return BatchSpec(**(facts | changes))

    return make


def run(runner: BatchRunner, spec: BatchSpec):
    told: list[str] = []
    result = asyncio.run(runner.run(spec, lambda: told.append("started")))
    assert told == ["started"]
    return result


@pytest.fixture
def runner(tmp_path: Path, environments: EnvironmentCache) -> BatchRunner:
    return BatchRunner(tmp_path / "batch", environments)


@pytest.mark.proves(
    "batchEndpoints/deployments",
    honours=[
        "properties.codeConfiguration.scoringScript",
        "properties.environmentVariables",
        "properties.miniBatchSize",
        "properties.outputFileName",
    ],
)
def test_the_script_runs_over_the_input_and_its_rows_are_the_output(runner, make_spec):
    result = run(runner, make_spec())
    rows = (result.output / "predictions.csv").read_text().splitlines()
    assert rows == [f"hello {number}.csv fine" for number in range(5)]
    assert result.failed_inputs == 0
    assert runner.log("batchjob-1").read_text().count("batch 2") == 2
    assert not (result.output.parent / "model").exists()


PIDS = (
    "import os\ndef run(mini_batch):\n    return [f'{os.getpid()} {os.path.basename(path)}' for path in mini_batch]\n"
)


def test_workers_share_the_mini_batches(runner, make_spec):
    result = run(runner, make_spec(PIDS, workers=8))
    rows = [row.split() for row in (result.output / "predictions.csv").read_text().splitlines()]
    assert sorted(name for _, name in rows) == [f"{number}.csv" for number in range(5)]
    assert len({pid for pid, _ in rows}) == 3


def test_no_deployment_asks_for_more_processes_than_a_machine_bears(runner, make_spec, monkeypatch):
    monkeypatch.setattr(batch_runner, "MOST_WORKERS", 2)
    result = run(runner, make_spec(PIDS, workers=10**9, mini_batch_size=1))
    assert len({row.split()[0] for row in (result.output / "predictions.csv").read_text().splitlines()}) == 2


def test_many_jobs_take_turns(tmp_path, environments, make_spec, monkeypatch):
    monkeypatch.setattr(batch_runner, "JOBS_AT_ONCE", 2)
    runner, running, most = BatchRunner(tmp_path / "batch", environments), 0, 0

    async def one(number: int) -> None:
        nonlocal running, most

        def started() -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)

        await runner.run(make_spec(PIDS, job=f"batchjob-{number}"), started)
        running -= 1

    async def all_of_them() -> None:
        await asyncio.gather(*(one(number) for number in range(6)))

    asyncio.run(all_of_them())
    assert most in (1, 2)


def test_only_output_and_log_stay(runner, make_spec):
    result = run(runner, make_spec())
    assert sorted(path.name for path in result.output.parent.iterdir()) == ["log.txt", "output"]
    with pytest.raises(DeploymentFailed):
        run(runner, make_spec("import not_installed\n"))
    assert [path.name for path in result.output.parent.iterdir()] == ["log.txt"]


@pytest.mark.parametrize("end", ["os._exit(0)", "sys.exit(0)", "os.kill(os.getpid(), 9)"])
def test_a_script_that_ends_its_process_fails_the_job(runner, make_spec, end):
    with pytest.raises(DeploymentFailed) as failed:
        run(runner, make_spec(f"import os, sys\ndef run(mini_batch):\n    {end}\n"))
    assert failed.value.code == "UserError"
    assert "ended its process before" in failed.value.message or "exit code -9" in failed.value.message


def test_a_script_that_swallows_its_timeout_is_ended(runner, make_spec):
    script = """
def run(mini_batch):
    while True:
        try:
            while True:
                pass
        except Exception:
            pass
"""
    spec = make_spec(script, mini_batch_timeout_seconds=0.2, max_retries=0)
    with pytest.raises(DeploymentFailed, match="Timeout"):
        run(runner, spec)


def test_a_log_is_bounded_and_what_is_told_of_it_too(runner, make_spec, monkeypatch):
    monkeypatch.setattr(batch_runner, "LOG_LIMIT_BYTES", 1 << 20)
    monkeypatch.setattr(batch_runner, "_LOOK_SECONDS", 0.05)
    script = """
import sys, time
def run(mini_batch):
    for _ in range(200):
        print("x" * 100_000)
        time.sleep(0.005)
    sys.exit(3)
"""
    with pytest.raises(DeploymentFailed, match="exit code 3") as failed:
        run(runner, make_spec(script))
    assert len(failed.value.message) < 10_000
    assert runner.log("batchjob-1").stat().st_size < 10 << 20  # of 20 MB


def test_variables_that_no_process_can_have_fail_the_job(runner, make_spec):
    with pytest.raises(DeploymentFailed, match="environment variables"):
        run(runner, make_spec(environment_variables={"A=B": "c"}))


def test_simulated_compute_runs_no_job(tmp_path, environments, make_spec):
    runner = BatchRunner(tmp_path / "batch", environments, simulated=True)
    with pytest.raises(DeploymentFailed, match="With --compute simulated no batch job runs"):
        run(runner, make_spec("def run(mini_batch):\n    return []\n"))


def test_processes_that_a_script_leaves_are_ended_with_it(runner, make_spec):
    script = """
import os, subprocess
def run(mini_batch):
    child = subprocess.Popen(["sleep", "3000"])
    return [child.pid for _ in mini_batch]
"""
    result = run(runner, make_spec(script))
    children = set((result.output / "predictions.csv").read_text().split())
    assert len(children) == 3
    # The kernel ends what was killed when it gets to it, on a busy machine after run() has returned.
    wait_until(lambda: all(processes.started_at(int(pid)) is None for pid in children), "the children live on")


@pytest.mark.proves("batchEndpoints/deployments", honours=["properties.outputAction"])
def test_a_script_that_writes_by_itself_finds_where_to(runner, make_spec):
    script = """
import os

def run(mini_batch):
    for path in mini_batch:
        name = os.path.basename(path)
        with open(os.path.join(os.environ["AZUREML_BI_OUTPUT_PATH"], name), "w") as file:
            file.write("scored")
    return mini_batch
"""
    result = run(runner, make_spec(script, append_row=False))
    assert sorted(path.name for path in result.output.iterdir()) == [f"{number}.csv" for number in range(5)]


FLAKY = """
def run(mini_batch):
    if any(path.endswith("0.csv") for path in mini_batch):
        raise ValueError("cannot read 0.csv")
    return mini_batch
"""


@pytest.mark.proves("batchEndpoints/deployments", honours=["properties.errorThreshold", "properties.retrySettings"])
def test_failed_inputs_are_counted_and_may_be_too_many(runner, make_spec):
    assert run(runner, make_spec(FLAKY)).failed_inputs == 2
    assert run(runner, make_spec(FLAKY, error_threshold=2)).failed_inputs == 2
    with pytest.raises(DeploymentFailed, match="2 inputs failed, error_threshold allows 1") as failed:
        run(runner, make_spec(FLAKY, error_threshold=1))
    assert "cannot read 0.csv" in failed.value.message
    assert failed.value.message.count("attempt 2 of 2 failed") == 1


def test_a_row_less_than_inputs_is_an_input_that_failed(runner, make_spec):
    assert run(runner, make_spec("def run(mini_batch):\n    return mini_batch[:1]\n")).failed_inputs == 2


def test_a_mini_batch_that_takes_too_long_fails(runner, make_spec):
    script = "import time\ndef run(mini_batch):\n    time.sleep(3600)\n"
    spec = make_spec(script, mini_batch_timeout_seconds=0.2, max_retries=0, error_threshold=0)
    with pytest.raises(DeploymentFailed, match="5 inputs failed"):
        run(runner, spec)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("def init():\n    raise RuntimeError('no model')\ndef run(mini_batch):\n    return []\n", "no model"),
        ("import not_installed\n", "not_installed"),
    ],
)
def test_a_script_that_does_not_start_fails_the_job(runner, make_spec, script, why):
    with pytest.raises(DeploymentFailed, match=why):
        run(runner, make_spec(script))


def test_what_is_not_there_fails_the_job_before_anything_runs(runner, make_spec):
    for changes in ({"scoring_script": "other.py"}, {"scoring_script": "../score.py"}, {"conda_file": None}):
        with pytest.raises(DeploymentFailed):
            asyncio.run(runner.run(make_spec(**changes), lambda: None))


def test_a_canceled_job_leaves_no_process(runner, make_spec, tmp_path):
    script = "import os, time\ndef run(mini_batch):\n    print('pid', os.getpid(), flush=True)\n    time.sleep(3600)\n"

    async def start_and_cancel() -> int:
        task = asyncio.create_task(runner.run(make_spec(script, mini_batch_timeout_seconds=3600.0), lambda: None))
        log = runner.log("batchjob-1")
        await until(lambda: log.exists() and "pid" in log.read_text())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return int(log.read_text().split("pid ")[1].split()[0])

    pid = asyncio.run(start_and_cancel())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert list((tmp_path / "batch").glob("*/*.pid")) == []

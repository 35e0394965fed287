"""Batch jobs that are cancelled before their script runs: nothing is left, and the next job has its turn."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from localazure.batch import runner as batch_runner
from localazure.batch.runner import BatchRunner
from localazure.batch.specification import BatchSpec
from tests.waiting import until


class SlowEnvironments:
    """Builds that no one ends."""

    def __init__(self) -> None:
        self.building = 0

    async def provide(self, conda_file: str | None, image: str | None = None, *, serves: bool = True) -> Any:
        self.building += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.building -= 1


class ReadyEnvironments:
    """Environments that are there, with no Python in them."""

    async def provide(self, conda_file: str | None, image: str | None = None, *, serves: bool = True) -> Any:
        class Ready:
            python = Path("/none/python")

        return Ready


@pytest.fixture
def spec(tmp_path: Path) -> BatchSpec:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "score.py").write_text("def run(mini_batch):\n    return mini_batch\n")
    return BatchSpec(
        job="batchjob-1",
        conda_file="",
        image=None,
        code_folder=tmp_path / "code",
        scoring_script="score.py",
        model=tmp_path / "code",
        inputs=(tmp_path / "code" / "score.py",),
        mini_batch_size=1,
        max_retries=0,
        mini_batch_timeout_seconds=1.0,
        error_threshold=-1,
        workers=1,
        append_row=True,
        output_file_name="o.csv",
        logging_level="Info",
    )


def test_a_turn_is_given_back_when_a_build_is_cancelled(tmp_path: Path, spec: BatchSpec) -> None:
    async def story() -> list[int]:
        environments: Any = SlowEnvironments()
        runner, building = BatchRunner(tmp_path / "batch", environments), []
        for _ in range(3):
            jobs = [asyncio.create_task(runner.run(spec, lambda: None)) for _ in range(10)]
            await until(lambda: environments.building == batch_runner.JOBS_AT_ONCE)
            building.append(environments.building)
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
        return [*building, environments.building]

    at_once = batch_runner.JOBS_AT_ONCE
    assert asyncio.run(story()) == [at_once, at_once, at_once, 0]


def test_a_job_cancelled_while_its_files_are_copied_leaves_none(
    tmp_path: Path, spec: BatchSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, copying, canceled = batch_runner._copy_files, [], threading.Event()

    def held(spec: BatchSpec, work: Path) -> None:
        copying.append(work)
        canceled.wait()
        copy(spec, work)

    monkeypatch.setattr(batch_runner, "_copy_files", held)

    async def story() -> None:
        environments: Any = ReadyEnvironments()
        job = asyncio.create_task(BatchRunner(tmp_path / "batch", environments).run(spec, lambda: None))
        await until(lambda: copying)
        job.cancel()
        canceled.set()
        await asyncio.gather(job, return_exceptions=True)
        assert job.cancelled()

    asyncio.run(story())
    assert [path.name for path in copying[0].iterdir()] == ["log.txt"]

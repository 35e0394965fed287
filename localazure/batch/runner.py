"""Runs batch jobs as processes: builds the environment, copies the files, starts the workers, collects the results.

A run is one coroutine; cancelling it ends its processes. `start` ends processes that a killed predecessor left behind.
There are no nodes and no cluster: a few jobs run at once on this machine, each with a limited number of workers; other
jobs wait. Logs are bounded; output is not, because it is on the caller's own disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from localazure.batch.jobs import Started
from localazure.batch.specification import BatchResult, BatchSpec
from localazure.scoring import processes
from localazure.scoring.environments import EnvironmentCache
from localazure.scoring.instances import LOG_LIMIT_BYTES, tail_bytes
from localazure.scoring.specification import DeploymentFailed

_DRIVER = Path(__file__).with_name("driver.py")
_GRACE_SECONDS = 2.0
_LOG_TAIL_LINES = 30
_LOG_TAIL_BYTES = 8192
_LOOK_SECONDS = 1.0
JOBS_AT_ONCE = 4
MOST_WORKERS = 16
"""Processes of one job, regardless of the nodes and cores that a deployment requests."""
# A script gets only these variables of this process: no tokens, no certificates.
_INHERITED = ("HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")


class BatchRunner:
    """All batch jobs of one local Azure, below one folder."""

    def __init__(self, folder: Path, environments: EnvironmentCache, *, simulated: bool = False) -> None:
        self._folder = folder.resolve()
        self._simulated = simulated
        self._environments = environments
        self._turns = asyncio.Semaphore(JOBS_AT_ONCE)

    async def start(self) -> None:
        """End the processes that a killed predecessor left behind, and no others."""
        await asyncio.to_thread(self._end_orphans)

    def _end_orphans(self) -> None:
        processes.end_orphans(list(self._folder.glob("*/*.pid")))

    def log(self, job: str) -> Path:
        """The folder of a job's output."""
        return self._folder / job / "log.txt"

    async def run(self, spec: BatchSpec, started: Started) -> BatchResult:
        """Run a job to its end; raises DeploymentFailed with the reason when it fails.

        Cancelling ends it. Calls `started` when the environment is ready and scoring begins."""
        if self._simulated:
            raise DeploymentFailed("NotEmulated", "With --compute simulated no batch job runs.")
        async with self._turns:
            return await self._run(spec, self._folder / spec.job, started)

    async def _run(self, spec: BatchSpec, work: Path, started: Started) -> BatchResult:
        await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)
        environment = await self._environments.provide(spec.conda_file, spec.image, serves=False)
        ran = False
        try:
            await _finished(asyncio.to_thread(_lay_out, spec, work))
            started()
            workers = max(1, min(spec.workers, MOST_WORKERS, -(-len(spec.inputs) // spec.mini_batch_size)))
            failed = await self._score(spec, work, environment.python, workers)
            await asyncio.to_thread(_collect, spec, work, workers)
            ran = True
        finally:
            await _finished(asyncio.to_thread(_clean, work, output=not ran))
        return BatchResult(work / "output", failed)

    async def _score(self, spec: BatchSpec, work: Path, python: Path, workers: int) -> int:
        """Run the workers to their end; returns the number of failed inputs."""
        running = [asyncio.create_task(self._work(spec, work, python, number, workers)) for number in range(workers)]
        watching = asyncio.create_task(self._limit_log(self.log(spec.job)))
        try:
            codes = await asyncio.gather(*running)
        finally:
            watching.cancel()
            for task in running:
                task.cancel()
            await asyncio.gather(watching, *running, return_exceptions=True)
        if any(codes):
            ended = max(codes, key=abs)
            raise DeploymentFailed("UserError", f"the scoring script ended with exit code {ended}. {self._end(spec)}")
        counts = [_count(work / f"failed-{number}.txt") for number in range(workers)]
        failed = sum(count for count in counts if count is not None)
        if None in counts:
            raise DeploymentFailed(
                "UserError", f"the scoring script ended its process before it had seen all inputs. {self._end(spec)}"
            )
        if 0 <= spec.error_threshold < failed:
            raise DeploymentFailed(
                "UserError",
                f"{failed} inputs failed, error_threshold allows {spec.error_threshold}. {self._end(spec)}",
            )
        return failed

    async def _limit_log(self, log: Path) -> None:
        """Limit the log: a script may print for ever. The process appends, so it continues in the empty file."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            with contextlib.suppress(OSError):
                if log.stat().st_size > LOG_LIMIT_BYTES:
                    kept = tail_bytes(log, LOG_LIMIT_BYTES // 4)
                    log.with_suffix(".old.txt").write_bytes(kept)
                    os.truncate(log, 0)

    async def _work(self, spec: BatchSpec, work: Path, python: Path, number: int, workers: int) -> int:
        inherited = {key: os.environ[key] for key in _INHERITED if key in os.environ}
        environment = {
            "PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            **inherited,
            **spec.environment_variables,
            "PYTHONUNBUFFERED": "1",
            "AZUREML_MODEL_DIR": str(work / "model"),
            "AZUREML_BI_OUTPUT_PATH": str(work / "output"),
        }
        try:
            with self.log(spec.job).open("ab") as output:
                process = await processes.start(
                    [str(python), str(_DRIVER), str(work), str(number), str(workers)],
                    pid_file=work / f"{number}.pid",
                    output=output,
                    environment=environment,
                    folder=work / "code",
                )
        except ValueError as exc:  # a name with "=", for example
            raise DeploymentFailed("UserError", f"the environment variables cannot be set: {exc}.") from exc
        try:
            return await process.wait()
        except asyncio.CancelledError:
            await asyncio.shield(process.end(_GRACE_SECONDS))
            raise

    def _end(self, spec: BatchSpec) -> str:
        text = tail_bytes(self.log(spec.job), _LOG_TAIL_BYTES).decode(errors="replace")
        return "End of its log:\n" + "\n".join(text.splitlines()[-_LOG_TAIL_LINES:])


async def _finished(work: Coroutine[Any, Any, None]) -> None:
    """Wait for a thread to end even when this task is cancelled: no other task knows that it is still writing."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


def _count(path: Path) -> int | None:
    """The file that a worker wrote at its end; None when it did not finish."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _clean(work: Path, *, output: bool) -> None:
    """Keep the log and the published folder."""
    for copied in ("code", "model", *(["output"] if output else [])):
        shutil.rmtree(work / copied, ignore_errors=True)
    for left in (*work.glob("rows-*.txt"), *work.glob("failed-*.txt"), *work.glob("job.json")):
        left.unlink(missing_ok=True)


def _lay_out(spec: BatchSpec, work: Path) -> None:
    try:
        _copy_files(spec, work)
    except (OSError, shutil.Error) as exc:
        raise DeploymentFailed("ResourceNotReady", f"cannot copy the model or the code: {exc}.") from exc


def _copy_files(spec: BatchSpec, work: Path) -> None:
    script = Path(spec.scoring_script)
    if script.is_absolute() or ".." in script.parts or not (spec.code_folder / script).is_file():
        raise DeploymentFailed(
            "UserError", f"the scoring script {spec.scoring_script!r} is not in the deployment's code folder."
        )
    (work / "output").mkdir(parents=True)
    shutil.copytree(spec.code_folder, work / "code")
    (work / "model").mkdir()
    if spec.model is not None:
        target = work / "model" / spec.model.name
        if spec.model.is_dir():
            shutil.copytree(spec.model, target)
        else:
            shutil.copy2(spec.model, target)
    job = {
        "script": str(work / "code" / script),
        "inputs": [str(path) for path in spec.inputs],
        "mini_batch_size": spec.mini_batch_size,
        "timeout": spec.mini_batch_timeout_seconds,
        "attempts": spec.max_retries + 1,
        "append_row": spec.append_row,
        "logging_level": spec.logging_level.upper(),
    }
    (work / "job.json").write_text(json.dumps(job))
    (work / "log.txt").write_text(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {len(spec.inputs)} inputs\n")


def _collect(spec: BatchSpec, work: Path, workers: int) -> None:
    """The rows of all workers in one file, in the workers' order."""
    if not spec.append_row:
        return
    with (work / "output" / spec.output_file_name).open("wb") as output:
        for number in range(workers):
            with (work / f"rows-{number}.txt").open("rb") as rows:
                shutil.copyfileobj(rows, output)

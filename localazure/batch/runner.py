"""Runs batch jobs as processes: environment, files in place, one worker after the other started, results collected.

A run is one coroutine; cancelling it ends its processes. What a killed predecessor left is ended by `clear`. There are
no nodes and no cluster: all workers of a job run at once on this machine.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from localazure.batch.specification import BatchResult, BatchSpec
from localazure.scoring import processes
from localazure.scoring.environments import EnvironmentCache
from localazure.scoring.specification import DeploymentFailed

_DRIVER = Path(__file__).with_name("driver.py")
_GRACE_SECONDS = 2.0
_LOG_TAIL_LINES = 30
# Besides these, nothing of this process reaches a script: no tokens, no certificates.
_INHERITED = ("HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
Started = Callable[[], None]


class BatchRunner:
    """All batch jobs of one local Azure, below one folder."""

    def __init__(self, folder: Path, environments: EnvironmentCache) -> None:
        self._folder = folder
        self._environments = environments

    def clear(self) -> None:
        """End what a killed predecessor left behind. Blocks: call it in a thread."""
        processes.end_orphans(list(self._folder.glob("*/*.pid")))

    def log(self, job: str) -> Path:
        """Where a job's output is written."""
        return self._folder / job / "log.txt"

    async def run(self, spec: BatchSpec, started: Started) -> BatchResult:
        """Run a job to its end; raises DeploymentFailed with the reason when it fails. `started` is called when the
        environment is there and scoring begins."""
        work = self._folder / spec.job
        await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)
        environment = await self._environments.provide(spec.conda_file, spec.image, serves=False)
        try:
            await asyncio.to_thread(_lay_out, spec, work)
        except (OSError, shutil.Error) as exc:
            raise DeploymentFailed("ResourceNotReady", f"model or code cannot be put in place: {exc}.") from exc
        started()
        workers = max(1, min(spec.workers, -(-len(spec.inputs) // spec.mini_batch_size)))
        running = [asyncio.create_task(self._work(spec, work, environment.python, n, workers)) for n in range(workers)]
        try:
            codes = await asyncio.gather(*running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            for copied in ("code", "model"):
                await asyncio.to_thread(shutil.rmtree, work / copied, ignore_errors=True)
        if any(codes):
            raise DeploymentFailed(
                "UserError", f"the scoring script ended with exit code {max(codes)}. {self._end(spec)}"
            )
        failed = sum(int((work / f"failed-{number}.txt").read_text()) for number in range(workers))
        if 0 <= spec.error_threshold < failed:
            raise DeploymentFailed(
                "UserError",
                f"{failed} inputs failed, error_threshold allows {spec.error_threshold}. {self._end(spec)}",
            )
        await asyncio.to_thread(_collect, spec, work, workers)
        return BatchResult(work / "output", failed)

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
        with self.log(spec.job).open("ab") as output:
            process = await processes.start(
                [str(python), str(_DRIVER), str(work), str(number), str(workers)],
                pid_file=work / f"{number}.pid",
                output=output,
                environment=environment,
                folder=work / "code",
            )
        try:
            return await process.wait()
        except asyncio.CancelledError:
            await asyncio.shield(process.end(_GRACE_SECONDS))
            raise

    def _end(self, spec: BatchSpec) -> str:
        lines = self.log(spec.job).read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        return "End of its log:\n" + "\n".join(lines)


def _lay_out(spec: BatchSpec, work: Path) -> None:
    script = Path(spec.scoring_script)
    if script.is_absolute() or ".." in script.parts or not (spec.code_folder / script).is_file():
        raise DeploymentFailed(
            "UserError", f"the scoring script {spec.scoring_script!r} is not in the deployment's code."
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

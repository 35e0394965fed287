"""One worker of a batch job. Started as a script with the environment's own Python, never imported by the server.

    python driver.py WORK_FOLDER WORKER WORKERS

It calls the scoring script like Azure ML's driver: `init()` once, then `run(mini_batch)` with a list of paths, each
mini batch within its timeout and with its retries. Rows that `run` returns go to `rows-<worker>.txt`, the count of
inputs that failed to `failed-<worker>.txt`. It uses the standard library only, and no syntax newer than the Python of
environments.
"""

from __future__ import annotations

import faulthandler
import importlib.util
import json
import logging
import os
import signal
import sys
import traceback
from typing import Any

# A script that swallows the timeout, or hangs outside the reach of Python's signals, ends with its process.
_GRACE_SECONDS = 5.0


class MiniBatchTimeout(Exception):
    """`run` took longer than the deployment permits."""


def _too_long(*_: object) -> None:
    raise MiniBatchTimeout("run() took longer than the mini batch timeout")


def _load(script: str) -> Any:
    sys.path.insert(0, os.path.dirname(script))
    specification: Any = importlib.util.spec_from_file_location("batch_scoring_script", script)
    module = importlib.util.module_from_spec(specification)
    sys.modules["batch_scoring_script"] = module
    specification.loader.exec_module(module)
    return module


def _rows(returned: Any) -> list[str]:
    """Lines for the output file: a DataFrame's rows with spaces between the values, or a list's elements."""
    if hasattr(returned, "to_csv"):
        return str(returned.to_csv(sep=" ", header=False, index=False)).splitlines()
    if isinstance(returned, (list, tuple)) or hasattr(returned, "tolist"):
        return [str(item) for item in returned]
    raise TypeError(f"run() must return a list or a DataFrame, got {type(returned).__name__}")


def _in_time(run: Any, batch: list[str], timeout: float) -> list[str]:
    signal.setitimer(signal.ITIMER_REAL, timeout)
    try:
        return _rows(run(list(batch)))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _score(run: Any, batch: list[str], timeout: float, attempts: int) -> list[str] | None:
    """The result of one mini batch; None when every attempt failed."""
    for attempt in range(1, attempts + 1):
        if timeout:
            faulthandler.dump_traceback_later(timeout + _GRACE_SECONDS, exit=True)
        try:
            return _in_time(run, batch, timeout)
        except Exception:
            print(f"mini batch of {len(batch)}, first {batch[0]}: attempt {attempt} of {attempts} failed")
            traceback.print_exc()
        finally:
            faulthandler.cancel_dump_traceback_later()
    return None


def main() -> None:
    work, worker, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with open(os.path.join(work, "job.json"), encoding="utf-8") as file:
        job = json.load(file)
    logging.basicConfig(level=job["logging_level"], stream=sys.stdout)
    signal.signal(signal.SIGALRM, _too_long)
    module = _load(job["script"])
    if hasattr(module, "init"):
        module.init()
    inputs, size = job["inputs"], job["mini_batch_size"]
    batches = [inputs[start : start + size] for start in range(0, len(inputs), size)]
    failed = 0
    with open(os.path.join(work, f"rows-{worker}.txt"), "w", encoding="utf-8") as rows:
        for batch in batches[worker::workers]:
            returned = _score(module.run, batch, job["timeout"], job["attempts"])
            if job["append_row"]:
                rows.writelines(line + "\n" for line in returned or ())
                # Documented: each element that run() returns stands for one input that succeeded.
                failed += max(0, len(batch) - len(returned or ()))
            elif returned is None:
                failed += len(batch)
            print(f"mini batch of {len(batch)}: {'failed' if returned is None else 'done'}", flush=True)
    with open(os.path.join(work, f"failed-{worker}.txt"), "w", encoding="utf-8") as file:
        file.write(str(failed))


if __name__ == "__main__":
    main()

"""The runner of batch jobs as the control plane sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from localazure.batch.specification import BatchResult, BatchSpec

Started = Callable[[], None]


class BatchJobs(Protocol):
    """See `localazure.batch.runner.BatchRunner`, which tests replace."""

    async def run(self, spec: BatchSpec, started: Started) -> BatchResult: ...

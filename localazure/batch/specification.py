"""The specification of a batch job, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class BatchSpec:
    """One run of a batch deployment."""

    job: str
    conda_file: str | None
    image: str | None
    code_folder: Path
    scoring_script: str
    model: Path | None
    """A file or a folder; mounted under its own name."""
    inputs: tuple[Path, ...]
    """Files, in the order in which they are scored."""
    mini_batch_size: int
    max_retries: int
    mini_batch_timeout_seconds: float
    error_threshold: int
    """How many inputs may fail; -1: any number."""
    workers: int
    """Processes that share the mini batches: concurrency of an instance times instances."""
    append_row: bool
    """Whether the results of `run` are written to `output_file_name`; otherwise the script writes its own files."""
    output_file_name: str
    logging_level: str
    environment_variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BatchResult:
    """The result of a run."""

    output: Path
    """The folder to publish."""
    failed_inputs: int

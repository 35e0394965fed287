"""The names by which a git server starts the pipelines of `sluice ci init`. Pure."""

from __future__ import annotations

from delivery.pipelines.pipeline_files import PREFIX
from git_server.pipeline_run import ServerKind


def workflow(name: str, kind: ServerKind | None) -> str:
    """The workflow's file on GitHub, the pipeline's name in Azure Pipelines; `name` is such as `deliver`."""
    return f"{PREFIX}{name}" if kind == "azure-devops" else f"{PREFIX}{name}.yml"

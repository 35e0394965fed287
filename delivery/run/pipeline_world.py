"""What every command of `sluice ci` starts from: the run that it is part of, its git server, its login for git."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from delivery.run.workflows import workflow
from git_server.git_access import git_variables
from git_server.pipeline_run import PipelineRun, pipeline_run
from git_server.port import GitServer, Run
from git_server.redaction import redacted, secrets_in
from git_server.selection import git_server
from git_server.summary import write_summary
from project import project_root
from rollout.repository.git import Git

EVENT_VARIABLE = "GITHUB_EVENT_PATH"


@dataclass(frozen=True)
class PipelineWorld:
    """The run of a pipeline, or a laptop's shell."""

    root: Path
    variables: Mapping[str, str]

    @classmethod
    def entered(cls) -> PipelineWorld:
        """The world of this process; git gets the job's token and a committer."""
        root = project_root()
        has_committer = bool(Git(root).find("config", "--get", "user.email"))
        os.environ.update(git_variables(os.environ, has_committer=has_committer))
        return cls(root, os.environ)

    @cached_property
    def run(self) -> PipelineRun:
        """Which run of which server this is."""
        named = self.variables.get(EVENT_VARIABLE)
        event = Path(named).read_text(encoding="utf-8") if named and Path(named).is_file() else ""
        return pipeline_run(self.variables, event)

    @cached_property
    def server(self) -> GitServer | None:
        """The git server; None on a laptop that names none."""
        return git_server(self.variables)

    def dispatch(self, name: str, branch: str, inputs: Mapping[str, str]) -> Run | None:
        """Start a pipeline of `sluice ci init` on a branch; None without a git server."""
        return self.server.dispatch(workflow(name, self.run.server), branch, inputs) if self.server else None

    def hidden(self, text: str) -> str:
        """The text without the secrets of this run."""
        return redacted(text, secrets_in(self.variables))

    def summarize(self, text: str) -> None:
        """Add Markdown to the summary of the job."""
        line = write_summary(self.hidden(text), self.variables)
        if line is not None:
            print(line)


@dataclass(frozen=True)
class NextDelivery:
    """`deliver.Pipelines`: the next run of `deliver`, which begins on `branch`."""

    world: PipelineWorld
    stack: str
    branch: str

    def dispatch_next(self) -> str:
        """Start it; on a laptop, where there is nothing to start, name the command."""
        run = self.world.dispatch("deliver", self.branch, {"stack": self.stack})
        return (
            f"started the next delivery: {run.url or run.id}"
            if run
            else f"next: sluice ci deliver --stack {self.stack}"
        )

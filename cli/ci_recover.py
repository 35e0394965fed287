"""`sluice ci recover`: `sluice recover` from a pipeline, with git's login for what it has to push."""

from __future__ import annotations

import argparse

from cli.main import run_command
from cli.rollout_session import tell
from delivery.run.pipeline_world import PipelineWorld
from delivery.stack_branch.own_branch import enter_own_branch
from project import stack_name


def run_recover(options: argparse.Namespace) -> int:
    """Run `sluice ci recover`."""
    stack = stack_name(options.stack)
    enter_own_branch(PipelineWorld.entered(), stack, tell)
    dead_after = ["--dead-after", options.dead_after] if options.dead_after else []
    return run_command("recover", "--stack", stack, *dead_after)

"""`sluice ci recover`: `sluice recover` from a pipeline, with git's login for what it has to push."""

from __future__ import annotations

import argparse

from cli.ci_branch import enter_own_branch
from cli.ci_world import PipelineWorld
from cli.main import parsed
from project import stack_name


def run_recover(options: argparse.Namespace) -> int:
    """Run `sluice ci recover`."""
    stack = stack_name(options.stack)
    enter_own_branch(PipelineWorld.entered(), stack)
    words = ["recover", "--stack", stack]
    answer = parsed([*words, *(["--dead-after", options.dead_after] if options.dead_after else [])])
    return int(answer.run(answer))

"""`sluice ci recover`: `sluice recover` from a pipeline, with git's login for what it has to push."""

from __future__ import annotations

import argparse

from cli.ci_world import PipelineWorld
from cli.main import parsed
from project import stack_name


def run_recover(options: argparse.Namespace) -> int:
    """Run `sluice ci recover`."""
    PipelineWorld.entered()
    words = ["recover", "--stack", stack_name(options.stack)]
    answer = parsed([*words, *(["--dead-after", options.dead_after] if options.dead_after else [])])
    return int(answer.run(answer))

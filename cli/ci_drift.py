"""`sluice ci drift`: compares a stack with Azure, and keeps one issue open while they differ."""

from __future__ import annotations

import argparse

from cli.rollout_session import tell
from delivery.run.drift import CLEAN, drift_marker, drift_text, title_of
from delivery.run.pipeline_world import PipelineWorld
from delivery.run.stack import engine_of
from delivery.stack_branch.own_branch import enter_own_branch
from exit_codes import ExitCode
from git_server.port import GitServerRefused, GitServerUnreachable
from project import project_name, stack_name
from rollout.people.actor import actor_of


def run_drift(options: argparse.Namespace) -> int:
    """Run `sluice ci drift`: exit code 0 clean, 1 different, as everywhere 2 and 4."""
    world, stack = PipelineWorld.entered(), stack_name(options.stack)
    enter_own_branch(world, stack, tell)
    preview = engine_of(stack).preview(refresh=True)
    marker = drift_marker(project_name(world.root), stack)
    text = drift_text(stack, preview, actor_of(world.variables, world.root).run)
    world.summarize(CLEAN if preview.is_empty else text)
    print(f"{stack} is as declared." if preview.is_empty else text)
    try:
        if world.server is not None and preview.is_empty:
            closed = world.server.close_issue(marker, CLEAN)
            tell(f"closed {closed.url}" if closed is not None else "there is no issue to close")
        elif world.server is not None:
            tell(f"issue: {world.server.upsert_issue(marker, title_of(stack), world.hidden(text)).url}")
    except (GitServerRefused, GitServerUnreachable) as error:
        tell(f"the issue about {stack} was not written: {error}")
    return ExitCode.DONE if preview.is_empty else ExitCode.FAILED

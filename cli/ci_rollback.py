"""`sluice ci rollback`: takes a rollout back from a pipeline, in an environment that only named branches may use."""

from __future__ import annotations

import argparse

from cli.main import run_command
from cli.rollout_session import tell
from delivery.run.pipeline_world import PipelineWorld
from delivery.run.protection import require_branch_policy_for_a_way_back, rollback_environment
from delivery.stack_branch.own_branch import enter_own_branch
from project import stack_name


def run_rollback(options: argparse.Namespace) -> int:
    """Run `sluice ci rollback`."""
    world, stack = PipelineWorld.entered(), stack_name(options.stack)
    if world.server is not None and world.run.server is not None:
        name = rollback_environment(stack, world.run.server)
        require_branch_policy_for_a_way_back(world.server, name, tell)
    enter_own_branch(world, stack, tell)
    return run_command("rollout", "rollback", options.endpoint, "--stack", stack, "--push", "--reason", options.reason)

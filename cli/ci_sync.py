"""`sluice ci sync`: the stack's own branch takes over what the source branch has."""

from __future__ import annotations

import argparse

from cli.rollout_session import tell
from command_errors import UsageError
from delivery.proofs.record_branch import BRANCH
from delivery.run.pipeline_world import PipelineWorld
from delivery.stack_branch.own_branch import own_branch
from exit_codes import ExitCode
from project import stack_name


def run_sync(options: argparse.Namespace) -> int:
    """Run `sluice ci sync`."""
    world, stack = PipelineWorld.entered(), stack_name(options.stack)
    own = own_branch(world, stack, tell)
    if own is None:
        raise UsageError(
            f"{stack} has no branch of its own: Pulumi.{stack}.yaml sets no {BRANCH}. Its records and weights are on "
            f"the source branch. Set {BRANCH}: sluice/{stack}, or leave out this command."
        )
    own.sync()
    tell(f"{own.name} is up to date")
    return ExitCode.DONE

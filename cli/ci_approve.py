"""`sluice ci approve`: takes the review of this run into the record of a rollout, and lets the delivery go on."""

from __future__ import annotations

import argparse
import os

from cli.main import run_command
from cli.rollout_session import tell
from command_errors import UsageError
from delivery.run.approval_runs import require_asked
from delivery.run.pipeline_world import NextDelivery, PipelineWorld
from delivery.stack_branch.own_branch import enter_own_branch
from project import stack_name
from rollout.record.chain import Chain, record_files, record_folder
from rollout.record.event import Kind
from rollout.record.fold import fold
from rollout.record.state import RolloutState
from rollout.repository.branch import branch_of
from rollout.repository.git import Git
from stacks.file import stack_file_path

SUBSCRIPTION_VARIABLE = "ARM_SUBSCRIPTION_ID"


def run_approve(options: argparse.Namespace) -> int:
    """Run `sluice ci approve`."""
    world, stack = PipelineWorld.entered(), stack_name(options.stack)
    own = enter_own_branch(world, stack, tell)
    state = _last_rollout(stack, options.endpoint)
    require_asked(state, options.rollout, options.step)
    if not os.environ.get(SUBSCRIPTION_VARIABLE):  # this job has no login, and needs none
        os.environ[SUBSCRIPTION_VARIABLE] = state.subscription
    code = run_command("rollout", "approve", options.endpoint, "--stack", stack, "--push")
    source = own.source_branch if own is not None else branch_of(Git(world.root), world.variables)
    tell(NextDelivery(world, stack, source).dispatch_next())
    return code


def _last_rollout(stack: str, endpoint: str) -> RolloutState:
    folder = record_folder(stack_file_path(stack).parent, stack, endpoint)
    events = [Chain(path).events for path in record_files(folder)]
    if not events or not events[-1] or events[-1][0].kind is not Kind.STARTED:
        raise UsageError(f"{endpoint} has had no rollout in {stack}, so there is nothing to approve.")
    return fold(events[-1])

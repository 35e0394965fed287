"""`sluice ci approve`: takes the review of this run into the record of a rollout, and lets the delivery go on."""

from __future__ import annotations

import argparse
import os

from cli.ci_branch import enter_own_branch
from cli.ci_world import PipelineWorld, say
from cli.main import parsed
from command_errors import UsageError
from delivery.run.approval_runs import waiting_step
from project import stack_name
from record_folders import FOLDER
from rollout.record.chain import Chain, record_files
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
    own = enter_own_branch(world, stack)
    state = _last_rollout(stack, options.endpoint)
    _require_asked(state, options)
    if not os.environ.get(SUBSCRIPTION_VARIABLE):  # this job has no login, and needs none
        os.environ[SUBSCRIPTION_VARIABLE] = state.subscription
    answer = parsed(["rollout", "approve", options.endpoint, "--stack", stack, "--push"])
    code = int(answer.run(answer))
    source = own.source_branch if own is not None else branch_of(Git(world.root), world.variables)
    run = world.dispatch("deliver", source, {"stack": stack})
    say(f"started the next delivery: {run.url or run.id}" if run else f"next: sluice ci deliver --stack {stack}")
    return code


def _last_rollout(stack: str, endpoint: str) -> RolloutState:
    folder = stack_file_path(stack).parent / FOLDER / stack / endpoint
    events = [Chain(path).events for path in record_files(folder)]
    if not events or not events[-1] or events[-1][0].kind is not Kind.STARTED:
        raise UsageError(f"{endpoint} has had no rollout in {stack}, so there is nothing to approve.")
    return fold(events[-1])


def _require_asked(state: RolloutState, options: argparse.Namespace) -> None:
    """A review is about one step of one rollout: a later answer must not count for another step."""
    if options.rollout is not None and options.rollout != state.id:
        raise UsageError(
            f"this run asks about the rollout {options.rollout}, and the last one is {state.id}. Nothing was approved."
        )
    step = waiting_step(state)
    waits = f"step {step + 1} waits" if step is not None else "no step waits"
    if options.step is not None and step is not None and options.step != step + 1:
        raise UsageError(f"this run asks about step {options.step} of {state.id}, and {waits}. Nothing was approved.")

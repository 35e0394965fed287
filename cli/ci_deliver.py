"""`sluice ci deliver`: `delivery/run/deliver.py` on the real branch, stack, rollouts and pipelines."""

from __future__ import annotations

import argparse

from cli.main import run_command
from cli.rollout_screen import standard_screen
from cli.rollout_session import new_session, tell
from delivery.run.approvals import Approvals
from delivery.run.deliver import Delivered, Delivery
from delivery.run.pipeline_world import NextDelivery, PipelineWorld
from delivery.run.protection import require_branch_policy
from delivery.run.rollouts import DeliveredRollouts, last_weights
from delivery.run.source_checkout import SourceCheckout
from delivery.run.stack import DeliveredStack, engine_of
from delivery.run.workflows import workflow
from delivery.stack_branch.delivery import MarkedStack, SyncedBranch, entered
from delivery.stack_branch.own_branch import OwnBranch, own_branch
from exit_codes import ExitCode
from git_server.markdown import code, escaped
from project import stack_name
from rollout.session.session import Session
from rollout.tick.runner import interrupts, slept
from stacks.file import stack_file_path


def run_deliver(options: argparse.Namespace) -> int:
    """Run `sluice ci deliver`."""
    world, stack, session = PipelineWorld.entered(), stack_name(options.stack), new_session(commit=True, push=True)
    if world.server is not None and world.run.server is not None:
        require_branch_policy(world.server, stack)
    own = own_branch(world, stack, tell)
    late = entered(own, session.clock, options.seconds) if own is not None else None
    if late is not None:
        delivered = Delivered(exit_code=ExitCode.DONE, lines=(late,))
    else:
        delivered = _delivered(world, session, stack, own, options.seconds)
    for line in delivered.lines:
        print(world.hidden(line))
    world.summarize(summary(stack, delivered))
    return delivered.exit_code


def _delivered(
    world: PipelineWorld, session: Session, stack: str, own: OwnBranch | None, seconds: int | None
) -> Delivered:
    clock = session.clock
    checkout = SourceCheckout(world.root, stack_file_path(stack), world.variables, lambda: last_weights(session, stack))
    source = own.source_branch if own is not None else checkout.branch
    named = workflow("approve", world.run.server)

    with standard_screen(json=False, live=False) as screen, interrupts() as asked:
        direct = DeliveredStack(
            session,
            stack,
            engine_of(stack),
            checkout,
            publish=lambda models: run_command("release", "publish", *models, "--stack", stack),
        )
        how = "--open-pr" if world.server is not None else "--branch"
        rollouts = DeliveredRollouts(
            session,
            stack,
            screen,
            approvals=Approvals(world.server, named, source) if world.server is not None else None,
            promote=lambda endpoint, target: run_command("promote", endpoint, "--from", stack, "--to", target, how),
            until=clock.now() + seconds if seconds is not None else None,
        )
        return Delivery(
            branch=SyncedBranch(own, checkout) if own is not None else checkout,
            stack=MarkedStack(direct, own, checkout) if own is not None else direct,
            rollouts=rollouts,
            pipelines=NextDelivery(world, stack, source),
            clock=clock,
            say=tell,
            is_interrupted=lambda: asked.set,
            sleep=lambda pause: slept(clock, pause, asked),
            propose=None if own is None else lambda: own.propose(last_weights(session, stack, ended=True)),
        ).run(seconds)


def summary(stack: str, delivered: Delivered) -> str:
    """What the job's summary says."""
    lines = [f"- {escaped(line)}" for line in delivered.lines] or [
        "- The stack is as declared; no rollout is under way."
    ]
    return "\n".join([f"### Delivery to {code(stack)}: exit code {int(delivered.exit_code)}", "", *lines])

"""`sluice ci deliver`: `delivery/deliver.py` on the real branch, stack, rollouts and pipelines."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from cli.ci_rollouts import DeliveredRollouts
from cli.ci_stack import DeliveredStack, engine_of
from cli.ci_world import PipelineWorld, say
from cli.rollout_screen import standard_screen
from cli.rollout_session import new_session
from delivery.deliver import Delivered, Delivery, Look
from delivery.markdown import code, escaped
from delivery.protection import require_branch_policy
from delivery.source_checkout import SourceCheckout
from project import stack_name
from rollout.session.finding import sites_of
from rollout.session.session import Session
from rollout.split import Split
from rollout.tick.runner import interrupts, slept
from stacks.file import stack_file_path


class _Branch:
    """The checkout; after a move, the rollouts read the stack file again."""

    def __init__(self, checkout: SourceCheckout, rollouts: DeliveredRollouts) -> None:
        self._checkout = checkout
        self._rollouts = rollouts

    def look(self) -> Look:
        """Fetch the branch, and let the checkout follow."""
        found = self._checkout.look()
        if found is Look.MOVED:
            self._rollouts.reload()
        return found


class _Pipelines:
    """The pipelines of this repository, or none on a laptop."""

    def __init__(self, world: PipelineWorld, stack: str, branch: str) -> None:
        self._world = world
        self._stack = stack
        self._branch = branch

    def dispatch_next(self) -> str:
        """Start the next run of `deliver`."""
        run = self._world.dispatch("deliver", self._branch, {"stack": self._stack})
        if run is None:
            return f"next: sluice ci deliver --stack {self._stack}"
        return f"started the next run: {run.url or run.id}"


def run_deliver(options: argparse.Namespace) -> int:
    """Run `sluice ci deliver`."""
    world, stack, session = PipelineWorld.entered(), stack_name(options.stack), new_session(commit=True, push=True)
    clock = session.clock
    if world.server is not None and world.run.server is not None:
        require_branch_policy(world.server, stack)
    checkout = SourceCheckout(world.root, stack_file_path(stack), world.variables, lambda: recorded(session, stack))
    until = clock.now() + options.seconds if options.seconds is not None else None
    with standard_screen(json=False, live=False) as screen, interrupts() as asked:
        rollouts = DeliveredRollouts(world, session, stack, checkout.branch, screen, until)
        delivery = Delivery(
            branch=_Branch(checkout, rollouts),
            stack=DeliveredStack(session, stack, engine_of(stack), checkout),
            rollouts=rollouts,
            pipelines=_Pipelines(world, stack, checkout.branch),
            clock=clock,
            say=say,
            is_interrupted=lambda: asked.set,
            sleep=lambda seconds: slept(clock, seconds, asked),
        )
        delivered = delivery.run(options.seconds)
    for line in delivered.lines:
        print(world.hidden(line))
    world.summarize(summary(stack, delivered))
    return delivered.exit_code


def summary(stack: str, delivered: Delivered) -> str:
    """What the job's summary says."""
    lines = [f"- {escaped(line)}" for line in delivered.lines] or [
        "- The stack is as declared; no rollout is under way."
    ]
    return "\n".join([f"### Delivery to {code(stack)}: exit code {int(delivered.exit_code)}", "", *lines])


def recorded(session: Session, stack: str) -> Mapping[str, tuple[Split, str | None]]:
    """Weights and `stable` of each endpoint's last rollout."""
    found: dict[str, tuple[Split, str | None]] = {}
    for site in sites_of(session, stack):
        if site.chains():
            state = site.last_journal().state
            found[site.key] = (state.weights, state.declared_stable)
    return found

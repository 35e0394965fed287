"""`sluice ci deliver`: `delivery/run/deliver.py` on the real branch, stack, rollouts and pipelines."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from cli.ci_branch import OwnBranch, own_branch
from cli.ci_rollouts import DeliveredRollouts
from cli.ci_stack import DeliveredStack, engine_of
from cli.ci_world import PipelineWorld, say
from cli.rollout_screen import standard_screen
from cli.rollout_session import new_session
from command_errors import WaitingError
from delivery.pull_request.markdown import code, escaped
from delivery.run.deliver import BEHIND_POLL_SECONDS, BEHIND_SECONDS, Delivered, Delivery, Look
from delivery.run.protection import require_branch_policy
from delivery.run.source_checkout import SourceCheckout
from exit_codes import ExitCode
from project import stack_name
from rollout.declaration.stack_text import WeightLines
from rollout.ports import Clock
from rollout.session.finding import sites_of
from rollout.session.session import Session
from rollout.split import Split
from rollout.tick.runner import interrupts, slept
from stacks.file import stack_file_path


class _Branch:
    """The checkout; after a move, the rollouts read the stack file again."""

    def __init__(self, checkout: SourceCheckout, rollouts: DeliveredRollouts, own: OwnBranch | None) -> None:
        self._checkout = checkout
        self._rollouts = rollouts
        self._own = own
        self._behind: str | None = None

    def look(self) -> Look:
        """Fetch the branch, and let the checkout follow; the stack's own branch follows the source branch first."""
        self._behind = None
        if self._own is not None:
            try:
                self._own.sync()
            except WaitingError as waiting:
                self._behind = str(waiting)
        found = self._checkout.look()
        if found is Look.MOVED:
            self._rollouts.reload()
        return found

    def behind(self) -> str | None:
        """Why the last look did not take over what the source branch has."""
        return self._behind


class _Stack:
    """The stack; a branch of its own says what was deployed."""

    def __init__(self, stack: DeliveredStack, checkout: SourceCheckout, own: OwnBranch | None) -> None:
        self._stack = stack
        self._checkout = checkout
        self._own = own

    def problems(self) -> tuple[str, ...]:
        """Why no update may run now."""
        return self._stack.problems()

    def deploy(self, may_begin: Callable[[], bool]) -> bool:
        """Publish and update; then the branch's commit is deployed."""
        is_done = self._stack.deploy(may_begin)
        if is_done and self._own is not None:
            self._own.mark_deployed()
            self._checkout.catch_up()
        return is_done


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
    own = own_branch(world, stack)
    if own is not None and (reason := entered(own, clock, options.seconds)) is not None:
        delivered = Delivered(exit_code=ExitCode.DONE, lines=(reason,))
        print(reason)
        world.summarize(summary(stack, delivered))
        return delivered.exit_code
    checkout = SourceCheckout(world.root, stack_file_path(stack), world.variables, lambda: recorded(session, stack))
    source = own.source_branch if own is not None else checkout.branch
    until = clock.now() + options.seconds if options.seconds is not None else None
    with standard_screen(json=False, live=False) as screen, interrupts() as asked:
        rollouts = DeliveredRollouts(world, session, stack, source, screen, until)
        delivery = Delivery(
            branch=_Branch(checkout, rollouts, own),
            stack=_Stack(DeliveredStack(session, stack, engine_of(stack), checkout), checkout, own),
            rollouts=rollouts,
            pipelines=_Pipelines(world, stack, source),
            clock=clock,
            say=say,
            is_interrupted=lambda: asked.set,
            sleep=lambda seconds: slept(clock, seconds, asked),
        )
        delivered = delivery.run(options.seconds)
        if own is not None:
            own.propose(lambda: ended_weights(session, stack))
    for line in delivered.lines:
        print(world.hidden(line))
    world.summarize(summary(stack, delivered))
    return delivered.exit_code


def entered(own: OwnBranch, clock: Clock, seconds: int | None) -> str | None:
    """Move the checkout to the stack's own branch; the reason if it is not there yet and the stack before is too late.

    Where the branch is there, the stack before may be late: the rollouts tick meanwhile.
    """
    until = clock.now() + min(seconds or 0, BEHIND_SECONDS)
    while True:
        try:
            own.sync()
        except WaitingError as waiting:
            if not own.is_there():
                if clock.now() + BEHIND_POLL_SECONDS > until:
                    return str(waiting)
                clock.sleep(BEHIND_POLL_SECONDS)
                continue
        own.enter()
        return None


def summary(stack: str, delivered: Delivered) -> str:
    """What the job's summary says."""
    lines = [f"- {escaped(line)}" for line in delivered.lines] or [
        "- The stack is as declared; no rollout is under way."
    ]
    return "\n".join([f"### Delivery to {code(stack)}: exit code {int(delivered.exit_code)}", "", *lines])


def ended_weights(session: Session, stack: str) -> dict[str, WeightLines]:
    """The lines of each endpoint whose last rollout has ended, as it left them."""
    found = {}
    for site in sites_of(session, stack):
        if site.chains() and (state := site.last_journal().state).is_over:
            found[site.key] = WeightLines(split=state.weights, stable=state.declared_stable)
    return found


def recorded(session: Session, stack: str) -> Mapping[str, tuple[Split, str | None]]:
    """Weights and `stable` of each endpoint's last rollout."""
    found: dict[str, tuple[Split, str | None]] = {}
    for site in sites_of(session, stack):
        if site.chains():
            state = site.last_journal().state
            found[site.key] = (state.weights, state.declared_stable)
    return found

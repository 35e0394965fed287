"""`deliver.Stack` on the real stack: publish what is missing, update, and look for weights set by hand."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from command_errors import UsageError, WaitingError
from delivery.run.publication_plan import missing_models
from delivery.run.pulumi_state import outputs_of, splits_of
from delivery.run.source_checkout import SourceCheckout
from delivery.run.stray_weights import Sides, problems_of
from project import project_root
from recovery.adoption import pending_operations
from recovery.engine_locks import StackLocks
from recovery.locks import DELIVERY_DEAD_AFTER_SECONDS, LockRule
from recovery.repair import recover
from resource_manager.operations import ArmOperations
from rollout.engine import PulumiEngine
from rollout.errors import EngineLocked
from rollout.events import Preview
from rollout.ports import Message
from rollout.session.finding import sites_of
from rollout.session.session import Session
from rollout.session.site import ARM_WAIT_SECONDS, Site
from rollout.split import Split

MOST_UPDATES = 5
"""A new stack needs four: the platform, the deployments, the weights, and nothing."""

HOLD_INSTANCES = ("OnlineDeployment", "AutoscaleSetting", "Compute")
"""Kinds of resources whose creation or change can take more of the quota."""


@dataclass
class DeliveredStack:
    """One stack, as its files declare it now."""

    session: Session
    stack: str
    engine: PulumiEngine
    branch: SourceCheckout
    publish: Callable[[Sequence[str]], object]
    """Publishes the files of models; raises if that fails."""
    _known: Mapping[str, Any] | None = field(default=None, init=False)
    """Pulumi's state; None: to be read. A process of the engine is the dearest thing in a run without changes."""

    def problems(self) -> tuple[str, ...]:
        """Why no update may run now. Raises WaitingError while one is running."""
        StackLocks(self.engine, self.session.say, self._lock_rule()).remove_dead()
        self._known = None
        states = splits_of(self._state())
        return tuple(
            line
            for site in sites_of(self.session, self.stack)
            for line in problems_of(self._sides(site, states), self.stack)
        )

    def _state(self) -> Mapping[str, Any]:
        if self._known is None:
            self._known = self.engine.export()
        return self._known

    @staticmethod
    def _lock_rule() -> LockRule:
        """A runner that is gone left its lock on a host that no later run has; no job lasts longer than the limit."""
        return LockRule.of(os.environ, DELIVERY_DEAD_AFTER_SECONDS)

    def _sides(self, site: Site, states: dict[str, Split]) -> Sides:
        live = site.azure.endpoint()
        recorded = None
        if site.is_under_way():
            state = site.last_journal().state
            recorded = state.weights if state.open_intent is None and not state.broken_glass else None
        return Sides(
            endpoint=site.key,
            live=Split(traffic=live.traffic, mirror=live.mirror) if live is not None else None,
            declared=site.declared.read().split,
            state=states.get(site.endpoint_name),
            recorded=recorded,
        )

    def deploy(self, may_begin: Callable[[], bool]) -> bool:
        """Publish what is missing, and update until the preview is empty and the stack is settled."""
        self._repair_state()
        for _ in range(MOST_UPDATES):
            if not self._published(may_begin):
                return False
            self.session.say(f"previewing {self.stack}")
            preview = self.engine.preview()
            if preview.is_empty:
                self._require_settled()
                return True
            if not may_begin():
                return False
            if takes_instances(preview):
                self.session.require_quota(self.stack, None, self.session.say)
            changes = sum(change.custom for change in preview.changes)
            self.session.say(
                f"updating {self.stack}: {changes} {'resource changes' if changes == 1 else 'resources change'}"
            )
            self._known = None
            self._up()
        raise UsageError(
            f"{self.stack} still has changes after {MOST_UPDATES} updates, so something changes with each of them. Run "
            f"`pulumi preview --diff --stack {self.stack}` and correct what it shows."
        )

    def _up(self) -> None:
        """Raises WaitingError if another runner was faster: dead locks were removed before, so this one is alive."""
        try:
            self.engine.up()
        except EngineLocked as error:
            raise WaitingError(
                f"another runner updates {self.stack}, and this one leaves it to that: {error}"
            ) from error

    def _repair_state(self) -> None:
        """Finish what an update that was killed has begun."""
        if pending_operations(self._state()):
            self._known = None
            self.session.say(f"an update of {self.stack} was killed: repairing its state")
            arm = ArmOperations(self.session.say, ARM_WAIT_SECONDS)
            report = recover(self.engine, arm, wait_seconds=ARM_WAIT_SECONDS, rule=self._lock_rule())
            for text in report.left:
                self.session.say(f"left to do: {text}")

    def _require_settled(self) -> None:
        endpoints = outputs_of(self._state()).get("endpoints") or {}
        waiting = [f"{key} (next: {found.get('next')})" for key, found in endpoints.items() if not found.get("settled")]
        if waiting:
            raise UsageError(
                f"{self.stack} is not settled, and an update would change nothing: {'; '.join(waiting)}. A person has "
                "to run that command."
            )

    def _published(self, may_begin: Callable[[], bool]) -> bool:
        """Publish what the stack's lock lacks, and commit the lock; False if the time is over."""
        sites = sites_of(self.session, self.stack)
        names = missing_models(sites)
        if not names:
            return True
        if not may_begin():
            return False
        self.publish(names)
        locks = [lock for name in names if (lock := _lock_in(self.branch.folder, name)) is not None]
        message = Message(subject=f"release({self.stack}): publish {', '.join(names)}")
        if locks and self.branch.keep(locks, message):
            self.session.say(f"committed what was published to {self.branch.branch}")
        return True


def _lock_in(repository: Path, model: str) -> Path | None:
    """The lock of a model, if it is in the repository: a rehearsal's is not."""
    from models.release_lock import lock_path

    path = lock_path(project_root() / "models" / model)
    return path if path.is_file() and path.resolve().is_relative_to(repository.resolve()) else None


def engine_of(stack: str) -> PulumiEngine:
    """The engine of a stack in this shell. Raises UnavailableError if its backend is gone."""
    from recovery.dead_update import require_backend

    require_backend(os.environ)
    return PulumiEngine(project_root(), stack)


def takes_instances(preview: Preview) -> bool:
    """Whether an update may need more quota. One that only moves weights does not, so quota stops no way back."""
    return any(
        change.type.rpartition(":")[2] in HOLD_INSTANCES and not change.op.startswith("delete")
        for change in preview.changes
    )

"""A stack's locks and history as the rollout controller sees them (`rollout.ports.EngineLocks`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from command_errors import CommandError
from project import project_name
from recovery.backend import backend_of
from recovery.dead_update import Report, clear_backend
from recovery.locks import LockRule, Owner

if TYPE_CHECKING:
    from rollout.engine import PulumiEngine


@dataclass(frozen=True)
class StackLocks:
    """The locks in a folder or a blob container. Other backends do not show theirs: no holder, nothing to remove."""

    engine: PulumiEngine
    tell: Callable[[str], None]
    rule: LockRule = field(default_factory=LockRule)

    def remove_dead(self) -> bool:
        """Remove the locks and unfinished files of dead updates; whether there were any. Raises WaitingError."""
        report = Report(self.engine.stack, self.tell)
        clear_backend(self.engine, report, self.rule)
        return bool(report.done)

    def holder(self) -> str | None:
        """Return the first lock whose owner is not known to be dead."""
        backend = backend_of(self.engine.environment)
        if backend is None:
            return None
        locks = backend.locks(project_name(self.engine.project), self.engine.stack)
        return next((str(lock) for lock in locks if self.rule.owner(lock) is not Owner.DEAD), None)

    def last_update(self) -> str | None:
        """Return the name of the newest entry in the backend's history; None where it cannot be read."""
        try:
            backend = backend_of(self.engine.environment)
            return backend.last_update(project_name(self.engine.project), self.engine.stack) if backend else None
        except CommandError:
            return None

"""The locks of a stack as the rollout controller sees them (`rollout.ports.EngineLocks`), judged as in `locks`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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

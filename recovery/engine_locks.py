"""The locks of a stack as the rollout controller sees them (`rollout.ports.EngineLocks`), judged as in `locks`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from project import project_name
from recovery.dead_update import Report, clear_backend
from recovery.locks import Owner, backend_folder, stack_locks

if TYPE_CHECKING:
    from rollout.engine import PulumiEngine


@dataclass(frozen=True)
class StackLocks:
    """The locks in a file backend. Other backends do not show theirs: there is nothing to remove, and no holder."""

    engine: PulumiEngine
    tell: Callable[[str], None]

    def remove_dead(self) -> bool:
        """Remove the locks and unfinished files of dead updates; whether there were any. Raises WaitingError."""
        report = Report(self.engine.stack, self.tell)
        clear_backend(self.engine, report)
        return bool(report.done)

    def holder(self) -> str | None:
        """Return the first lock whose owner is not known to be dead."""
        backend = backend_folder(dict(self.engine.environment))
        if backend is None:
            return None
        locks = stack_locks(backend, project_name(self.engine.project), self.engine.stack)
        return next((str(lock) for lock in locks if lock.owner is not Owner.DEAD), None)

"""What a dead update leaves in the backend and in the state, for the two commands that remove it.

`sluice recover` repairs the stack, `sluice remove` deletes it; both first make sure that no update is running.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from command_errors import UnavailableError, WaitingError
from project import project_name
from recovery.adoption import pending_operations
from recovery.backend import backend_of
from recovery.locks import LockRule, Owner
from rehearsal.environment import way_back
from state_backend import backend_folder

if TYPE_CHECKING:
    from rollout.engine import PulumiEngine


@dataclass
class Report:
    """What was done and what is left to do."""

    stack: str
    tell: Callable[[str], None]
    """Prints one line for people."""
    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Record and tell one thing that was done."""
        self.done.append(text)
        self.tell(text)


def require_backend(environment: Mapping[str, str]) -> None:
    """Raise UnavailableError if the folder that holds the stacks is gone, as after `sluice local reset`."""
    folder = backend_folder(environment)
    if folder is None or folder.is_dir():
        return
    back = way_back(environment)
    raise UnavailableError(
        f"the folder {folder}, which holds the stacks, does not exist. "
        + (
            f"If you reset the local Azure of this shell, its stacks are gone. To start again, run `{back}`."
            if back
            else "Correct PULUMI_BACKEND_URL, or run `pulumi login`."
        )
    )


def clear_backend(engine: "PulumiEngine", report: Report, rule: LockRule) -> None:
    """Remove what a dead update left in the backend. Raises WaitingError while an update may still run.

    It never runs `pulumi cancel`, which removes the locks of living updates too.
    """
    backend = backend_of(engine.environment)
    if backend is None:
        return
    project = project_name(engine.project)
    locks = backend.locks(project, engine.stack)
    for lock in locks:
        owner = rule.owner(lock)
        if owner is Owner.ALIVE:
            raise WaitingError(f"an update of stack {engine.stack} is running: {lock}. Wait for it, or stop it first.")
        if owner is Owner.ELSEWHERE:
            advice = rule.advice(lock, engine.stack)
            raise WaitingError(f"stack {engine.stack} is locked from another machine: {lock}. {advice}")
        if owner is Owner.UNKNOWN:
            raise WaitingError(
                f"stack {engine.stack} is locked by {lock}, so whether that update still runs is not known. If no "
                f"update of the stack is running, run `pulumi cancel --stack {engine.stack}`, then this command again."
            )
    for lock in locks:
        backend.remove(lock)
        report.say(f"removed the lock of a dead update ({lock})")
    for name in backend.remove_broken_files(project, engine.stack):
        report.say(f"removed a file that the dead update was writing ({name})")


def drop_pending(engine: "PulumiEngine", report: Report) -> None:
    """Remove the interrupted operations from the state, after their resources have been added to it."""
    state = engine.export()
    operations = pending_operations(state)
    if operations:
        state["deployment"]["pending_operations"] = []
        engine.import_(state)
    for operation in operations:
        report.say(f"settled the interrupted operation: {operation.type} {operation.candidate.urn}")

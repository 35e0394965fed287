"""What a dead update leaves in the backend and in the state, for the two commands that clear it away.

`sluice recover` repairs the stack, `sluice remove` deletes it: both first make sure that no update is running.
"""

import argparse
import contextlib
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cli.adoption import pending_operations
from cli.arguments import add_stack_argument
from cli.locks import Owner, backend_folder, broken_files, stack_locks
from command_errors import UnavailableError, WaitingError
from project import project_name, project_root, stack_name
from rehearsal.environment import way_back

if TYPE_CHECKING:
    from rollout.engine import PulumiEngine


@dataclass
class Report:
    """What was done and what is left to do."""

    stack: str
    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Record and print one thing that was done."""
        self.done.append(text)
        tell(text)


def add_arguments(parser: argparse.ArgumentParser, *, wait_minutes: float, json_help: str) -> None:
    """Add the options of both commands."""
    add_stack_argument(parser)
    parser.add_argument(
        "--wait-minutes",
        metavar="MINUTES",
        type=_minutes,
        default=wait_minutes,
        help=f"how long to wait for one operation of Azure (default {wait_minutes:g})",
    )
    parser.add_argument("--json", action="store_true", help=json_help)


def _minutes(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError(f"must be a number of minutes, 0 or more, got {text!r}")


def tell(text: str) -> None:
    """Print one line for people; standard output is for JSON."""
    print(text, file=sys.stderr, flush=True)


def engine_for(options: argparse.Namespace) -> "PulumiEngine":
    """The engine of the stack that the command line names. Raises UnavailableError where its backend is gone."""
    from rollout.engine import PulumiEngine

    require_backend(os.environ)
    return PulumiEngine(project_root(), stack_name(options.stack))


def require_backend(environment: Mapping[str, str]) -> None:
    """Raises UnavailableError when the folder that holds the stacks is gone, as after `sluice local reset`."""
    folder = backend_folder(dict(environment))
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


def clear_backend(engine: "PulumiEngine", report: Report) -> None:
    """Remove what a dead update left in a file backend. Raises WaitingError while an update may be alive."""
    backend = backend_folder(dict(engine.environment))
    if backend is None:
        return
    project = project_name(engine.project)
    locks = stack_locks(backend, project, engine.stack)
    for lock in locks:
        if lock.owner is Owner.ALIVE:
            raise WaitingError(f"an update of stack {engine.stack} is running: {lock}. Wait for it, or stop it first.")
        if lock.owner is Owner.ELSEWHERE:
            raise WaitingError(
                f"stack {engine.stack} is locked from another machine: {lock}. Look there; if that update is dead, "
                f"run `pulumi cancel --stack {engine.stack}`, then this command again."
            )
    for lock in locks:
        lock.file.unlink(missing_ok=True)
        lock.file.with_name(f"{lock.file.name}.attrs").unlink(missing_ok=True)
        report.say(f"removed the lock of a dead update ({lock})")
    for file in broken_files(backend, project, engine.stack):
        file.unlink(missing_ok=True)
        report.say(f"removed a file that the dead update was writing ({file.name})")


def drop_pending(engine: "PulumiEngine", report: Report) -> None:
    """Remove the interrupted operations from the state. Before, what each of them left is taken into the state."""
    state = engine.export()
    operations = pending_operations(state)
    if operations:
        state["deployment"]["pending_operations"] = []
        engine.import_(state)
    for operation in operations:
        report.say(f"settled the interrupted operation: {operation.type} {operation.candidate.urn}")

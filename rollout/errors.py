"""The errors of the rollout package.

EngineError                 an operation of the Pulumi engine did not do what was asked
├── EngineRefused           the program or its configuration refused the operation before anything changed
├── EngineFailed            resources failed; some may have changed
├── EngineLocked            another update has locked the stack, or died without unlocking it
└── EngineUnavailable       no CLI, no backend, no such stack: the engine never started
    └── StackMissing        the backend has no stack of that name
UsageError                  (command_errors, exit code 2)
├── BrokenRecord            the chain of a record is broken: no forward step
├── ForeignRecord           the record of another stack or endpoint in its place
└── PushRefused             the remote refuses the push: nothing was changed
WaitingError                (command_errors, exit code 3)
├── EndpointBusy            another process works on the endpoint
└── Overtaken               another runner pushed first: nothing was changed
UnavailableError            (command_errors, exit code 4)
├── MetricsError            Azure Monitor did not answer, or its answer cannot be evidence
├── RecordUnwritable        an event could not be written
└── PushUnanswered          the remote did not answer
"""

from collections.abc import Sequence

from command_errors import UnavailableError, UsageError, WaitingError
from exit_codes import ExitCode


class EngineError(Exception):
    """An operation of the Pulumi engine did not do what was asked."""

    exit_code = ExitCode.UNAVAILABLE

    def __init__(self, message: str, *, errors: Sequence[str] = (), log: str = "") -> None:
        super().__init__(message)
        self.errors = tuple(errors)
        self.log = log


class EngineRefused(EngineError):
    """The program or its configuration refused the operation; no resource was touched."""

    exit_code = ExitCode.USAGE


class EngineFailed(EngineError):
    """The engine started to change resources and could not finish."""

    exit_code = ExitCode.FAILED


class EngineLocked(EngineError):
    """The stack is locked by another update, alive or dead."""


class EngineUnavailable(EngineError):
    """The engine could not start: CLI, backend, login or stack is missing."""


class StackMissing(EngineUnavailable):
    """The backend has no stack of that name."""


class BrokenRecord(UsageError):
    """A line of the record was cut out, edited or added by hand: no forward step may rest on it."""


class ForeignRecord(UsageError):
    """The record belongs to another stack, project, subscription, workspace or endpoint."""


class MetricsError(UnavailableError):
    """Azure Monitor did not answer, or not with what a gate can rest on. Never a failed canary."""


class RecordUnwritable(UnavailableError):
    """An event could not be written: the disk is full, or the folder is read-only. Nothing after it was done."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{why} Nothing was changed.")
        self.why = why


class EndpointBusy(WaitingError):
    """Another process on this machine works on the endpoint."""


class Overtaken(WaitingError):
    """Another runner pushed this rollout's next event first. Nothing was changed."""


class PushRefused(UsageError):
    """The remote refuses the push: a protected branch, a missing right. Nothing was changed."""


class PushUnanswered(UnavailableError):
    """The remote did not answer; whether it took the push is not known."""

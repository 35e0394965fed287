"""The errors of the rollout package.

EngineError                 an operation of the Pulumi engine did not do what was asked
├── EngineRefused           the program or its configuration refused the operation before anything changed
├── EngineFailed            resources failed; some may have changed
├── EngineLocked            another update has locked the stack, or died without unlocking it
└── EngineUnavailable       no CLI, no backend, no such stack: the engine never started
"""

from collections.abc import Sequence

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

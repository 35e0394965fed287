"""How a `sluice` command ends: exit codes (design, section 6) and the errors that carry them.

CommandError            the command could not do what was asked; carries the exit code
├── UsageError          2: wrong use, or wrong configuration
├── WaitingError        3: inconclusive, or a person has to act
└── UnavailableError    4: Azure, the engine or the local Azure cannot be reached
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the exit code of every subcommand means."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    WAITING = 3
    UNAVAILABLE = 4


class CommandError(Exception):
    """The command could not do what was asked."""

    exit_code = ExitCode.FAILED


class UsageError(CommandError):
    """Wrong use, or wrong configuration: nothing was changed."""

    exit_code = ExitCode.USAGE


class WaitingError(CommandError):
    """Inconclusive, or waiting for a person."""

    exit_code = ExitCode.WAITING


class UnavailableError(CommandError):
    """Azure, the engine or the local Azure cannot be reached."""

    exit_code = ExitCode.UNAVAILABLE

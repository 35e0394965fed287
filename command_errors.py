"""The errors that end a `sluice` command, each with its exit code.

CommandError            the command could not do what was asked; carries the exit code
├── UsageError          2: wrong use, or wrong configuration
├── WaitingError        3: inconclusive, or a person has to act
└── UnavailableError    4: Azure, the engine or the local Azure cannot be reached
"""

import errno

from exit_codes import ExitCode


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


def expected_code(error: Exception) -> ExitCode | None:
    """Return the exit code of an error that some part of the product expects; None for a defect."""
    code = getattr(error, "exit_code", None)
    return code if isinstance(code, ExitCode) else None


# The fixes for errors of the operating system; the fix for anything else depends on where it happens.
_REMEDIES = {
    errno.ENOSPC: "Free space on that disk and run the command again.",
    errno.EDQUOT: "Free space: your quota on that disk is used up.",
    errno.EROFS: "The disk is read-only: mount it writable, or use another folder.",
    errno.EACCES: "Check its owner and its permissions.",
    errno.EPERM: "Check its owner and its permissions.",
    errno.ENOENT: "Check the path; if the working directory was deleted, change to one that exists.",
    errno.ENOTDIR: "Part of that path is a file, not a folder. Check the path.",
    errno.EEXIST: "There is a file where a folder belongs. Check the path.",
    errno.EMFILE: "Raise the limit of open files (`ulimit -n`).",
}


def explain_system_error(error: OSError) -> str:
    """Return one line on an error of the operating system: the file, if any, the error and the fix."""
    said = error.strerror or " ".join(str(error).split()) or type(error).__name__
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{said}. {remedy_for(error)}"


def remedy_for(error: OSError) -> str:
    """Return the fix for an error of the operating system."""
    return _REMEDIES.get(error.errno or 0, "Check that file or connection and try again.")

"""The exit codes of `sluice`, which are a contract with pipelines.

The errors of every part of the product carry theirs as the attribute `exit_code`, so that `cli/main.py` needs to know
none of them.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the exit code of every subcommand means."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    WAITING = 3
    UNAVAILABLE = 4

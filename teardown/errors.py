"""The errors of a removal.

RemovalError           the stack cannot be taken down in its present state; the message states the fix
├── StillServing       an endpoint has weight: callers would get 404
└── NotFinished        something is left that should be gone
"""

from exit_codes import ExitCode


class RemovalError(Exception):
    """The stack cannot be taken down in its present state; nothing was changed."""

    exit_code = ExitCode.USAGE


class StillServing(RemovalError):
    """An endpoint has live or mirror weight; nothing was changed."""


class NotFinished(RemovalError):
    """Something is left that should be gone; a second run continues from there."""

    exit_code = ExitCode.FAILED

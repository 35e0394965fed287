"""Why the CLI ended before its engine started: the backend, the login, the stack or its lock."""

from collections.abc import Mapping

from rollout.errors import EngineError, EngineLocked, EngineUnavailable, StackMissing
from state_backend import backend_blobs

STACK_NOT_FOUND = 6  # an exit code that the CLI guarantees (cmd/exit_codes.go)
AUTHENTICATION_FAILED = 3
# The CLI has no JSON for these: it ends before the engine starts and prints text.
LOCKED_MARKS = ("currently locked by", "Another update is currently in progress")
FORBIDDEN_MARK = "AuthorizationPermissionMismatch"
CRASHED_WRITE_MARK = "azureblob.(*writer)"
"""In the trace of a CLI that crashes while it writes to azblob://, as it does without the role (run: 3.259, 3.274)."""


def startup_error(
    stack: str, operation: str, returncode: int, stdout: str, stderr: str, environment: Mapping[str, str]
) -> EngineError:
    """Return the error for a CLI that failed and reported no event: what it said, and the fix."""
    said = (stderr.strip() or stdout.strip()).removeprefix("error: ")
    where = f"pulumi {operation} of stack {stack}"
    if any(mark in said for mark in LOCKED_MARKS):
        return EngineLocked(f"{where}: {said}\nIf that update died, run `sluice recover --stack {stack}`.")
    if returncode == STACK_NOT_FOUND:
        fix = f"Create it with `pulumi stack init {stack}`, or check PULUMI_BACKEND_URL."
        return StackMissing(f"{where}: {said}\n{fix}")
    if returncode == AUTHENTICATION_FAILED:
        return EngineUnavailable(f"{where}: {said}\nLog in with `pulumi login`.")
    place = backend_blobs(environment)
    if place is not None and CRASHED_WRITE_MARK in said:
        return EngineUnavailable(
            f"{where} crashed while it wrote to the backend; nothing changed. This is how the CLI ends if "
            f"{place.missing_role(write=True)} `preview` needs to read only.",
            log=said,
        )
    if place is not None and FORBIDDEN_MARK in said:
        return EngineUnavailable(f"{where}: {place.missing_role(write=False)}", log=said)
    return EngineUnavailable(f"{where} ended with exit code {returncode}: {said or 'no message'}", log=said)

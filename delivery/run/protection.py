"""Environments of pipelines: a job that changes a stack must run in one that only named branches may use.

GitHub creates an environment that does not exist without any protection (github/docs, read), so that a branch of
anyone with write access could deploy.
"""

from __future__ import annotations

from collections.abc import Callable

from command_errors import UnavailableError, UsageError
from git_server.pipeline_run import ServerKind
from git_server.port import GitServer, GitServerRefused

ROLLBACK_SUFFIX = "-rollback"


def require_branch_policy(server: GitServer, name: str) -> None:
    """Raise UsageError for an environment that any branch may use, or that does not exist."""
    environment = server.environment(name)
    if environment is not None and environment.has_branch_policy:
        return
    what = "does not exist" if environment is None else "lets every branch deploy"
    raise UsageError(
        f"the environment {name} {what}, so a branch without review could change this stack. Nothing was "
        f"changed. Create it and allow only the source branch: `sluice ci init` prints the commands."
    )


def require_branch_policy_for_a_way_back(server: GitServer, name: str, say: Callable[[str], None]) -> None:
    """The same for a rollback, which a server that does not answer, or does not tell this token, must not stop."""
    try:
        require_branch_policy(server, name)
    except (UnavailableError, GitServerRefused) as error:
        say(f"the rollback goes on, although the branch policy of {name} could not be read: {error}")


def rollback_environment(stack: str, kind: ServerKind | None) -> str:
    """The environment of the job that goes back: in Azure Pipelines one without the lock of deliveries."""
    return f"{stack}{ROLLBACK_SUFFIX}" if kind == "azure-devops" else stack

"""The git server that the variables of a run name."""

from __future__ import annotations

from collections.abc import Mapping

from git_server.azure_devops import AzureDevOps
from git_server.github import GitHub
from git_server.pipeline_run import pipeline_run
from git_server.port import GitServer


def git_server(variables: Mapping[str, str]) -> GitServer | None:
    """Return the server of this run; on a laptop the one of GITHUB_REPOSITORY and GITHUB_TOKEN, else None.

    Raises UsageError in a pipeline that does not pass the token.
    """
    kind = pipeline_run(variables).server
    if kind == "github" or (kind is None and variables.get("GITHUB_REPOSITORY") and variables.get("GITHUB_TOKEN")):
        return GitHub.from_variables(variables)
    if kind == "azure-devops":
        return AzureDevOps.from_variables(variables)
    return None

"""What git needs in a pipeline that keeps no credential in the clone: the job's token, and who commits. Pure.

The token reaches git in variables (GIT_CONFIG_COUNT, documented in git-config), never on a command line, and only for
the server's own address.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from git_server.pipeline_run import pipeline_run

NOREPLY = "users.noreply.github.com"


def git_variables(variables: Mapping[str, str], *, has_committer: bool) -> dict[str, str]:
    """Return the variables to add to those of a run; none on a laptop. `has_committer`: git's settings name one."""
    kind = pipeline_run(variables).server
    if kind is None:
        return {}
    header = _github_header(variables) if kind == "github" else _azure_header(variables)
    return {**(_settings(variables, *header) if header else {}), **({} if has_committer else _committer(variables))}


def _github_header(variables: Mapping[str, str]) -> tuple[str, str] | None:
    token = variables.get("GITHUB_TOKEN")
    if not token:
        return None
    encoded = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return variables.get("GITHUB_SERVER_URL") or "https://github.com", f"AUTHORIZATION: basic {encoded}"


def _azure_header(variables: Mapping[str, str]) -> tuple[str, str] | None:
    token, server = variables.get("SYSTEM_ACCESSTOKEN"), variables.get("SYSTEM_COLLECTIONURI")
    return (server, f"AUTHORIZATION: bearer {token}") if token and server else None


def _settings(variables: Mapping[str, str], server: str, header: str) -> dict[str, str]:
    """The header for the server, after an empty one: that drops what a checkout has left, which would be sent too."""
    count = variables.get("GIT_CONFIG_COUNT", "")
    first = int(count) if count.isdecimal() else 0
    key = f"http.{server.rstrip('/')}/.extraheader"
    return {
        "GIT_CONFIG_COUNT": str(first + 2),
        f"GIT_CONFIG_KEY_{first}": key,
        f"GIT_CONFIG_VALUE_{first}": "",
        f"GIT_CONFIG_KEY_{first + 1}": key,
        f"GIT_CONFIG_VALUE_{first + 1}": header,
    }


def _committer(variables: Mapping[str, str]) -> dict[str, str]:
    """The account of the run as author and committer, unless the job names one."""
    name = variables.get("GITHUB_ACTOR") or variables.get("BUILD_REQUESTEDFOR") or "sluice"
    email = variables.get("BUILD_REQUESTEDFOREMAIL") or f"{name.replace(' ', '-')}@{NOREPLY}"
    wanted = {"NAME": name, "EMAIL": email}
    return {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in wanted.items()
        if not variables.get(f"GIT_{role}_{part}")
    }

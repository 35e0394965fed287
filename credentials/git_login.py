"""How git logs in and who commits in a pipeline, as variables of its process: no token in a file or a command line.

The pipelines check out without leaving the token behind (`persist-credentials: false`), so each git process gets it.
The headers are those of actions/checkout and of the agent of Azure Pipelines; not verified against the real servers.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping


def git_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that a git process of a pipeline needs besides; empty on a laptop.

    The token goes to the pipeline's own server only. Names that the environment sets (GIT_AUTHOR_NAME, ...) stay.
    """
    if environment.get("GITHUB_ACTIONS") == "true":
        server, token = environment.get("GITHUB_SERVER_URL"), environment.get("GITHUB_TOKEN")
        encoded = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        actor = environment.get("GITHUB_TRIGGERING_ACTOR") or environment.get("GITHUB_ACTOR") or "github-actions"
        return {
            **_header(environment, f"{server}/" if server else None, token, f"Authorization: Basic {encoded}"),
            **_identity(environment, actor, f"{actor}@users.noreply.github.com"),
        }
    if environment.get("TF_BUILD", "").lower() == "true":
        server, token = environment.get("SYSTEM_COLLECTIONURI"), environment.get("SYSTEM_ACCESSTOKEN")
        actor = environment.get("BUILD_REQUESTEDFOR") or "Azure Pipelines"
        email = environment.get("BUILD_REQUESTEDFOREMAIL") or "azure-pipelines@dev.azure.com"
        return {
            **_header(environment, server, token, f"Authorization: Bearer {token}"),
            **_identity(environment, actor, email),
        }
    return {}


def _header(environment: Mapping[str, str], server: str | None, token: str | None, header: str) -> dict[str, str]:
    """Settings of git, behind those that the environment has. The empty one drops a header that a checkout has left."""
    if not server or not token:
        return {}
    known = int(environment.get("GIT_CONFIG_COUNT") or 0)
    found = {"GIT_CONFIG_COUNT": str(known + 2)}
    for number, value in enumerate(("", header), known):
        found |= {f"GIT_CONFIG_KEY_{number}": f"http.{server}.extraheader", f"GIT_CONFIG_VALUE_{number}": value}
    return found


def _identity(environment: Mapping[str, str], name: str, email: str) -> dict[str, str]:
    wanted = {f"GIT_{role}_{part}": {"NAME": name, "EMAIL": email}[part] for role in _ROLES for part in _PARTS}
    return {key: value for key, value in wanted.items() if not environment.get(key)}


_ROLES, _PARTS = ("AUTHOR", "COMMITTER"), ("NAME", "EMAIL")

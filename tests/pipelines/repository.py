"""The bare repository of the git server, and the hook that refuses what GitHub and Azure Repos refuse.

The hook protects `main` while the file `protected` is there, and workflow files from the tokens of jobs, as GitHub.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

HOOK = """#!/bin/sh
# update: $1 ref, $2 old, $3 new. REMOTE_USER is who pushes by HTTP; a merge of the server itself does not come here.
if [ "$1" = refs/heads/main ] && [ -f protected ]; then
  [ "$SYSTEM_NAME" = github ] && echo "GH006: Protected branch update failed for refs/heads/main." \\
    || echo "TF402455: Pushes to this branch are not permitted; you must use a pull request to update this branch."
  exit 1
fi
[ "$SYSTEM_NAME" = github ] || exit 0
case "$2" in *[!0]*) from=$2 ;; *) from=main ;; esac
now=$(git rev-parse -q --verify "$3:.github/workflows")
[ "$now" = "" ] && exit 0
[ "$now" = "$(git rev-parse -q --verify "$from:.github/workflows")" ] && exit 0
echo "refusing to allow a GitHub App to create or update workflow without \\`workflows\\` permission"
exit 1
"""


def prepare(origin: Path) -> None:
    """Let a bare repository take pushes by HTTP, give single commits, and ask the hook."""
    git(origin, "config", "http.receivepack", "true")
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    hook = origin / "hooks" / "update"
    hook.write_text(HOOK)
    hook.chmod(0o755)


def git(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run git; return what it prints. Raises AssertionError with its error."""
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(environment or {})})
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stdout

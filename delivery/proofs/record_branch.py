"""Which branch of origin keeps the records and the weights of a stack: the only place that knows.

It is the one that `sluice:branch` names in the stack file of the source branch, else the source branch itself. In a
check of a pull request, the source branch is the one that the pull request is to be merged into, never its own. The
variables are documented: "Variables reference" of GitHub Actions, "Use predefined variables" of Azure Pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from command_errors import UnavailableError
from rollout.repository.branch import HEADS
from rollout.repository.git import NETWORK_SECONDS, Git
from rollout.repository.remote import REMOTE
from strict_yaml import read_yaml

BRANCH = "sluice:branch"
TARGETS = ("GITHUB_BASE_REF", "SYSTEM_PULLREQUEST_TARGETBRANCH")
"""The branch that a pull request is to be merged into: GitHub gives its name, Azure Pipelines its ref."""


class RecordsUnreachable(UnavailableError):
    """The branch that has the records of rollouts could not be read."""


def source_branch(git: Git, variables: Mapping[str, str]) -> str:
    """Return the branch where people merge: the pipeline's target, else the one that origin calls its default.

    Raises RecordsUnreachable if origin cannot be asked or has no default branch.
    """
    for name in TARGETS:
        if target := variables.get(name, "").removeprefix(HEADS):
            return target
    said = git.ask("ls-remote", "--symref", REMOTE, "HEAD", seconds=NETWORK_SECONDS)
    for line in said.text.splitlines() if said else ():
        ref, _, name = line.partition("\t")
        if name == "HEAD" and ref.startswith(f"ref: {HEADS}"):
            return ref.removeprefix(f"ref: {HEADS}")
    reason = "it did not answer in time" if said is None else said.reason if said.returncode else "it names none"
    raise RecordsUnreachable(
        f"the default branch of {REMOTE} is not known, so the records of rollouts cannot be read: {reason}. Check "
        f"`git ls-remote --symref {REMOTE} HEAD`."
    )


def record_branch(stack_file: bytes | None, source: str) -> str:
    """Return the branch of a stack whose file the branch `source` has so; None: it has no such file."""
    named = config_of(stack_file).get(BRANCH)
    return named if isinstance(named, str) and named else source


def config_of(stack_file: bytes | None) -> dict[str, Any]:
    """Return the `config` of a stack file; empty for one that is absent or cannot be read."""
    if stack_file is None:
        return {}
    try:
        config = read_yaml(stack_file.decode("utf-8-sig"))["config"]
    except (yaml.YAMLError, UnicodeDecodeError, LookupError, TypeError):
        return {}
    return config if isinstance(config, dict) else {}

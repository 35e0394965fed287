"""Which branch of origin keeps the records and the weights of a stack: the only place that knows.

Today it is the source branch, where people merge. In a check of a pull request that is the branch that the pull request
is to be merged into, never its own. The variables are documented: "Variables reference" of GitHub Actions, "Use
predefined variables" of Azure Pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping

from rollout.errors import PushUnanswered
from rollout.repository.branch import HEADS
from rollout.repository.git import Git
from rollout.repository.remote import REMOTE

TARGETS = ("GITHUB_BASE_REF", "SYSTEM_PULLREQUEST_TARGETBRANCH")
"""The branch that a pull request is to be merged into; GitHub gives its name, Azure Pipelines its ref."""
SECONDS = 60.0


def record_branch(git: Git, variables: Mapping[str, str]) -> str:
    """Return the branch: what the pipeline names as the target, else the branch that origin calls its default.

    Raises PushUnanswered if origin cannot be asked or has no default branch.
    """
    for name in TARGETS:
        if target := variables.get(name, "").removeprefix(HEADS):
            return target
    said = git.ask("ls-remote", "--symref", REMOTE, "HEAD", seconds=SECONDS)
    for line in said.text.splitlines() if said else ():
        ref, _, name = line.partition("\t")
        if name == "HEAD" and ref.startswith(f"ref: {HEADS}"):
            return ref.removeprefix(f"ref: {HEADS}")
    reason = "it did not answer in time" if said is None else said.reason if said.returncode else "it names none"
    raise PushUnanswered(
        f"the default branch of {REMOTE} is not known, so the records of rollouts cannot be read: {reason}. Check "
        f"`git ls-remote --symref {REMOTE} HEAD`."
    )

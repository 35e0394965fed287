"""Pure: which git server, which run and which pull request the variables of a pipeline name.

Sources, documented: "Variables reference" of GitHub Actions; "Use predefined variables" of Azure Pipelines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ServerKind = Literal["github", "azure-devops"]
_MERGE_REF = re.compile(r"refs/pull/(\d+)/")
_HEADS = "refs/heads/"


@dataclass(frozen=True, kw_only=True)
class PipelineRun:
    """One run of a pipeline, or a laptop's shell (`server` None)."""

    server: ServerKind | None = None
    id: str | None = None
    """What the server calls the run."""
    pull_request: int | None = None
    base: str | None = None
    """The branch that the pull request goes into."""
    source_branch: str | None = None
    """The branch that the run belongs to; None in a pull request."""


def pipeline_run(variables: Mapping[str, str], event: str = "") -> PipelineRun:
    """Return the run. `event` is the text of the file that GITHUB_EVENT_PATH names; without it the ref decides."""
    if variables.get("GITHUB_ACTIONS") == "true":
        reference = variables.get("GITHUB_REF", "")
        return PipelineRun(
            server="github",
            id=variables.get("GITHUB_RUN_ID") or None,
            pull_request=_number_in(event) or _number_of(reference),
            base=variables.get("GITHUB_BASE_REF") or None,
            source_branch=_branch(reference),
        )
    if variables.get("TF_BUILD", "").lower() == "true":
        reference = variables.get("BUILD_SOURCEBRANCH", "")
        number = variables.get("SYSTEM_PULLREQUEST_PULLREQUESTID", "")
        base = variables.get("SYSTEM_PULLREQUEST_TARGETBRANCH", "")
        return PipelineRun(
            server="azure-devops",
            id=variables.get("BUILD_BUILDID") or None,
            pull_request=int(number) if number.isdecimal() else _number_of(reference),
            base=base.removeprefix(_HEADS) or None,
            source_branch=_branch(reference),
        )
    return PipelineRun()


def _number_in(event: str) -> int | None:
    try:
        value = json.loads(event)
    except ValueError:
        return None
    request = value.get("pull_request") if isinstance(value, dict) else None
    number = request.get("number") if isinstance(request, dict) else None
    return number if isinstance(number, int) else None


def _number_of(reference: str) -> int | None:
    found = _MERGE_REF.match(reference)
    return int(found.group(1)) if found else None


def _branch(reference: str) -> str | None:
    return reference.removeprefix(_HEADS) if reference.startswith(_HEADS) else None

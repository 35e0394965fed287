"""The summary of a job: what a run says to people beside its log."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
AZURE_FOLDER = "AGENT_TEMPDIRECTORY"


def write_summary(text: str, variables: Mapping[str, str]) -> str | None:
    """Add Markdown to the summary of the job; return a line to print, None if the run has no summary or none is needed.

    GitHub reads the file that GITHUB_STEP_SUMMARY names. Azure Pipelines takes a file that a line of the log names
    (`##vso[task.uploadsummary]`, documented: "Logging commands").
    """
    if named := variables.get(SUMMARY_VARIABLE):
        with Path(named).open("a", encoding="utf-8") as file:
            file.write(f"{text.rstrip()}\n\n")
        return None
    folder = variables.get(AZURE_FOLDER)
    if variables.get("TF_BUILD", "").lower() != "true" or not folder:
        return None
    descriptor, name = tempfile.mkstemp(prefix="sluice-", suffix=".md", dir=folder)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return f"##vso[task.uploadsummary]{name}"

"""The summary of a job, on both servers and on a laptop."""

from __future__ import annotations

from pathlib import Path

from git_server.summary import write_summary


def test_github_gets_every_summary_of_a_job_in_one_file(tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    for text in ("### one\n", "### two"):
        assert write_summary(text, {"GITHUB_STEP_SUMMARY": str(file)}) is None
    assert file.read_text() == "### one\n\n### two\n\n"


def test_azure_pipelines_is_told_the_file(tmp_path: Path) -> None:
    line = write_summary("### one", {"TF_BUILD": "True", "AGENT_TEMPDIRECTORY": str(tmp_path)})
    assert line is not None
    assert Path(line.removeprefix("##vso[task.uploadsummary]")).read_text() == "### one"


def test_a_laptop_has_no_summary() -> None:
    assert write_summary("### one", {}) is None

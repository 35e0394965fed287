"""Which server, run and pull request the variables of a pipeline name."""

from __future__ import annotations

import json

import pytest

from command_errors import UsageError
from git_server.github import GitHub
from git_server.pipeline_run import PipelineRun, pipeline_run
from git_server.selection import git_server


def test_a_run_of_github_actions_names_its_pull_request() -> None:
    variables = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_RUN_ID": "77",
        "GITHUB_REF": "refs/pull/7/merge",
        "GITHUB_BASE_REF": "main",
    }
    run = PipelineRun(server="github", id="77", pull_request=7, base="main")
    assert pipeline_run(variables) == run
    event = json.dumps({"pull_request": {"number": 8}})
    assert pipeline_run({**variables, "GITHUB_REF": "refs/heads/main"}, event).pull_request == 8
    assert pipeline_run(variables, '{"pull_request": "?"}') == run


def test_a_run_of_azure_pipelines_names_its_pull_request() -> None:
    variables = {"TF_BUILD": "True", "BUILD_BUILDID": "9", "BUILD_SOURCEBRANCH": "refs/heads/main"}
    assert pipeline_run(variables) == PipelineRun(server="azure-devops", id="9", source_branch="main")
    request = {
        "BUILD_SOURCEBRANCH": "refs/pull/12/merge",
        "SYSTEM_PULLREQUEST_PULLREQUESTID": "12",
        "SYSTEM_PULLREQUEST_TARGETBRANCH": "refs/heads/main",
    }
    asked = pipeline_run({**variables, **request})
    assert (asked.pull_request, asked.base, asked.source_branch) == (12, "main", None)


def test_a_laptop_is_no_run_and_has_a_server_only_if_it_names_one() -> None:
    assert pipeline_run({}) == PipelineRun()
    assert git_server({}) is None
    assert isinstance(git_server({"GITHUB_REPOSITORY": "acme/models", "GITHUB_TOKEN": "t"}), GitHub)
    with pytest.raises(UsageError, match="GITHUB_TOKEN is not set"):
        git_server({"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/models"})

"""The job's token and the committer, as git reads them from variables."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

from git_server.git_access import git_variables

GITHUB = {"GITHUB_ACTIONS": "true", "GITHUB_TOKEN": "ghs_1", "GITHUB_ACTOR": "ana"}


def test_git_sends_the_token_to_the_server_only_and_once(tmp_path: Path) -> None:
    given = git_variables({**GITHUB, "GIT_CONFIG_COUNT": "1"}, has_committer=True)
    assert given["GIT_CONFIG_COUNT"] == "3"
    environment = {**os.environ, "GIT_CONFIG_KEY_0": "a.b", "GIT_CONFIG_VALUE_0": "c", **given}
    for url, expected in (
        ("https://github.com/acme/models", base64.b64encode(b"x-access-token:ghs_1").decode()),
        ("https://evil.example/acme/models", ""),
    ):
        asked = ["git", "config", "--get-urlmatch", "http.extraheader", url]
        done = subprocess.run(asked, capture_output=True, text=True, cwd=tmp_path, env=environment)
        assert done.stdout.strip().removeprefix("AUTHORIZATION: basic ") == expected


def test_the_account_of_the_run_commits_unless_the_job_names_another_one() -> None:
    given = git_variables({**GITHUB, "GIT_AUTHOR_NAME": "team"}, has_committer=False)
    assert given["GIT_COMMITTER_NAME"] == "ana"
    assert given["GIT_COMMITTER_EMAIL"] == "ana@users.noreply.github.com"
    assert "GIT_AUTHOR_NAME" not in given
    assert not [name for name in git_variables(GITHUB, has_committer=True) if "COMMITTER" in name]


def test_azure_pipelines_uses_the_token_of_the_build() -> None:
    variables = {
        "TF_BUILD": "True",
        "SYSTEM_ACCESSTOKEN": "t",
        "SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/",
        "BUILD_REQUESTEDFOR": "Ana B",
        "BUILD_REQUESTEDFOREMAIL": "ana@example.com",
    }
    given = git_variables(variables, has_committer=False)
    assert given["GIT_CONFIG_KEY_1"] == "http.https://dev.azure.com/acme/.extraheader"
    assert given["GIT_CONFIG_VALUE_1"] == "AUTHORIZATION: bearer t"
    assert (given["GIT_AUTHOR_NAME"], given["GIT_AUTHOR_EMAIL"]) == ("Ana B", "ana@example.com")


def test_a_laptop_keeps_its_own_settings() -> None:
    assert git_variables({"GITHUB_TOKEN": "ghs_1"}, has_committer=False) == {}

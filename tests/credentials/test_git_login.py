"""How git logs in and who commits in a pipeline."""

import base64
import subprocess
from pathlib import Path

from credentials.git_login import git_variables

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_TOKEN": "ghs_x",
    "GITHUB_ACTOR": "ana",
}
AZURE = {
    "TF_BUILD": "True",
    "SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/",
    "SYSTEM_ACCESSTOKEN": "jwt",
    "BUILD_REQUESTEDFOR": "Ana Silva",
    "BUILD_REQUESTEDFOREMAIL": "ana@acme.example",
}


def headers(environment: dict[str, str], url: str, folder: Path) -> list[str]:
    """The headers that git would send to an address."""
    command = ["git", "-C", str(folder), "config", "--get-urlmatch", "http.extraheader", url]
    home = {"HOME": str(folder), "PATH": "/usr/bin:/bin:/usr/local/bin", "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(command, env={**home, **environment, **git_variables(environment)}, capture_output=True)
    return done.stdout.decode().split("\n")[:-1]


def test_the_token_of_github_goes_to_github_only(tmp_path: Path) -> None:
    encoded = base64.b64encode(b"x-access-token:ghs_x").decode()
    assert headers(GITHUB, "https://github.com/acme/models", tmp_path) == [f"Authorization: Basic {encoded}"]
    assert headers(GITHUB, "https://github.com.evil.example/acme/models", tmp_path) == []


def test_the_token_of_azure_goes_to_its_organization_only(tmp_path: Path) -> None:
    assert headers(AZURE, "https://acme@dev.azure.com/acme/shop/_git/models", tmp_path) == ["Authorization: Bearer jwt"]
    assert headers(AZURE, "https://dev.azure.com/other/shop/_git/models", tmp_path) == []


def test_settings_that_the_environment_has_for_git_stay(tmp_path: Path) -> None:
    mine = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.signingkey", "GIT_CONFIG_VALUE_0": "k"}
    found = git_variables(GITHUB | mine)
    assert found["GIT_CONFIG_COUNT"] == "3"
    assert "GIT_CONFIG_KEY_0" not in found


def test_the_account_of_the_run_commits_unless_the_environment_names_somebody() -> None:
    assert git_variables(AZURE)["GIT_COMMITTER_EMAIL"] == "ana@acme.example"
    found = git_variables(GITHUB | {"GIT_AUTHOR_NAME": "bot"})
    assert "GIT_AUTHOR_NAME" not in found
    assert (found["GIT_COMMITTER_NAME"], found["GIT_AUTHOR_EMAIL"]) == ("ana", "ana@users.noreply.github.com")


def test_without_a_token_no_header_is_sent_and_a_laptop_gets_nothing() -> None:
    assert "GIT_CONFIG_COUNT" not in git_variables({**GITHUB, "GITHUB_TOKEN": ""})
    assert git_variables({"GITHUB_TOKEN": "ghs_x"}) == {}

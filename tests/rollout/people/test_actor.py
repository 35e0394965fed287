"""Who acts on a rollout, from the variables of pipelines and from git."""

import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from command_errors import UsageError
from git_server.port import Approval, ReviewState
from rollout.people.actor import Actor, actor_of, actor_of_way_back, approver, read_run_reviews
from tests.git_server.rest_server import rest_server

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_ACTOR": "ana",
    "GITHUB_EVENT_NAME": "workflow_dispatch",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/models",
    "GITHUB_RUN_ID": "77",
}
PIPELINE = {
    "TF_BUILD": "True",
    "BUILD_REQUESTEDFOR": "Ana Silva",
    "BUILD_REASON": "Manual",
    "SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/",
    "SYSTEM_TEAMPROJECT": "models",
    "BUILD_BUILDID": "12",
}


def reviewed_by(*reviews: tuple[ReviewState, str]) -> Any:
    return lambda variables: [Approval(user=login, state=state) for state, login in reviews]


def test_a_run_of_github_actions_names_its_account_and_its_address(tmp_path: Path) -> None:
    assert actor_of(GITHUB, tmp_path) == Actor(name="ana", run="https://github.com/acme/models/actions/runs/77")


def test_a_run_that_is_run_again_names_the_person_who_did_that(tmp_path: Path) -> None:
    assert actor_of(GITHUB | {"GITHUB_TRIGGERING_ACTOR": "bo"}, tmp_path).name == "bo"


def test_a_run_of_azure_pipelines_names_its_account_and_its_address(tmp_path: Path) -> None:
    actor = actor_of(PIPELINE, tmp_path)
    assert actor == Actor(name="Ana Silva", run="https://dev.azure.com/acme/models/_build/results?buildId=12")


def test_a_laptop_names_the_git_user(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for key, value in (("user.name", "Ana Silva"), ("user.email", "ana@example.com")):
        subprocess.run(["git", "-C", str(tmp_path), "config", key, value], check=True)
    assert actor_of({}, tmp_path) == Actor(name="Ana Silva <ana@example.com>")


def test_a_laptop_without_a_git_user_is_told_how_to_set_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    with pytest.raises(UsageError, match=r"git config --global user\.name"):
        actor_of({}, tmp_path)
    monkeypatch.setenv("LOGNAME", "ana")
    assert actor_of_way_back({}, tmp_path) == Actor(name=f"ana on {socket.gethostname()} (git knows no user)")


def test_a_way_back_names_an_account_that_the_machine_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setattr("getpass.getuser", unknown)
    assert actor_of_way_back({}, tmp_path).name.startswith(f"user {os.getuid()} on ")


@pytest.mark.parametrize("name", ["github-actions[bot]", "github-actions", "models Build Service (acme)"])
def test_accounts_of_programs_are_bots(name: str) -> None:
    assert Actor(name=name).is_bot
    assert not Actor(name="ana").is_bot


def test_the_last_approving_reviewer_of_the_run_approves(tmp_path: Path) -> None:
    variables = GITHUB | {"GITHUB_ACTOR": "github-actions[bot]"}
    reviews = reviewed_by(("approved", "bo"), ("rejected", "cy"), ("approved", "github-actions[bot]"))
    person = approver(variables, tmp_path, started_by="ana", verb="approve", read_reviews=reviews)
    assert person == Actor(name="bo", run="https://github.com/acme/models/actions/runs/77")


def test_a_reviewer_may_be_the_author_of_the_rollout(tmp_path: Path) -> None:
    """Whether that is allowed is a setting of the environment ("prevent self-review"), not ours."""
    person = approver(GITHUB, tmp_path, started_by="ana", verb="approve", read_reviews=reviewed_by(("approved", "ana")))
    assert person.name == "ana"
    assert not person.unreviewed


@pytest.mark.parametrize("variables", [GITHUB, PIPELINE])
def test_without_a_review_another_person_who_dispatched_the_run_counts_as_unreviewed(
    variables: dict[str, str], tmp_path: Path
) -> None:
    person = approver(variables, tmp_path, started_by="bo", verb="approve", read_reviews=reviewed_by())
    assert person.unreviewed
    assert person.name == actor_of(variables, tmp_path).name


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"GITHUB_ACTOR": "github-actions[bot]"}, "which is a bot"),
        ({"GITHUB_EVENT_NAME": "schedule"}, "was not started by hand"),
        ({}, "ana also started the rollout"),
    ],
)
def test_a_run_without_such_a_person_is_refused(change: dict[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said) as refusal:
        approver(GITHUB | change, tmp_path, started_by="ana", verb="approve", read_reviews=reviewed_by())
    assert refusal.value.exit_code == 2
    assert "required reviewers" in str(refusal.value)


def test_a_bot_on_a_laptop_is_refused(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "config", "user.name", "deploy[bot]"], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "config", "user.email", ""], check=True)
    with pytest.raises(UsageError, match="is a bot"):
        approver({}, tmp_path, started_by="ana", verb="reject")


def test_the_review_history_needs_a_token() -> None:
    for variables, token in ((GITHUB, "GITHUB_TOKEN"), (PIPELINE, "SYSTEM_ACCESSTOKEN")):
        with pytest.raises(UsageError, match=token):
            read_run_reviews(variables)


def test_the_review_history_is_read_from_github() -> None:
    with rest_server() as server:
        review = {"state": "approved", "user": {"login": "bo", "type": "User"}}
        server.says("GET /repos/acme/models/actions/runs/77/approvals", [review])
        variables = GITHUB | {"GITHUB_API_URL": server.url, "GITHUB_TOKEN": "secret"}
        assert [found.user for found in read_run_reviews(variables)] == ["bo"]


def test_the_review_history_is_read_from_azure_pipelines(tmp_path: Path) -> None:
    with rest_server() as server:
        server.says(
            "GET /acme/models/_apis/build/builds/12/timeline?api-version=7.1",
            {"records": [{"id": "a", "type": "Checkpoint.Approval"}]},
        )
        bo = {"displayName": "Bo", "uniqueName": "bo@acme.example"}
        server.says(
            "GET /acme/models/_apis/pipelines/approvals?approvalIds=a&%24expand=steps&api-version=7.1",
            {"value": [{"steps": [{"status": "approved", "actualApprover": bo}]}]},
        )
        variables = PIPELINE | {
            "SYSTEM_COLLECTIONURI": f"{server.url}/acme/",
            "SYSTEM_ACCESSTOKEN": "secret",
            "BUILD_REPOSITORY_NAME": "models",
            "BUILD_REQUESTEDFOR": "models Build Service (acme)",
        }
        person = approver(variables, tmp_path, started_by="ana", verb="approve")
    assert (person.name, person.unreviewed) == ("bo@acme.example", False)

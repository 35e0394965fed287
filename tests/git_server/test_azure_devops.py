"""Azure DevOps over REST: what is asked, what of the answers counts, and which error each refusal becomes."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from command_errors import UsageError
from git_server.azure_devops import DESCRIPTION_LIMIT, AzureDevOps
from git_server.port import Approval, Environment, GitServerRefused, GitServerUnreachable, Run
from git_server.selection import git_server
from tests.git_server.rest_server import RestServer, rest_server

MARKER = "<!-- sluice:preview:shop/prod -->"
GIT = "/acme/shop/_apis/git/repositories/models"
THREADS = f"{GIT}/pullRequests/7/threads"
SEARCH = (
    f"{GIT}/pullrequests?searchCriteria.sourceRefName=refs%2Fheads%2Fx&searchCriteria.status=active&api-version=7.1"
)
STATES = "/acme/shop/_apis/wit/workitemtypes/Task/states?api-version=7.1"
WIQL = "POST /acme/shop/_apis/wit/wiql?api-version=7.1"


@pytest.fixture
def server() -> Iterator[RestServer]:
    with rest_server() as running:
        yield running


@pytest.fixture
def azure(server: RestServer) -> AzureDevOps:
    return AzureDevOps(f"{server.url}/acme/", "shop", "models", "secret")


def thread(number: int, content: str, **more: object) -> dict[str, object]:
    return {"id": number, "comments": [{"id": 1, "content": content}, {"id": 2, "content": MARKER}], **more}


def pull(number: int, **more: object) -> dict[str, object]:
    names = {"sourceRefName": "refs/heads/x", "targetRefName": "refs/heads/main", "title": "t"}
    return {"pullRequestId": number, **names, **more}


def test_the_first_comment_of_the_thread_with_the_marker_is_edited(server: RestServer, azure: AzureDevOps) -> None:
    deleted = thread(2, MARKER, isDeleted=True)
    listed = [{"id": 1, "comments": None}, deleted, thread(3, "hello"), thread(4, f"{MARKER}\nold")]
    server.says(f"GET {THREADS}?api-version=7.1", {"value": listed})
    server.says(f"PATCH {THREADS}/4/comments/1?api-version=7.1", {})
    assert azure.upsert_comment(7, MARKER, "new").endswith("/acme/shop/_git/models/pullrequest/7?discussionId=4")
    assert server.asked[-1][1] == {"content": f"{MARKER}\nnew"}
    assert server.tokens == {"Bearer secret"}


def test_a_new_thread_is_closed_so_that_no_policy_waits_for_it(server: RestServer, azure: AzureDevOps) -> None:
    server.says(f"GET {THREADS}?api-version=7.1", {"value": []})
    server.says(f"POST {THREADS}?api-version=7.1", {"id": 9})
    assert azure.upsert_comment(7, MARKER, "new").endswith("discussionId=9")
    assert server.asked[-1][1]["status"] == "closed"


def test_a_pull_request_is_opened_once_and_then_updated(server: RestServer, azure: AzureDevOps) -> None:
    server.says(f"GET {SEARCH}", {"value": [pull(3, forkSource={"name": "theirs"})]})
    server.says(f"POST {GIT}/pullrequests?api-version=7.1", pull(8))
    assert azure.open_or_update_pull_request("x", "main", "t", "b").number == 8
    assert server.asked[-1][1]["targetRefName"] == "refs/heads/main"
    server.answers[f"GET {SEARCH}"] = [(200, {}, {"value": [pull(8)]})]
    server.says(f"PATCH {GIT}/pullrequests/8?api-version=7.1", pull(8))
    azure.open_or_update_pull_request("x", "main", "t", "b" * 9000)
    assert len(server.asked[-1][1]["description"]) == DESCRIPTION_LIMIT
    assert server.asked[-1][1]["description"].endswith("(cut; the summary of the run has the rest)")


def test_a_pipeline_is_found_by_its_name_and_gets_its_parameters(server: RestServer, azure: AzureDevOps) -> None:
    server.says("GET /acme/shop/_apis/build/definitions?name=sluice-approve&api-version=7.1", {"value": [{"id": 5}]})
    server.says(
        "POST /acme/shop/_apis/pipelines/5/runs?api-version=7.1", {"id": 77, "_links": {"web": {"href": "https://x"}}}
    )
    assert azure.dispatch("sluice-approve", "main", {"stack": "prod"}) == Run(id="77", url="https://x")
    assert server.asked[-1][1] == {
        "resources": {"repositories": {"self": {"refName": "refs/heads/main"}}},
        "templateParameters": {"stack": "prod"},
    }


def test_a_missing_pipeline_is_refused_with_the_command_that_makes_it(server: RestServer, azure: AzureDevOps) -> None:
    server.says("GET /acme/shop/_apis/build/definitions?name=x&api-version=7.1", {"value": []})
    with pytest.raises(GitServerRefused, match="sluice ci init azure-devops"):
        azure.dispatch("x", "main", {})


def test_the_checks_of_an_environment_say_how_it_is_protected(server: RestServer, azure: AzureDevOps) -> None:
    environments = "GET /acme/shop/_apis/distributedtask/environments?name=prod&api-version=7.1"
    checks = (
        "GET /acme/shop/_apis/pipelines/checks/configurations?resourceType=environment&resourceId=4&%24expand=settings"
        "&api-version=7.1-preview.1"
    )
    server.says(environments, {"value": [{"id": 3, "name": "prod-x"}, {"id": 4, "name": "prod"}]})
    branch = {"type": {"name": "Task Check"}, "settings": {"definitionRef": {"name": "evaluatebranchProtection"}}}
    server.says(checks, {"value": [{"type": {"name": "ExclusiveLock"}}, branch]})
    assert azure.environment("prod") == Environment(name="prod", has_branch_policy=True, has_reviewers=False)
    server.answers[checks] = [(200, {}, {"value": [{"type": {"name": "Approval"}, "settings": None}]})]
    assert azure.environment("prod") == Environment(name="prod", has_branch_policy=False, has_reviewers=True)
    server.answers[environments] = [(200, {}, {"value": []})]
    assert azure.environment("prod") is None


def test_the_approvals_of_a_run_are_those_that_its_timeline_names(server: RestServer, azure: AzureDevOps) -> None:
    records = [{"id": "r1", "type": "Stage"}, {"id": "a1", "type": "Checkpoint.Approval"}]
    server.says("GET /acme/shop/_apis/build/builds/12/timeline?api-version=7.1", {"records": records})
    bo = {"displayName": "Bo", "uniqueName": "bo@acme.example"}
    steps = [
        {"status": "pending", "assignedApprover": {"displayName": "[shop]\\Reviewers"}},
        {"status": "approved", "actualApprover": bo, "comment": "fine"},
        {"status": "rejected", "actualApprover": {"displayName": "shop Build Service (acme)"}},
    ]
    server.says(
        "GET /acme/shop/_apis/pipelines/approvals?approvalIds=a1&%24expand=steps&api-version=7.1",
        {"value": [{"id": "a1", "steps": steps}]},
    )
    assert azure.approvals("12") == (
        Approval(user="bo@acme.example", state="approved", comment="fine"),
        Approval(user="shop Build Service (acme)", state="rejected", is_bot=True),
    )


def test_a_run_that_nobody_was_asked_about_has_no_approvals(server: RestServer, azure: AzureDevOps) -> None:
    assert azure.approvals("12") == ()
    server.says("GET /acme/shop/_apis/build/builds/12/timeline?api-version=7.1", {"records": []})
    assert azure.approvals("12") == ()


def test_the_work_item_is_found_by_its_tag_and_closed_with_a_state_of_the_process(
    server: RestServer, azure: AzureDevOps
) -> None:
    states = [("To Do", "Proposed"), ("Fertig", "Completed"), ("Cut", "Removed")]
    server.says(f"GET {STATES}", {"value": [{"name": name, "category": category} for name, category in states]})
    server.says(WIQL, {"workItems": []})
    created = f"POST /acme/shop/_apis/wit/workitems/{quote('$')}Task?api-version=7.1".replace("%24", "$")
    server.says(created, {"id": 5})
    marker = "<!-- sluice:drift:shop/prod -->"
    assert azure.upsert_issue(marker, "drift", "a < b").url.endswith("/acme/shop/_workitems/edit/5")
    assert {"op": "add", "path": "/fields/System.Tags", "value": "sluice:drift:shop/prod"} in server.asked[-1][1]
    query = next(body["query"] for asked, body in server.asked if asked == WIQL)
    assert "CONTAINS 'sluice:drift:shop/prod'" in query
    assert "NOT IN ('Fertig', 'Cut')" in query
    assert azure.close_issue(marker, "clean") is None
    server.answers[WIQL] = [(200, {}, {"workItems": [{"id": 5}]})]
    server.says("PATCH /acme/shop/_apis/wit/workitems/5?api-version=7.1", {"id": 5})
    closed = azure.close_issue(marker, "clean")
    assert closed is not None
    assert not closed.is_open
    assert {"op": "add", "path": "/fields/System.State", "value": "Fertig"} in server.asked[-1][1]


def test_a_refusal_names_the_right_and_no_token(server: RestServer, azure: AzureDevOps) -> None:
    server.says(f"GET {THREADS}?api-version=7.1", {"message": "TF401027: no permission."}, status=403)
    with pytest.raises(GitServerRefused, match="TF401027: no permission") as refusal:
        azure.upsert_comment(7, MARKER, "new")
    assert "docs/azure-devops.md" in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_a_sign_in_page_is_no_answer(server: RestServer, azure: AzureDevOps) -> None:
    server.says(f"GET {THREADS}?api-version=7.1", "<html>Sign in</html>", status=203)
    with pytest.raises(GitServerUnreachable, match="not JSON"):
        azure.upsert_comment(7, MARKER, "new")


def test_a_run_without_the_token_is_told_how_to_map_it() -> None:
    variables = {"TF_BUILD": "True", "SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/", "SYSTEM_TEAMPROJECT": "s"}
    with pytest.raises(UsageError, match=r"BUILD_REPOSITORY_NAME, SYSTEM_ACCESSTOKEN not set\. Map SYSTEM_ACCESSTOKEN"):
        git_server(variables)
    variables |= {"BUILD_REPOSITORY_NAME": "models", "SYSTEM_ACCESSTOKEN": "x"}
    assert isinstance(git_server(variables), AzureDevOps)

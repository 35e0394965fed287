"""GitHub over REST: what is asked, what of the answers counts, and which error each refusal becomes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from command_errors import UsageError
from git_server.github import GitHub
from git_server.port import Approval, Environment, GitServerRefused, GitServerUnreachable, PullRequest, Run
from tests.git_server.rest_server import RestServer, rest_server

MARKER = "<!-- sluice:preview:shop/prod -->"
COMMENTS = "/repos/acme/models/issues/7/comments"
TOKEN = "ghs_secret"


@pytest.fixture
def server() -> Iterator[RestServer]:
    with rest_server() as running:
        yield running


@pytest.fixture
def github(server: RestServer) -> GitHub:
    return GitHub("acme/models", TOKEN, api_url=server.url)


def comment(number: int, body: str) -> dict[str, object]:
    return {"id": number, "body": body, "html_url": f"https://github.com/acme/models/pull/7#c{number}"}


def test_the_comment_is_found_on_a_later_page_and_edited_in_place(server: RestServer, github: GitHub) -> None:
    more = f"{server.url}{COMMENTS}?per_page=100&page=2"
    quoted = comment(1, f"> {MARKER}\nsee above")
    server.says(f"GET {COMMENTS}?per_page=100", [quoted], Link=f'<{more}>; rel="next", <{more}>; rel="last"')
    server.says(f"GET {COMMENTS}?per_page=100&page=2", [comment(9, f"{MARKER}\nold"), comment(10, f"{MARKER}\nnewer")])
    server.says("PATCH /repos/acme/models/issues/comments/9", comment(9, "new"))
    assert github.upsert_comment(7, MARKER, "new").endswith("#c9")
    assert server.asked[-1] == ("PATCH /repos/acme/models/issues/comments/9", {"body": f"{MARKER}\nnew"})
    assert server.tokens == {f"Bearer {TOKEN}"}


def test_without_a_comment_one_is_added(server: RestServer, github: GitHub) -> None:
    server.says(f"GET {COMMENTS}?per_page=100", [comment(1, "hello"), {"id": 2, "body": None}])
    server.says(f"POST {COMMENTS}", comment(3, "new"), status=201)
    assert github.upsert_comment(7, MARKER, "new").endswith("#c3")
    assert server.asked[-1] == (f"POST {COMMENTS}", {"body": f"{MARKER}\nnew"})


def test_the_token_does_not_follow_a_link_to_another_host(server: RestServer, github: GitHub) -> None:
    server.says(f"GET {COMMENTS}?per_page=100", [], Link='<https://evil.example/next>; rel="next"')
    with pytest.raises(GitServerUnreachable, match=r"continues at https://evil\.example, not at http://127"):
        github.upsert_comment(7, MARKER, "new")


@pytest.mark.parametrize("status", [403, 404, 422])
def test_a_refusal_names_request_answer_and_fix_and_no_token(server: RestServer, github: GitHub, status: int) -> None:
    said = {"message": "No.", "errors": [{"code": "custom", "message": "Body is too long"}, "and more"]}
    server.says(f"GET {COMMENTS}?per_page=100", said, status=status)
    with pytest.raises(GitServerRefused) as caught:
        github.upsert_comment(7, MARKER, "new")
    text = str(caught.value)
    assert text.startswith(f"GitHub answered {status} to GET {COMMENTS}: No.; Body is too long; and more. ")
    assert (caught.value.status, caught.value.exit_code) == (status, 2)
    assert TOKEN not in text


def test_a_server_that_fails_is_asked_again_only_where_that_changes_nothing(server: RestServer, github: GitHub) -> None:
    server.says(f"GET {COMMENTS}?per_page=100", {"message": "later"}, status=503, **{"Retry-After": "0"})
    server.says(f"GET {COMMENTS}?per_page=100", [])
    server.says(f"POST {COMMENTS}", {"message": "Server Error"}, status=502)
    with pytest.raises(GitServerUnreachable, match=f"GitHub answered 502 to POST {COMMENTS}: Server Error") as caught:
        github.upsert_comment(7, MARKER, "new")
    assert caught.value.exit_code == 4
    assert [request.split("?")[0] for request, _ in server.asked] == [f"GET {COMMENTS}"] * 2 + [f"POST {COMMENTS}"]


def test_a_server_that_is_not_there_is_named() -> None:
    with rest_server() as gone:
        pass
    with pytest.raises(GitServerUnreachable, match=r"GitHub does not answer: POST /repos/acme/models/actions/"):
        GitHub("acme/models", TOKEN, api_url=gone.url).dispatch("deliver.yml", "main", {})


def test_an_answer_that_is_no_json_is_no_answer(server: RestServer, github: GitHub) -> None:
    server.says("GET /repos/acme/models/environments/prod", "<html>sign in</html>")
    with pytest.raises(GitServerUnreachable, match="something that is not JSON"):
        github.environment("prod")


def pull(number: int, branch: str) -> dict[str, object]:
    url = f"https://github.com/acme/models/pull/{number}"
    return {"number": number, "html_url": url, "title": "old", "head": {"ref": branch}, "base": {"ref": "main"}}


PULLS = "GET /repos/acme/models/pulls?per_page=100&state=open&head=acme%3Apromote%2Fprod"


def test_an_open_pull_request_is_updated_and_a_missing_one_opened(server: RestServer, github: GitHub) -> None:
    server.says(PULLS, [])
    server.says("POST /repos/acme/models/pulls", pull(5, "promote/prod"), status=201)
    expected = PullRequest(
        number=5, url="https://github.com/acme/models/pull/5", branch="promote/prod", base="main", title="old"
    )
    assert github.open_or_update_pull_request("promote/prod", "main", "t", "b") == expected
    assert server.asked[-1][1] == {"title": "t", "head": "promote/prod", "base": "main", "body": "b"}
    server.answers[PULLS] = [(200, {}, [pull(4, "promote/production"), pull(5, "promote/prod")])]
    server.says("PATCH /repos/acme/models/pulls/5", pull(5, "promote/prod"))
    assert github.open_or_update_pull_request("promote/prod", "main", "t", "b") == expected
    assert server.asked[-1] == ("PATCH /repos/acme/models/pulls/5", {"title": "t", "body": "b"})


def test_a_dispatch_returns_the_run(server: RestServer, github: GitHub) -> None:
    path = "POST /repos/acme/models/actions/workflows/approve.yml/dispatches"
    server.says(path, {"workflow_run_id": 77, "html_url": "https://github.com/acme/models/actions/runs/77"})
    run = github.dispatch("approve.yml", "main", {"stack": "prod"})
    assert run == Run(id="77", url="https://github.com/acme/models/actions/runs/77")
    assert server.asked[-1][1] == {"ref": "main", "inputs": {"stack": "prod"}, "return_run_details": True}


def test_a_dispatch_without_the_run_is_an_error(server: RestServer, github: GitHub) -> None:
    server.says("POST /repos/acme/models/actions/workflows/approve.yml/dispatches", status=204)
    with pytest.raises(GitServerUnreachable, match="did not name the run"):
        github.dispatch("approve.yml", "main", {})


def test_an_environment_says_how_it_is_protected(server: RestServer, github: GitHub) -> None:
    path = "GET /repos/acme/models/environments/"
    bare = {"name": "dev", "deployment_branch_policy": None, "protection_rules": []}
    server.says(f"{path}dev", bare)
    policy = {"protected_branches": False, "custom_branch_policies": True}
    rules = [{"type": "required_reviewers"}, {"type": "branch_policy"}]
    server.says(f"{path}prod-approval", {**bare, "deployment_branch_policy": policy, "protection_rules": rules})
    assert github.environment("dev") == Environment(name="dev", has_branch_policy=False, has_reviewers=False)
    approval = Environment(name="prod-approval", has_branch_policy=True, has_reviewers=True)
    assert github.environment("prod-approval") == approval
    assert github.environment("nowhere") is None


def test_the_reviews_of_a_run_say_who_and_what(server: RestServer, github: GitHub) -> None:
    reviews = [
        {"state": "approved", "comment": "", "environments": [{"name": "prod"}], "user": {"login": "b", "type": "Bot"}},
        {"state": "rejected", "comment": "too slow", "environments": [], "user": {"login": "bo", "type": "User"}},
        {"state": "pending", "user": {"login": "al"}},
    ]
    server.says("GET /repos/acme/models/actions/runs/77/approvals", reviews)
    assert github.approvals("77") == (
        Approval(user="b", state="approved", environments=("prod",), is_bot=True),
        Approval(user="bo", state="rejected", comment="too slow"),
    )


ISSUES = "GET /repos/acme/models/issues?per_page=100&state=open&sort=created&direction=asc"
DRIFT = "<!-- sluice:drift:shop/prod -->"


def test_one_issue_is_opened_updated_and_closed(server: RestServer, github: GitHub) -> None:
    issue = {"number": 3, "html_url": "https://github.com/acme/models/issues/3", "state": "open", "body": f"{DRIFT}\n"}
    server.says(ISSUES, [{**issue, "number": 2, "pull_request": {}}])
    server.says("POST /repos/acme/models/issues", issue, status=201)
    assert github.upsert_issue(DRIFT, "drift", "text").number == 3
    assert github.close_issue(DRIFT, "clean") is None
    server.answers[ISSUES] = [(200, {}, [issue])]
    server.says("PATCH /repos/acme/models/issues/3", issue)
    server.says("PATCH /repos/acme/models/issues/3", {**issue, "state": "closed"})
    server.says("POST /repos/acme/models/issues/3/comments", {}, status=201)
    assert github.upsert_issue(DRIFT, "drift", "text").is_open
    closed = github.close_issue(DRIFT, "clean")
    assert closed is not None
    assert not closed.is_open
    assert [body for request, body in server.asked if request.startswith(("POST", "PATCH"))] == [
        {"title": "drift", "body": f"{DRIFT}\ntext"},
        {"title": "drift", "body": f"{DRIFT}\ntext"},
        {"body": "clean"},
        {"state": "closed", "state_reason": "completed"},
    ]


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(UsageError, match="GITHUB_TOKEN is not set"):
        GitHub.from_variables({"GITHUB_REPOSITORY": "acme/models"})


def test_a_proxy_of_the_environment_is_used_except_for_hosts_that_it_lists(
    server: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    bare = {"name": "dev", "deployment_branch_policy": None, "protection_rules": []}
    server.says("GET http://git.example/repos/acme/models/environments/dev", bare)
    assert GitHub("acme/models", TOKEN, api_url="http://git.example").environment("dev") is not None
    server.says("GET /repos/acme/models/environments/dev", bare)
    assert GitHub("acme/models", TOKEN, api_url=server.url).environment("dev") is not None

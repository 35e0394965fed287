"""The part of GitHub's REST API that pipelines ask, with the permission of each request (docs.github.com/rest)."""

from __future__ import annotations

import re
from typing import Any

from tests.pipelines.server import Server, Token

Answer = tuple[int, Any, dict[str, str]]
BASE = "/api/v3/repos/acme/models"
PAGE = 2
"""The stand-in's largest page, so that a list soon has several."""


def answer(server: Server, method: str, path: str, query: dict[str, str], body: Any, token: Token) -> Answer:
    """Answer one request."""
    for verb, pattern, permission, function in ROUTES:
        found = re.fullmatch(BASE + pattern, path)
        if found and verb == method:
            name, _, level = permission.partition(":")
            if not token.may(name, level):
                return 403, {"message": "Resource not accessible by integration"}, {}
            value: Answer = function(server, query, body, token, *found.groups())
            return value
    return 404, {"message": f"Not Found: {method} {path}"}, {}


def _page(server: Server, path: str, entries: list[Any], query: dict[str, str]) -> Answer:
    number = int(query.get("page", "1"))
    shown = entries[(number - 1) * PAGE : number * PAGE]
    more = number * PAGE < len(entries)
    rest = "&".join(f"{name}={value}" for name, value in query.items() if name != "page")
    return 200, shown, {"Link": f'<{server.url}{path}?{rest}&page={number + 1}>; rel="next"'} if more else {}


def _comments(server: Server, query: dict[str, str], _: Any, __: Token, number: str) -> Answer:
    return _page(server, f"{BASE}/issues/{number}/comments", _request(server, number).comments, query)


def _comment(server: Server, _: Any, body: Any, token: Token, number: str) -> Answer:
    request = _request(server, number) if _is_request(server, number) else None
    if len(body["body"]) > 65_536:
        return 422, {"message": "Validation Failed", "errors": [{"message": "body is too long"}]}, {}
    made = {"id": 1000 * int(number) + len(request.comments if request else ()), "user": {"login": token.account}}
    made |= {"body": body["body"], "html_url": f"{server.remote}/issues/{number}#c{made['id']}"}
    if request:
        request.comments.append(made)
    return 201, made, {}


def _edit_comment(server: Server, _: Any, body: Any, __: Token, identity: str) -> Answer:
    for request in server.pull_requests:
        for comment in request.comments:
            if comment["id"] == int(identity):
                comment["body"] = body["body"]
                return 200, comment, {}
    return 404, {"message": "Not Found"}, {}


def _pulls(server: Server, query: dict[str, str], _: Any, __: Token) -> Answer:
    wanted = query.get("head", "").partition(":")[2]
    shown = [each for each in server.pull_requests if each.state == "open" and wanted in ("", each.branch)]
    return 200, [server.pull_request_value(each) for each in shown], {}


def _open(server: Server, _: Any, body: Any, token: Token) -> Answer:
    if any(each.state == "open" and each.branch == body["head"] for each in server.pull_requests):
        return 422, {"message": "Validation Failed", "errors": [{"message": "A pull request already exists"}]}, {}
    request = server.open(body["head"], body["title"], author=token.account, body=body["body"])
    return 201, server.pull_request_value(request), {}


def _edit(server: Server, _: Any, body: Any, __: Token, number: str) -> Answer:
    request = _request(server, number)
    request.title, request.body = body.get("title", request.title), body.get("body", request.body)
    return 200, server.pull_request_value(request), {}


def _dispatch(server: Server, _: Any, body: Any, token: Token, workflow: str) -> Answer:
    known = {path.rpartition("/")[2] for path, _ in server.pipelines_at(server.tip(body["ref"]))}
    if workflow not in known:
        return 404, {"message": "Not Found"}, {}
    name = workflow.removesuffix(".yml")
    run = server.dispatch(name, by=token.account, branch=body["ref"], **body.get("inputs", {}))
    address = f"{server.remote}/actions/runs/{run.id}"
    return (
        (200, {"workflow_run_id": int(run.id), "html_url": address}, {})
        if body.get("return_run_details")
        else (204, None, {})
    )


def _environment(server: Server, _: Any, __: Any, ___: Token, name: str) -> Answer:
    found = server.environments.get(name)
    if found is None:
        return 404, {"message": "Not Found"}, {}
    policy = {"protected_branches": False, "custom_branch_policies": True} if found.branch_policy else None
    rules = [{"type": "required_reviewers"}] if found.reviewers else []
    return 200, {"name": name, "deployment_branch_policy": policy, "protection_rules": rules}, {}


def _approvals(server: Server, _: Any, __: Any, ___: Token, run: str) -> Answer:
    shown = [
        {"state": state, "comment": "", "environments": [{"name": name}], "user": {"login": who, "type": "User"}}
        for name, state, who in server.runs[run].reviews
    ]
    return 200, shown, {}


def _issues(server: Server, query: dict[str, str], _: Any, __: Token) -> Answer:
    shown = [issue for issue in server.issues if issue["state"] == query.get("state", "open")]
    return _page(server, f"{BASE}/issues", shown, query)


def _open_issue(server: Server, _: Any, body: Any, __: Token) -> Answer:
    number = len(server.pull_requests) + len(server.issues) + 1
    made = {"number": number, "state": "open", "html_url": f"{server.remote}/issues/{number}", **body}
    server.issues.append(made)
    return 201, made, {}


def _edit_issue(server: Server, _: Any, body: Any, __: Token, number: str) -> Answer:
    issue = next(each for each in server.issues if each["number"] == int(number))
    issue.update(body)
    return 200, issue, {}


def _request(server: Server, number: str) -> Any:
    return next(each for each in server.pull_requests if each.number == int(number))


def _is_request(server: Server, number: str) -> bool:
    return any(each.number == int(number) for each in server.pull_requests)


ROUTES = (
    ("GET", r"/issues/(\d+)/comments", "pull-requests:read", _comments),
    ("POST", r"/issues/(\d+)/comments", "pull-requests:write", _comment),
    ("PATCH", r"/issues/comments/(\d+)", "pull-requests:write", _edit_comment),
    ("GET", r"/pulls", "pull-requests:read", _pulls),
    ("POST", r"/pulls", "pull-requests:write", _open),
    ("PATCH", r"/pulls/(\d+)", "pull-requests:write", _edit),
    ("POST", r"/actions/workflows/([^/]+)/dispatches", "actions:write", _dispatch),
    ("GET", r"/environments/([^/]+)", "actions:read", _environment),
    ("GET", r"/actions/runs/(\d+)/approvals", "actions:read", _approvals),
    ("GET", r"/issues", "issues:read", _issues),
    ("POST", r"/issues", "issues:write", _open_issue),
    ("PATCH", r"/issues/(\d+)", "issues:write", _edit_issue),
)

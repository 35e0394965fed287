"""The part of the REST API of Azure DevOps that pipelines ask (learn.microsoft.com/rest/api/azure/devops)."""

from __future__ import annotations

import re
from typing import Any

from tests.pipelines.server import PullRequest, Server, Token

Answer = tuple[int, Any, dict[str, str]]
BASE = "/acme/shop/_apis"
GIT = "/git/repositories/models"
BRANCH_CONTROL = {"type": {"name": "Task Check"}, "settings": {"definitionRef": {"name": "evaluatebranchProtection"}}}
STATES = [{"name": "To Do", "category": "Proposed"}, {"name": "Done", "category": "Completed"}]


def answer(server: Server, method: str, path: str, query: dict[str, str], body: Any, token: Token) -> Answer:
    """Answer one request; every request must name its version."""
    if not query.get("api-version", "").startswith("7.1"):
        return 400, {"message": "No api-version was supplied"}, {}
    for verb, pattern, function in ROUTES:
        found = re.fullmatch(BASE + pattern, path)
        if found and verb == method:
            value: Answer = function(server, query, body, token, *found.groups())
            return value
    return 404, {"message": f"VS800075: not found: {method} {path}"}, {}


def _listed(entries: list[Any]) -> Answer:
    return 200, {"count": len(entries), "value": entries}, {}


def _threads(server: Server, _: Any, __: Any, ___: Token, number: str) -> Answer:
    return _listed(_request(server, number).comments)


def _open_thread(server: Server, _: Any, body: Any, __: Token, number: str) -> Answer:
    threads = _request(server, number).comments
    thread = {"id": len(threads) + 1, **body}
    thread["comments"] = [{"id": place, **comment} for place, comment in enumerate(body["comments"], 1)]
    threads.append(thread)
    return 200, thread, {}


def _edit_comment(server: Server, _: Any, body: Any, __: Token, number: str, thread: str, comment: str) -> Answer:
    found = _request(server, number).comments[int(thread) - 1]["comments"][int(comment) - 1]
    found.update(body)
    return 200, found, {}


def _pulls(server: Server, query: dict[str, str], _: Any, __: Token) -> Answer:
    wanted = query["searchCriteria.sourceRefName"].removeprefix("refs/heads/")
    return _listed([_value(each) for each in server.pull_requests if each.state == "open" and each.branch == wanted])


def _open(server: Server, _: Any, body: Any, token: Token) -> Answer:
    branch = body["sourceRefName"].removeprefix("refs/heads/")
    if len(body["description"]) > 4000:
        return 400, {"message": "The description is too long"}, {}
    if any(each.state == "open" and each.branch == branch for each in server.pull_requests):
        return 409, {"message": "TF401179: An active pull request for the source and target branch already exists."}, {}
    return 201, _value(server.open(branch, body["title"], author=token.account, body=body["description"])), {}


def _edit(server: Server, _: Any, body: Any, __: Token, number: str) -> Answer:
    request = _request(server, number)
    request.title, request.body = body.get("title", request.title), body.get("description", request.body)
    return 200, _value(request), {}


def _definitions(server: Server, query: dict[str, str], _: Any, __: Token) -> Answer:
    names = [path.rpartition("/")[2].removesuffix(".yml") for path, _ in server.pipelines_at(server.tip("main"))]
    return _listed([{"id": number, "name": name} for number, name in enumerate(names, 1) if name == query["name"]])


def _run(server: Server, _: Any, body: Any, token: Token, number: str) -> Answer:
    path = server.pipelines_at(server.tip("main"))[int(number) - 1][0]
    branch = body["resources"]["repositories"]["self"]["refName"].removeprefix("refs/heads/")
    name = path.rpartition("/")[2].removesuffix(".yml")
    run = server.dispatch(name, by=token.account, branch=branch, **body.get("templateParameters", {}))
    address = f"{server.url}/acme/shop/_build/results?buildId={run.id}"
    return 200, {"id": int(run.id), "_links": {"web": {"href": address}}}, {}


def _environments(server: Server, query: dict[str, str], _: Any, __: Token) -> Answer:
    names = list(server.environments)
    return _listed([{"id": place, "name": name} for place, name in enumerate(names) if name == query["name"]])


def _checks(server: Server, query: dict[str, str], _: Any, __: Token) -> Answer:
    found = list(server.environments.values())[int(query["resourceId"])]
    approval = [{"type": {"name": "Approval"}, "settings": None}] if found.reviewers else []
    return _listed([*approval, *([BRANCH_CONTROL] if found.branch_policy else [])])


def _timeline(server: Server, _: Any, __: Any, ___: Token, run: str) -> Answer:
    asked = server.runs[run].waiting or server.runs[run].reviews
    return 200, {"records": [{"id": run, "type": "Checkpoint.Approval"}] if asked else []}, {}


def _approvals(server: Server, query: dict[str, str], _: Any, __: Token) -> Answer:
    steps = [
        {"status": state, "actualApprover": {"displayName": who, "uniqueName": who}}
        for _, state, who in server.runs[query["approvalIds"]].reviews
    ]
    return _listed([{"id": query["approvalIds"], "steps": steps}])


def _states(_: Server, __: Any, ___: Any, ____: Token) -> Answer:
    return _listed(STATES)


def _query(server: Server, _: Any, body: Any, __: Token) -> Answer:
    (tag,) = re.findall(r"CONTAINS '([^']+)'", body["query"])
    found = [each for each in server.issues if each["System.Tags"] == tag and each["System.State"] != "Done"]
    return 200, {"workItems": [{"id": each["number"]} for each in found]}, {}


def _add_item(server: Server, _: Any, body: Any, __: Token) -> Answer:
    item = {"number": len(server.issues) + 1, "System.State": "To Do", **_fields(body)}
    server.issues.append(item)
    return 200, {"id": item["number"]}, {}


def _edit_item(server: Server, _: Any, body: Any, __: Token, number: str) -> Answer:
    server.issues[int(number) - 1].update(_fields(body))
    return 200, {"id": int(number)}, {}


def _fields(operations: list[dict[str, str]]) -> dict[str, str]:
    return {each["path"].removeprefix("/fields/"): each["value"] for each in operations}


def _request(server: Server, number: str) -> PullRequest:
    return next(each for each in server.pull_requests if each.number == int(number))


def _value(request: PullRequest) -> dict[str, Any]:
    return {
        "pullRequestId": request.number,
        "title": request.title,
        "sourceRefName": f"refs/heads/{request.branch}",
        "targetRefName": "refs/heads/main",
        **({"forkSource": {"name": "somebody"}} if request.fork else {}),
    }


ROUTES = (
    ("GET", rf"{GIT}/pullRequests/(\d+)/threads", _threads),
    ("POST", rf"{GIT}/pullRequests/(\d+)/threads", _open_thread),
    ("PATCH", rf"{GIT}/pullRequests/(\d+)/threads/(\d+)/comments/(\d+)", _edit_comment),
    ("GET", rf"{GIT}/pullrequests", _pulls),
    ("POST", rf"{GIT}/pullrequests", _open),
    ("PATCH", rf"{GIT}/pullrequests/(\d+)", _edit),
    ("GET", r"/build/definitions", _definitions),
    ("POST", r"/pipelines/(\d+)/runs", _run),
    ("GET", r"/distributedtask/environments", _environments),
    ("GET", r"/pipelines/checks/configurations", _checks),
    ("GET", r"/build/builds/(\d+)/timeline", _timeline),
    ("GET", r"/pipelines/approvals", _approvals),
    ("GET", r"/wit/workitemtypes/Task/states", _states),
    ("POST", r"/wit/wiql", _query),
    ("POST", r"/wit/workitems/\$Task", _add_item),
    ("PATCH", r"/wit/workitems/(\d+)", _edit_item),
)

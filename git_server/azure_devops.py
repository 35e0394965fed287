"""Azure DevOps over its REST API 7.1 (learn.microsoft.com/rest/api/azure/devops, documented), at SYSTEM_COLLECTIONURI.

The build service needs, by method: Contribute to pull requests (threads, pull requests), Queue builds (dispatch),
reader of environments (their checks), Edit work items (the work item about drift). Lists here fit into one answer:
threads have no pages, and the others are asked for by name. Not run against the real service.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from command_errors import UsageError
from git_server.port import Approval, Environment, GitServerRefused, GitServerUnreachable, Issue, PullRequest, Run
from git_server.rest import Rest

VERSION = {"api-version": "7.1"}
PREVIEW_VERSION = {"api-version": "7.1-preview.1"}
HINTS = {
    401: "Map SYSTEM_ACCESSTOKEN into this step: `env: {SYSTEM_ACCESSTOKEN: $(System.AccessToken)}`.",
    403: "Give the build service the right that this needs (docs/azure-devops.md lists them).",
    404: "Check SYSTEM_TEAMPROJECT and the names in the path; Azure DevOps also says 404 where a token may not look.",
}
VARIABLES = ("SYSTEM_COLLECTIONURI", "SYSTEM_TEAMPROJECT", "BUILD_REPOSITORY_NAME", "SYSTEM_ACCESSTOKEN")
DESCRIPTION_LIMIT = 4000
"""Characters of a pull request's description."""
CUT = "\n\n(cut; the summary of the run has the rest)"
HEADS = "refs/heads/"
BUILD_SERVICE = "Build Service ("
APPROVAL_RECORD = "Checkpoint.Approval"
APPROVAL_CHECK = "Approval"
BRANCH_CONTROL = "evaluatebranchProtection"
"""The name of the task behind a check of kind "branch control"."""
WORK_ITEM_TYPE = "Task"
"""A type that all four processes have (Basic, Agile, Scrum, CMMI)."""
ENDED_STATES = ("Completed", "Removed")


class AzureDevOps:
    """One repository of Azure Repos, and the pipelines and boards of its project."""

    def __init__(self, collection: str, project: str, repository: str, token: str) -> None:
        """`collection` is the address of the organization, such as https://dev.azure.com/acme/."""
        self._web = f"{collection.rstrip('/')}/{quote(project)}/_git/{quote(repository)}"
        self._repository = f"/_apis/git/repositories/{quote(repository)}"
        base_url = f"{collection.rstrip('/')}/{quote(project)}"
        self._rest = Rest(base_url, {"Authorization": f"Bearer {token}"}, HINTS, server="Azure DevOps")

    @classmethod
    def from_variables(cls, variables: Mapping[str, str]) -> AzureDevOps:
        """The repository that the variables of a run name. Raises UsageError."""
        missing = [name for name in VARIABLES if not variables.get(name)]
        if missing:
            raise UsageError(
                f"Azure DevOps cannot be asked: {', '.join(missing)} not set. {HINTS[401]} On a laptop set all of "
                f"{', '.join(VARIABLES)}."
            )
        return cls(*(variables[name] for name in VARIABLES))

    def upsert_comment(self, pull_request: int, marker: str, text: str) -> str:
        """Edit the comment that has the marker, else open a thread; return its address.

        The thread is closed at once, so that a policy "all comments must be resolved" does not wait for it.
        """
        threads = f"{self._repository}/pullRequests/{pull_request}/threads"
        content = f"{marker}\n{text}"
        for thread in _entries(self._rest.get(threads, VERSION)):
            first: Mapping[str, Any] = next(iter(thread.get("comments") or ()), {})
            if not thread.get("isDeleted") and str(first.get("content") or "").lstrip().startswith(marker):
                path = f"{threads}/{thread['id']}/comments/{first['id']}"
                self._rest.ask("PATCH", path, {"content": content}, query=VERSION)
                return self._thread_url(pull_request, thread["id"])
        comment = {"parentCommentId": 0, "content": content, "commentType": "text"}
        thread = self._rest.ask("POST", threads, {"comments": [comment], "status": "closed"}, query=VERSION).value
        return self._thread_url(pull_request, thread["id"])

    def pull_request(self, branch: str) -> PullRequest | None:
        """The active pull request from a branch of this repository, None if there is none."""
        query = {"searchCriteria.sourceRefName": f"{HEADS}{branch}", "searchCriteria.status": "active", **VERSION}
        found = _entries(self._rest.get(f"{self._repository}/pullrequests", query))
        return next((self._pull_request(entry) for entry in found if not entry.get("forkSource")), None)

    def open_or_update_pull_request(self, branch: str, base: str, title: str, body: str) -> PullRequest:
        """Open a pull request from `branch` into `base`, or give the active one this title and body."""
        path = f"{self._repository}/pullrequests"
        text = {"title": title, "description": _cut(body)}
        known = self.pull_request(branch)
        if known is not None:
            return self._pull_request(self._rest.ask("PATCH", f"{path}/{known.number}", text, query=VERSION).value)
        names = {"sourceRefName": f"{HEADS}{branch}", "targetRefName": f"{HEADS}{base}"}
        return self._pull_request(self._rest.ask("POST", path, {**names, **text}, query=VERSION).value)

    def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str]) -> Run:
        """Start the pipeline of this name on a branch; `inputs` are its template parameters."""
        found = _entries(self._rest.get("/_apis/build/definitions", {"name": workflow, **VERSION}))
        if not found:
            raise GitServerRefused(
                f"there is no pipeline named {workflow!r} in this project. Create it: `sluice ci init azure-devops` "
                "prints the command.",
                status=404,
            )
        body = {
            "resources": {"repositories": {"self": {"refName": f"{HEADS}{ref}"}}},
            "templateParameters": dict(inputs),
        }
        run = self._rest.ask("POST", f"/_apis/pipelines/{found[0]['id']}/runs", body, query=VERSION).value
        return Run(id=str(run["id"]), url=str(((run.get("_links") or {}).get("web") or {}).get("href") or ""))

    def environment(self, name: str) -> Environment | None:
        """An environment and its checks."""
        listed = _entries(self._rest.get("/_apis/distributedtask/environments", {"name": name, **VERSION}))
        found = next((entry for entry in listed if entry.get("name") == name), None)
        if found is None:
            return None
        query = {"resourceType": "environment", "resourceId": str(found["id"]), "$expand": "settings"}
        checks = _entries(self._rest.get("/_apis/pipelines/checks/configurations", {**query, **PREVIEW_VERSION}))
        tasks = [((check.get("settings") or {}).get("definitionRef") or {}).get("name") for check in checks]
        return Environment(
            name=name,
            has_branch_policy=BRANCH_CONTROL in tasks,
            has_reviewers=any((check.get("type") or {}).get("name") == APPROVAL_CHECK for check in checks),
        )

    def approvals(self, run: str) -> tuple[Approval, ...]:
        """What approvers said to a run, in the order in which they were asked.

        The timeline of a run names its approvals. Azure does not say there for which environment each of them was.
        """
        timeline = self._rest.find(f"/_apis/build/builds/{quote(run, safe='')}/timeline", VERSION)
        records = (timeline or {}).get("records") or ()
        ids = [str(record["id"]) for record in records if record.get("type") == APPROVAL_RECORD]
        if not ids:
            return ()
        query = {"approvalIds": ",".join(ids), "$expand": "steps", **VERSION}
        asked = _entries(self._rest.get("/_apis/pipelines/approvals", query))
        steps = [step for approval in asked for step in approval.get("steps") or ()]
        return tuple(_approval(step) for step in steps if step.get("status") in ("approved", "rejected"))

    def upsert_issue(self, marker: str, title: str, text: str) -> Issue:
        """Give the open work item that has the marker this title and text, else create one."""
        known = self._open_item(marker)
        fields = {"System.Title": title, "System.Description": f"<pre>{html.escape(text)}</pre>"}
        if known is not None:
            return self._change(known, fields)
        return self._change(None, {**fields, "System.Tags": _tag(marker)})

    def close_issue(self, marker: str, text: str) -> Issue | None:
        """Say `text` in the open work item that has the marker, and close it."""
        known = self._open_item(marker)
        if known is None:
            return None
        ended = self._states()["Completed"][0]
        said = html.escape(text).replace("\n", "<br>")
        return self._change(known, {"System.History": said, "System.State": ended}, is_open=False)

    def _thread_url(self, pull_request: int, thread: int) -> str:
        return f"{self._web}/pullrequest/{pull_request}?discussionId={thread}"

    def _pull_request(self, value: Mapping[str, Any]) -> PullRequest:
        number = int(value["pullRequestId"])
        return PullRequest(
            number=number,
            url=f"{self._web}/pullrequest/{number}",
            branch=str(value["sourceRefName"]).removeprefix(HEADS),
            base=str(value["targetRefName"]).removeprefix(HEADS),
            title=str(value["title"]),
        )

    def _change(self, item: int | None, fields: Mapping[str, str], *, is_open: bool = True) -> Issue:
        operations = [{"op": "add", "path": f"/fields/{name}", "value": value} for name, value in fields.items()]
        method, path = ("POST", f"/_apis/wit/workitems/${WORK_ITEM_TYPE}")
        if item is not None:
            method, path = "PATCH", f"/_apis/wit/workitems/{item}"
        headers = {"Content-Type": "application/json-patch+json"}
        number = int(self._rest.ask(method, path, operations, query=VERSION, headers=headers).value["id"])
        return Issue(number=number, url=f"{self._web.partition('/_git/')[0]}/_workitems/edit/{number}", is_open=is_open)

    def _open_item(self, marker: str) -> int | None:
        """The oldest work item that has the marker as its tag and has not ended."""
        ended = [name for category in ENDED_STATES for name in self._states().get(category, ())]
        query = (
            "SELECT [System.Id] FROM WorkItems WHERE [System.TeamProject] = @project "
            f"AND [System.Tags] CONTAINS {_quoted(_tag(marker))} "
            f"AND [System.State] NOT IN ({', '.join(map(_quoted, ended))}) ORDER BY [System.Id]"
        )
        found = self._rest.ask("POST", "/_apis/wit/wiql", {"query": query}, query=VERSION).value["workItems"]
        return int(found[0]["id"]) if found else None

    def _states(self) -> dict[str, list[str]]:
        """The states of the work item type by category; their names depend on the project's process."""
        found: dict[str, list[str]] = {}
        for state in _entries(self._rest.get(f"/_apis/wit/workitemtypes/{WORK_ITEM_TYPE}/states", VERSION)):
            found.setdefault(str(state["category"]), []).append(str(state["name"]))
        if "Completed" not in found:
            raise GitServerUnreachable(
                f"the work item type {WORK_ITEM_TYPE} of this project has no state of category Completed. Check the "
                "project's process."
            )
        return found


def _entries(value: Any) -> list[Any]:
    """The entries of a list, which Azure DevOps wraps into an object."""
    found = value.get("value") if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise GitServerUnreachable("Azure DevOps answered without a list. Try again.")
    return found


def _approval(step: Mapping[str, Any]) -> Approval:
    person = step.get("actualApprover") or step.get("assignedApprover") or {}
    shown = str(person.get("displayName") or "")
    return Approval(
        user=str(person.get("uniqueName") or shown),
        state="approved" if step["status"] == "approved" else "rejected",
        is_bot=BUILD_SERVICE in shown,
        comment=str(step.get("comment") or ""),
    )


def _cut(text: str) -> str:
    return text if len(text) <= DESCRIPTION_LIMIT else text[: DESCRIPTION_LIMIT - len(CUT)] + CUT


def _tag(marker: str) -> str:
    """The text inside a marker: work items keep no HTML comments, and tags have no comma and no semicolon."""
    return marker.removeprefix("<!--").removesuffix("-->").strip().replace(",", "-").replace(";", "-")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

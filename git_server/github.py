"""GitHub over its REST API, version 2022-11-28 (docs.github.com/rest, documented), at GITHUB_API_URL.

The job's token needs, by method: `pull-requests: write` (comments, pull requests), `actions: write` (dispatch),
`actions: read` (reviews, environments), `issues: write` (the issue about drift).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from command_errors import UsageError
from git_server.port import Approval, Environment, GitServerUnreachable, Issue, PullRequest, Run
from git_server.rest import Rest

API_VERSION = "2022-11-28"
PUBLIC_API = "https://api.github.com"
PAGE = {"per_page": "100"}
HINTS = {
    401: "Pass GITHUB_TOKEN to this step; the token of a job ends with the job.",
    403: "Give the job the permission that this needs (docs/github.md lists them), or wait if the limit is used up.",
    404: "Check GITHUB_REPOSITORY, the name in the path, and the permissions of the token: GitHub also answers 404 "
    "where a token may not look.",
    422: "GitHub does not take these values. For a pull request, allow GitHub Actions to create pull requests in the "
    "settings of the repository.",
}
BOT = "Bot"


class GitHub:
    """One repository on GitHub or GitHub Enterprise."""

    def __init__(self, repository: str, token: str, *, api_url: str = PUBLIC_API) -> None:
        """`repository` is owner/name."""
        self._repository = repository
        self._owner = repository.partition("/")[0]
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "X-GitHub-Api-Version": API_VERSION,
        }
        self._rest = Rest(api_url, headers, HINTS, server="GitHub")

    @classmethod
    def from_variables(cls, variables: Mapping[str, str]) -> GitHub:
        """The repository that GITHUB_REPOSITORY, GITHUB_TOKEN and GITHUB_API_URL name. Raises UsageError."""
        missing = [name for name in ("GITHUB_REPOSITORY", "GITHUB_TOKEN") if not variables.get(name)]
        if missing:
            raise UsageError(
                f"GitHub cannot be asked: {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set. Pass "
                "GITHUB_TOKEN to this step (`env: {GITHUB_TOKEN: ...}`); on a laptop set both."
            )
        url = variables.get("GITHUB_API_URL") or PUBLIC_API
        return cls(variables["GITHUB_REPOSITORY"], variables["GITHUB_TOKEN"], api_url=url)

    def upsert_comment(self, pull_request: int, marker: str, text: str) -> str:
        """Edit the comment that has the marker, else add one; return its address."""
        comments = f"{self._path}/issues/{pull_request}/comments"
        body = {"body": f"{marker}\n{text}"}
        for comment in self._rest.pages(comments, PAGE):
            if _begins_with(comment, marker):
                path = f"{self._path}/issues/comments/{comment['id']}"
                return str(self._rest.ask("PATCH", path, body).value["html_url"])
        return str(self._rest.ask("POST", comments, body).value["html_url"])

    def pull_request(self, branch: str) -> PullRequest | None:
        """The open pull request from a branch of this repository, None if there is none."""
        query = {**PAGE, "state": "open", "head": f"{self._owner}:{branch}"}
        found = self._rest.get(f"{self._path}/pulls", query)
        return next((_pull_request(entry) for entry in found if entry["head"]["ref"] == branch), None)

    def open_or_update_pull_request(self, branch: str, base: str, title: str, body: str) -> PullRequest:
        """Open a pull request from `branch` into `base`, or give the open one this title and body."""
        known = self.pull_request(branch)
        if known is not None:
            path = f"{self._path}/pulls/{known.number}"
            return _pull_request(self._rest.ask("PATCH", path, {"title": title, "body": body}).value)
        values = {"title": title, "head": branch, "base": base, "body": body}
        return _pull_request(self._rest.ask("POST", f"{self._path}/pulls", values).value)

    def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str]) -> Run:
        """Start a workflow file on a branch. `return_run_details` makes GitHub name the run (changelog 2026-02-19)."""
        path = f"{self._path}/actions/workflows/{quote(workflow, safe='')}/dispatches"
        body = {"ref": ref, "inputs": dict(inputs), "return_run_details": True}
        value = self._rest.ask("POST", path, body).value
        run = value.get("workflow_run_id") if isinstance(value, dict) else None
        if run is None:
            raise GitServerUnreachable(
                f"GitHub started {workflow} and did not name the run, which `return_run_details` asks for: its API is "
                "older than 2026-02-19. Look at the runs of the repository."
            )
        return Run(id=str(run), url=str(value.get("html_url") or value.get("run_url") or ""))

    def environment(self, name: str) -> Environment | None:
        """An environment and its protection rules."""
        value = self._rest.find(f"{self._path}/environments/{quote(name, safe='')}")
        if value is None:
            return None
        kinds = {rule.get("type") for rule in value.get("protection_rules") or () if isinstance(rule, dict)}
        return Environment(
            name=name,
            has_branch_policy=value.get("deployment_branch_policy") is not None,
            has_reviewers="required_reviewers" in kinds,
        )

    def approvals(self, run: str) -> tuple[Approval, ...]:
        """What reviewers said to a run, oldest first."""
        reviews = self._rest.get(f"{self._path}/actions/runs/{quote(run, safe='')}/approvals")
        return tuple(_approval(entry) for entry in reviews if entry.get("state") in ("approved", "rejected"))

    def upsert_issue(self, marker: str, title: str, text: str) -> Issue:
        """Give the open issue that has the marker this title and text, else open one."""
        known = self._open_issue(marker)
        body = {"title": title, "body": f"{marker}\n{text}"}
        if known is not None:
            return _issue(self._rest.ask("PATCH", f"{self._path}/issues/{known['number']}", body).value)
        return _issue(self._rest.ask("POST", f"{self._path}/issues", body).value)

    def close_issue(self, marker: str, text: str) -> Issue | None:
        """Say `text` in the open issue that has the marker, and close it."""
        known = self._open_issue(marker)
        if known is None:
            return None
        path = f"{self._path}/issues/{known['number']}"
        self._rest.ask("POST", f"{path}/comments", {"body": text})
        return _issue(self._rest.ask("PATCH", path, {"state": "closed", "state_reason": "completed"}).value)

    @property
    def _path(self) -> str:
        return f"/repos/{quote(self._repository)}"

    def _open_issue(self, marker: str) -> dict[str, Any] | None:
        """The oldest open issue with the marker; pull requests are in GitHub's list of issues, too."""
        query = {**PAGE, "state": "open", "sort": "created", "direction": "asc"}
        issues = self._rest.pages(f"{self._path}/issues", query)
        return next((entry for entry in issues if "pull_request" not in entry and _begins_with(entry, marker)), None)


def _begins_with(entry: Mapping[str, Any], marker: str) -> bool:
    """Whether the body begins with the marker; a quotation of it further down does not count."""
    return str(entry.get("body") or "").lstrip().startswith(marker)


def _pull_request(value: Mapping[str, Any]) -> PullRequest:
    return PullRequest(
        number=int(value["number"]),
        url=str(value["html_url"]),
        branch=str(value["head"]["ref"]),
        base=str(value["base"]["ref"]),
        title=str(value["title"]),
    )


def _issue(value: Mapping[str, Any]) -> Issue:
    return Issue(number=int(value["number"]), url=str(value["html_url"]), is_open=value.get("state") == "open")


def _approval(value: Mapping[str, Any]) -> Approval:
    user = value.get("user") or {}
    return Approval(
        user=str(user.get("login") or ""),
        state="approved" if value["state"] == "approved" else "rejected",
        environments=tuple(str(entry.get("name")) for entry in value.get("environments") or ()),
        is_bot=user.get("type") == BOT,
        comment=str(value.get("comment") or ""),
    )

"""A git server on loopback, as pipelines of GitHub and of Azure DevOps see it: a repository and what is around it.

It keeps pull requests, comments, issues, runs, environments and reviews; `wire.py` answers HTTP, `github_rest.py` and
`azure_rest.py` speak the two REST APIs, and `repository.py` has the hook that protects `main`. What people do (open,
merge, review) are methods here.
"""

from __future__ import annotations

import base64
import json
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.pipelines.repository import git, prepare

Kind = Literal["pull_request", "push", "workflow_dispatch", "schedule"]
System = Literal["github", "azure-devops"]
FOLDERS = {"github": ".github/workflows", "azure-devops": ".azuredevops"}
ORGANIZATION, PROJECT, REPOSITORY = "acme", "shop", "models"
BOTS = {"github": "github-actions[bot]", "azure-devops": f"{PROJECT} Build Service ({ORGANIZATION})"}
REASONS = {"pull_request": "PullRequest", "push": "IndividualCI", "workflow_dispatch": "Manual", "schedule": "Schedule"}


@dataclass(kw_only=True)
class PullRequest:
    """A pull request; `fork` if its branch is in another repository."""

    number: int
    branch: str
    title: str
    body: str = ""
    author: str
    fork: bool = False
    state: str = "open"
    comments: list[dict[str, Any]] = field(default_factory=list)


@dataclass(kw_only=True)
class Event:
    """What starts pipelines. `pipeline` names the only one that it starts; `run` is the run that goes on."""

    kind: Kind
    commit: str
    actor: str
    branch: str | None = None
    pipeline: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    pull_request: PullRequest | None = None
    run: Run | None = None


@dataclass
class Run:
    """One run. `reviews` are (environment, state, person)."""

    id: str
    event: Event
    reviews: list[tuple[str, str, str]] = field(default_factory=list)
    waiting: str | None = None


@dataclass
class Environment:
    """An environment (GitHub), or an environment and a variable group (Azure DevOps)."""

    branch_policy: bool = False
    reviewers: bool = False
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Token:
    """What a job may do: permissions as in GitHub's YAML. The build service of Azure DevOps has every right."""

    account: str
    run: Run
    permissions: Mapping[str, str]

    def may(self, permission: str, level: str = "write") -> bool:
        given = self.permissions.get(permission, "write" if self.account == BOTS["azure-devops"] else "none")
        return given == "write" or given == level


class Server:
    """One repository on one of the two git servers."""

    def __init__(self, system: System, origin: Path) -> None:
        self.system: System = system
        self.origin = origin
        self.url = ""  # set by wire.serve
        self.environments: dict[str, Environment] = {}
        self.pull_requests: list[PullRequest] = []
        self.issues: list[dict[str, Any]] = []
        self.tokens: dict[str, Token] = {}
        self.runs: dict[str, Run] = {}
        self.requests: list[str] = []
        self.id_token: Callable[[str, str], str] | None = None
        """Makes an ID token of a subject and an audience."""
        self.hold: Callable[[str, str], bool] = lambda method, path: False
        """Keeps a request waiting; whether it is dropped then (`held_request.py`)."""
        self.build_validation = ("sluice-check", "sluice-preview", "sluice-preview-fork")
        self._events: list[Event] = []
        self._lock = threading.RLock()
        prepare(origin)

    # What people do

    def protect_main(self) -> None:
        """Only merges of pull requests change main."""
        (self.origin / "protected").touch()

    def open(self, branch: str, title: str, *, author: str, body: str = "", fork: bool = False) -> PullRequest:
        """Open a pull request into main."""
        with self._lock:
            request = PullRequest(
                number=len(self.pull_requests) + len(self.issues) + 1,
                branch=branch,
                title=title,
                body=body,
                author=author,
                fork=fork,
            )
            self.pull_requests.append(request)
            return request

    def merge(self, request: PullRequest, *, by: str) -> Event:
        """Squash a pull request into main; the event is the push. A push that comes between stays in main."""
        while True:
            base = self.tip("main")
            commit = self.merged(request, base)
            moved = ["git", "-C", str(self.origin), "update-ref", "refs/heads/main", commit, base]
            if subprocess.run(moved, capture_output=True).returncode == 0:
                break
        request.state = "merged"
        return self.push_of("main", by=by)

    def merged(self, request: PullRequest, base: str) -> str:
        """The commit that a merge into a commit of main would make. Raises AssertionError on a conflict."""
        head = self.tip(request.branch)
        tree = git(self.origin, "merge-tree", "--write-tree", base, head).split()[0]
        who = {f"GIT_{role}_{part}": request.author for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        said = f"{request.title} (#{request.number})"
        return git(self.origin, "commit-tree", tree, "-p", base, "-m", said, environment=who).strip()

    def pull_request_event(self, request: PullRequest) -> Event:
        """A push to a pull request."""
        commit = self.merged(request, self.tip("main"))
        git(self.origin, "update-ref", f"refs/pull/{request.number}/merge", commit)
        return Event(kind="pull_request", commit=commit, actor=request.author, pull_request=request)

    def push_of(self, branch: str, *, by: str) -> Event:
        """A push to a branch."""
        return Event(kind="push", commit=self.tip(branch), actor=by, branch=branch)

    def schedule(self, pipeline: str) -> Event:
        """The hour, or the night, of one pipeline."""
        actor = "ana" if self.system == "github" else "Microsoft.VisualStudio.Services.TFS"
        return Event(kind="schedule", commit=self.tip("main"), actor=actor, branch="main", pipeline=pipeline)

    def dispatch(self, pipeline: str, *, by: str, branch: str = "main", **inputs: str) -> Run:
        """Start a pipeline by hand, or with a token."""
        event = Event(
            kind="workflow_dispatch",
            commit=self.tip(branch),
            actor=by,
            branch=branch,
            pipeline=pipeline,
            inputs=inputs,
        )
        event.run = self.new_run(event)
        with self._lock:
            self._events.append(event)
        return event.run

    def review(self, run: Run, state: Literal["approved", "rejected"], *, by: str) -> None:
        """Answer a run that waits for a reviewer."""
        assert run.waiting, "the run does not wait for a reviewer"
        run.reviews.append((run.waiting, state, by))
        run.waiting = None
        with self._lock:
            run.event.run = run
            self._events.append(run.event)

    def waiting(self) -> list[Run]:
        """The runs that wait for a reviewer, oldest first."""
        return [run for run in self.runs.values() if run.waiting]

    def file(self, path: str, ref: str = "main") -> str:
        """A file on a branch."""
        return git(self.origin, "show", f"{ref}:{path}")

    def tip(self, branch: str) -> str:
        """The newest commit of a branch."""
        return git(self.origin, "rev-parse", f"refs/heads/{branch}").strip()

    # What the runner asks

    def pipelines_at(self, commit: str) -> list[tuple[str, str]]:
        """Path and text of the pipelines in a commit."""
        listed = git(self.origin, "ls-tree", "--name-only", commit, f"{FOLDERS[self.system]}/").split()
        return [(path, git(self.origin, "show", f"{commit}:{path}")) for path in listed if "/sluice-" in path]

    def next_event(self) -> Event | None:
        """The oldest thing that was dispatched or answered."""
        with self._lock:
            return self._events.pop(0) if self._events else None

    def new_run(self, event: Event) -> Run:
        """A run with a number of its own."""
        with self._lock:
            run = Run(str(len(self.runs) + 1), event)
            self.runs[run.id] = run
            return run

    def refusal_of(self, environment: str, event: Event, run: Run) -> str:
        """Why a job may not run in an environment now; empty if it may. A missing one is made without protection."""
        found = self.environments.setdefault(environment, Environment())
        if found.branch_policy and event.branch != "main":
            return f"{event.branch} is not allowed to deploy to {environment}"
        if not found.reviewers:
            return ""
        states = [state for name, state, _ in run.reviews if name == environment]
        if not states:
            run.waiting = environment
            return "waits for a reviewer"
        return "" if states[-1] == "approved" else "rejected"

    def variables(self, environment: str | None) -> tuple[dict[str, str], dict[str, str]]:
        """Variables and secrets of an environment, or of a variable group."""
        found = self.environments.get(environment or "", Environment())
        return found.variables, found.secrets

    def exclusive(self, environment: str | None) -> bool:
        """Whether an environment of Azure DevOps has an exclusive lock: those that deliver."""
        return environment is not None and not environment.endswith(("-rollback", "-approval"))

    def allow(self, token: str, run: Run, permissions: Mapping[str, str]) -> None:
        """Give the token of a run these permissions."""
        self.tokens[token] = Token(BOTS[self.system], run, permissions)

    @property
    def remote(self) -> str:
        """The address of the repository."""
        middle = "" if self.system == "github" else f"/{PROJECT}/_git"
        return f"{self.url}/{ORGANIZATION}{middle}/{REPOSITORY}"

    def check_out(self, event: Event, clone: Path, token: str) -> None:
        """A fresh clone of depth 1 that keeps no token: a branch on GitHub, a commit in Azure Pipelines."""
        encoded = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        login = f"Basic {encoded}" if self.system == "github" else f"Bearer {token}"
        number = event.pull_request.number if event.pull_request else 0
        tracking = f"refs/remotes/pull/{number}/merge" if number else f"refs/remotes/origin/{event.branch}"
        git(clone.parent, "init", "-q", str(clone))
        git(clone, "remote", "add", "origin", self.remote)
        fetch = ("fetch", "-q", "--no-tags", "--depth=1", "origin", f"+{event.commit}:{tracking}")
        git(clone, "-c", f"http.extraheader=Authorization: {login}", *fetch)
        if number or self.system == "azure-devops":
            git(clone, "checkout", "-q", "--detach", event.commit)
        else:
            git(clone, "checkout", "-q", "-B", str(event.branch), tracking)

    def names(self, event: Event, run: Run, token: str) -> dict[str, Any]:
        """The contexts of GitHub's expressions, or the variables of Azure's."""
        request = event.pull_request
        if self.system == "azure-devops":
            fork = {} if request is None else {"System.PullRequest.IsFork": str(request.fork)}
            return {"variables": fork}
        return {
            "github": {
                "event_name": event.kind,
                "ref": f"refs/pull/{request.number}/merge" if request else f"refs/heads/{event.branch}",
                "repository": f"{ORGANIZATION}/{REPOSITORY}",
                "run_id": run.id,
                "token": token,
                "event": {"pull_request": self.pull_request_value(request)} if request else {},
            },
            "inputs": dict(event.inputs),
        }

    def pull_request_value(self, request: PullRequest) -> dict[str, Any]:
        """A pull request as GitHub's API and events have it."""
        owner = "somebody" if request.fork else ORGANIZATION
        return {
            "number": request.number,
            "title": request.title,
            "body": request.body,
            "state": "open" if request.state == "open" else "closed",
            "html_url": f"{self.remote}/pull/{request.number}",
            "user": {"login": request.author},
            "head": {"ref": request.branch, "repo": {"full_name": f"{owner}/{REPOSITORY}"}},
            "base": {"ref": "main", "sha": self.tip("main")},
        }

    def job_variables(
        self, event: Event, run: Run, token: str, permissions: Mapping[str, str], folder: Path, environment: str | None
    ) -> dict[str, str]:
        """The variables that the runner sets for every step of a job."""
        request = event.pull_request
        reference = f"refs/pull/{request.number}/merge" if request else f"refs/heads/{event.branch}"
        if self.system == "azure-devops":
            found = {
                "TF_BUILD": "True",
                "SYSTEM_COLLECTIONURI": f"{self.url}/{ORGANIZATION}/",
                "SYSTEM_TEAMPROJECT": PROJECT,
                "BUILD_REPOSITORY_NAME": REPOSITORY,
                "BUILD_BUILDID": run.id,
                "BUILD_REASON": REASONS[event.kind],
                "BUILD_REQUESTEDFOR": event.actor,
                "BUILD_SOURCEBRANCH": reference,
                "BUILD_SOURCEVERSION": event.commit,
                "AGENT_TEMPDIRECTORY": str(folder),
            }
            if request:
                found |= {
                    "SYSTEM_PULLREQUEST_PULLREQUESTID": str(request.number),
                    "SYSTEM_PULLREQUEST_SOURCEBRANCH": f"refs/heads/{request.branch}",
                    "SYSTEM_PULLREQUEST_TARGETBRANCH": "refs/heads/main",
                }
            return found
        happened = folder / "event.json"
        happened.write_text(json.dumps(self.names(event, run, "")["github"]["event"] | {"inputs": dict(event.inputs)}))
        found = {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_SERVER_URL": self.url,
            "GITHUB_API_URL": f"{self.url}/api/v3",
            "GITHUB_REPOSITORY": f"{ORGANIZATION}/{REPOSITORY}",
            "GITHUB_RUN_ID": run.id,
            "GITHUB_ACTOR": event.actor,
            "GITHUB_TRIGGERING_ACTOR": event.actor,
            "GITHUB_EVENT_NAME": event.kind,
            "GITHUB_EVENT_PATH": str(happened),
            "GITHUB_REF": reference,
            "GITHUB_SHA": event.commit,
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            "RUNNER_TEMP": str(folder),
        }
        if request:
            found |= {"GITHUB_BASE_REF": "main", "GITHUB_HEAD_REF": request.branch}
        if permissions.get("id-token") == "write" and self.id_token:
            found["ACTIONS_ID_TOKEN_REQUEST_URL"] = f"{self.url}/oidc?subject={self.subject(environment)}"
            found["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = token
        return found

    def subject(self, environment: str | None) -> str:
        """The subject of ID tokens of a job in an environment of GitHub."""
        return f"repo:{ORGANIZATION}/{REPOSITORY}:environment:{environment}"

    def connection_variables(self, connection: str | None) -> dict[str, str]:
        """What AzureCLI@2 sets for a service connection, which is named like its variable group."""
        if connection is None:
            return {}
        found = self.environments.get(connection.removeprefix("sluice-"))
        assert found is not None, f"there is no service connection {connection}"
        client = found.variables.get("AZURE_CLIENT_ID")
        if self.id_token is None or client is None:
            return {}
        return {
            "AZURESUBSCRIPTION_CLIENT_ID": client,
            "AZURESUBSCRIPTION_TENANT_ID": found.variables["AZURE_TENANT_ID"],
            "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": connection,
            "SYSTEM_OIDCREQUESTURI": f"{self.url}/oidc",
        }

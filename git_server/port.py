"""What `sluice` asks a git server for, as a protocol with plain values. Adapters implement it, tests use fakes.

Pull requests, comments, issues and runs are named by what the server calls them: numbers are whole numbers, runs are
text. A marker is an HTML comment such as `<!-- sluice:preview:shop/prod -->`: it is the first line of what the
program writes there, by which the adapter finds it on every page of the server's lists. `upsert_comment` and
`upsert_issue` write the marker themselves.

Every method raises `GitServerRefused` where the server answers and says no (exit code 2), `GitServerUnreachable` where
it does not answer or fails (exit code 4). Neither message holds a token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from command_errors import UnavailableError, UsageError

ReviewState = Literal["approved", "rejected"]


class GitServerRefused(UsageError):
    """The server answered and refused: no permission, no such thing, or values that it does not take.

    `status` is the HTTP status, such as 403, 404 or 422.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class GitServerUnreachable(UnavailableError):
    """The server does not answer, answers with 5xx, or answers with something that is no answer."""


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    """An open pull request of this repository. `branch` and `base` are names without `refs/heads/`."""

    number: int
    url: str
    branch: str
    base: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a workflow or pipeline. `url` is for people."""

    id: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The protection of an environment, as far as the product relies on it."""

    name: str
    has_branch_policy: bool
    """Only named branches may run jobs in it."""
    has_reviewers: bool
    """A person has to approve each job in it."""


@dataclass(frozen=True, kw_only=True)
class Approval:
    """One answer of a reviewer to a run, oldest first in lists. `user` is the account's name on the server."""

    user: str
    state: ReviewState
    environments: tuple[str, ...] = ()
    is_bot: bool = False
    comment: str = ""


@dataclass(frozen=True, kw_only=True)
class Issue:
    """An issue (a work item in Azure DevOps)."""

    number: int
    url: str
    is_open: bool


class GitServer(Protocol):
    """One repository on a git server."""

    def upsert_comment(self, pull_request: int, marker: str, text: str) -> str:
        """Edit the comment that has the marker, else add one; return its address. The oldest one counts."""

    def pull_request(self, branch: str) -> PullRequest | None:
        """The open pull request from a branch of this repository, None if there is none."""

    def open_or_update_pull_request(self, branch: str, base: str, title: str, body: str) -> PullRequest:
        """Open a pull request from `branch` into `base`, or give the open one this title and body."""

    def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str]) -> Run:
        """Start a workflow on a branch: its file name on GitHub (`approve.yml`), its name in Azure Pipelines."""

    def environment(self, name: str) -> Environment | None:
        """An environment and its protection; None if there is none (GitHub would create it without protection)."""

    def approvals(self, run: str) -> tuple[Approval, ...]:
        """What reviewers said to a run, oldest first; empty before the first review."""

    def upsert_issue(self, marker: str, title: str, text: str) -> Issue:
        """Give the open issue that has the marker this title and text, else open one."""

    def close_issue(self, marker: str, text: str) -> Issue | None:
        """Say `text` in the open issue that has the marker, and close it; None if there is none."""

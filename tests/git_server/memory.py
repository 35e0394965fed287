"""A git server in memory: what was asked of it, and the answers that a test gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from git_server.port import Approval, Environment, GitServerRefused, Issue, PullRequest, Run


@dataclass
class MemoryServer:
    """`refuses` maps the name of a method to the error that it raises."""

    comments: dict[tuple[int, str], str] = field(default_factory=dict)
    environments: dict[str, Environment] = field(default_factory=dict)
    reviews: dict[str, tuple[Approval, ...]] = field(default_factory=dict)
    issues: dict[str, tuple[Issue, str]] = field(default_factory=dict)
    pulls: dict[str, PullRequest] = field(default_factory=dict)
    runs: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    refuses: dict[str, Exception] = field(default_factory=dict)

    def upsert_comment(self, pull_request: int, marker: str, text: str) -> str:
        self._ask("upsert_comment")
        self.comments[pull_request, marker] = text
        return f"https://git.example/pull/{pull_request}"

    def pull_request(self, branch: str) -> PullRequest | None:
        return self.pulls.get(branch)

    def open_or_update_pull_request(self, branch: str, base: str, title: str, body: str) -> PullRequest:
        known = self.pulls.get(branch)
        number = known.number if known else len(self.pulls) + 1
        url = f"https://git.example/pull/{number}"
        self.pulls[branch] = PullRequest(number=number, url=url, branch=branch, base=base, title=title)
        return self.pulls[branch]

    def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str]) -> Run:
        self._ask("dispatch")
        self.runs.append((workflow, ref, dict(inputs)))
        return Run(id=str(len(self.runs)), url=f"https://git.example/runs/{len(self.runs)}")

    def environment(self, name: str) -> Environment | None:
        self._ask("environment")
        return self.environments.get(name)

    def approvals(self, run: str) -> tuple[Approval, ...]:
        return self.reviews.get(run, ())

    def upsert_issue(self, marker: str, title: str, text: str) -> Issue:
        self._ask("upsert_issue")
        known = self.issues.get(marker)
        is_new = known is None or not known[0].is_open
        issue = (
            Issue(number=len(self.issues) + 1, url="https://git.example/issue", is_open=True) if is_new else known[0]
        )
        self.issues[marker] = (issue, text)
        return issue

    def close_issue(self, marker: str, text: str) -> Issue | None:
        known = self.issues.get(marker)
        if known is None or not known[0].is_open:
            return None
        self.issues[marker] = (replace(known[0], is_open=False), text)
        return self.issues[marker][0]

    def _ask(self, method: str) -> None:
        if method in self.refuses:
            raise self.refuses[method]


def refused(status: int) -> GitServerRefused:
    return GitServerRefused(f"GitHub answered {status}", status=status)

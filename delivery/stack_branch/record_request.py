"""The pull request that writes the weights of ended rollouts into the source branch: `record/<stack>`.

Nothing depends on its being merged: the stack's branch has the weights. It keeps the source branch's file true.
"""

from __future__ import annotations

from collections.abc import Mapping

from command_errors import UsageError
from delivery.stack_branch.weights import describe
from git_server.port import GitServer, PullRequest
from rollout.declaration.stack_text import WeightLines, edit_lines, read_lines
from rollout.ports import Message
from rollout.repository.attempts import always_overtaken, attempts
from rollout.repository.commit import commit_of
from rollout.repository.git import NETWORK_SECONDS, Git
from rollout.repository.push import Answer
from rollout.repository.remote import Remote
from rollout.repository.tree import tree_of, tree_with


class RecordRequest:
    """The branch and the pull request of one stack."""

    def __init__(self, git: Git, server: GitServer | None, *, stack: str, source_branch: str) -> None:
        self._git = git
        self._remote = Remote(git)
        self._server = server
        self._stack = stack
        self._source = source_branch
        self._file = f"Pulumi.{stack}.yaml"
        self.branch = f"record/{stack}"

    def publish(self, left: Mapping[str, WeightLines]) -> PullRequest | None:
        """Bring branch and pull request up to date; `left` are the lines of each endpoint without an open rollout.

        None if the source branch has these weights, or without a server. Raises PushRefused and PushUnanswered.
        """
        for _ in attempts():
            source = self._remote.fetch(self._source, NETWORK_SECONDS)
            there = self._remote.fetch(self.branch, NETWORK_SECONDS)
            blob = self._git.blob(source, self._file) if source else None
            if source is None or blob is None:
                return None
            text = blob.decode(errors="replace")
            changed = {key: lines for key, lines in left.items() if self._lines(text, key) not in (lines, None)}
            if not changed:
                return None
            tree = tree_with(self._git, source, {self._file: self._edited(text, changed).encode()})
            if there and tree == tree_of(self._git, there):
                return self._request(changed)
            commit = self._commit(tree, [parent for parent in (there, source) if parent], changed)
            if self._remote.push(commit, self.branch, NETWORK_SECONDS) is Answer.TAKEN:
                return self._request(changed)
        raise always_overtaken(self.branch)

    def _request(self, changed: Mapping[str, WeightLines]) -> PullRequest | None:
        if self._server is None:
            return None
        lines = "\n".join(f"- `{key}`: {describe(lines)}" for key, lines in changed.items())
        text = (
            f"The rollouts of {self._stack} ended with these weights. Its branch has them already; merging this keeps "
            f"{self._file} on {self._source} true.\n\n{lines}\n"
        )
        return self._server.open_or_update_pull_request(self.branch, self._source, self._title, text)

    @property
    def _title(self) -> str:
        return f"record({self._stack}): weights as the rollouts left them"

    def _lines(self, text: str, key: str) -> WeightLines | None:
        """The endpoint's lines on the source branch; None if it has none."""
        try:
            return read_lines(text.removeprefix("\ufeff"), key, self._file)
        except UsageError:
            return None

    def _edited(self, text: str, changed: Mapping[str, WeightLines]) -> str:
        for key, lines in changed.items():
            text = edit_lines(text, key, self._file, lines.split, lines.stable)
        return text

    def _commit(self, tree: str, parents: list[str], changed: Mapping[str, WeightLines]) -> str:
        body = "; ".join(f"{key}: {describe(lines)}" for key, lines in changed.items())
        message = Message(subject=self._title, body=body)
        return commit_of(self._git, tree, message, branch=self.branch, parents=parents)

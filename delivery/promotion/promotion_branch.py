"""The branch of a promotion on origin, `promote/<stack>/<endpoint>-<8 hex>`, and its pull request.

The commit is made beside the working tree, from the tip of the source branch, and pushed without force. A promotion
that waits there stays as it is, with what reviewers have added; one that was merged and reverted begins again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from command_errors import UsageError
from delivery.promotion.promote import Base, Promotion
from delivery.promotion.promotion_request import PromotionRequest
from delivery.promotion.promotion_text import text_of, title_of
from delivery.proofs.record_branch import RecordsUnreachable
from delivery.proofs.remote_records import BranchTip, RemoteRecords
from git_server.port import GitServer, PullRequest
from rollout.ports import Message
from rollout.repository.attempts import always_overtaken, attempts
from rollout.repository.commit import commit_of
from rollout.repository.git import NETWORK_SECONDS
from rollout.repository.push import Answer
from rollout.repository.remote import Remote
from rollout.repository.tree import tree_of, tree_with

DIGITS = 8
"""So many digits of the content are in the branch's name."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """How it ended. `branch` is None if the source branch has the promotion already."""

    promotion: Promotion
    branch: str | None
    pushed: bool
    pull_request: PullRequest | None = None


def branch_name(request: PromotionRequest, content: str) -> str:
    """The branch of a promotion."""
    return f"promote/{request.target}/{request.endpoint}-{content[:DIGITS]}"


class PromotionBranch:
    """Commits and pushes a promotion. `plan` computes it from the files of a branch; see `plan_promotion`."""

    def __init__(
        self, clone: RemoteRecords, plan: Callable[[Base], Promotion], server: GitServer | None = None
    ) -> None:
        self._git = clone.git
        self._prefix = clone.prefix
        self._remote = Remote(clone.git)
        self._source = clone.source.branch
        self._plan = plan
        self._server = server

    def publish(self) -> Published:
        """Push the branch, and open or update its pull request if there is a server; nothing if both are up to date.

        Raises PromotionRefused, PushRefused, PushUnanswered, RecordsUnreachable, and WaitingError if other pushes were
        first each time.
        """
        for _ in attempts():
            source = self._tip(self._source)
            if source is None:
                raise RecordsUnreachable(f"origin has no branch {self._source} any more. Push that branch.")
            promotion = self._plan(source)
            if not promotion.files:
                return Published(promotion=promotion, branch=None, pushed=False)
            name = branch_name(promotion.request, promotion.document.content)
            opened = self._server.pull_request(name) if self._server else None
            commit, promotion = self._commit(promotion, name, source, opened)
            if commit is None or self._remote.push(commit, name, NETWORK_SECONDS) is Answer.TAKEN:
                pushed = commit is not None
                if self._server and (pushed or opened is None):
                    title, text = title_of(promotion), text_of(promotion)
                    opened = self._server.open_or_update_pull_request(name, self._source, title, text)
                return Published(promotion=promotion, branch=name, pushed=pushed, pull_request=opened)
        raise always_overtaken(name)

    def _commit(
        self, promotion: Promotion, name: str, source: BranchTip, opened: PullRequest | None
    ) -> tuple[str | None, Promotion]:
        """Return the commit to push, None if the branch has the promotion, and the promotion as the branch has it."""
        there = self._tip(name)
        if there is None:
            return self._commit_on(promotion, source.tip, name), promotion
        merged = self._git.holds("merge-base", "--is-ancestor", there.tip, source.tip)
        waits = not merged and (self._server is None or opened is not None)
        if waits:
            pending = self._plan(there)
            return (self._commit_on(pending, there.tip, name) if pending.files else None), pending
        # The source branch does not have what was merged from here, or a pull request was closed: from its tip again.
        commit = self._commit_on(promotion, source.tip, name, [source.tip] if merged else [there.tip, source.tip])
        up_to_date = tree_of(self._git, commit) == tree_of(self._git, there.tip) and source.tip in self._parents(
            there.tip
        )
        return (None if up_to_date else commit), promotion

    def _commit_on(self, promotion: Promotion, base: str, branch: str, parents: Sequence[str] = ()) -> str:
        """Return a commit of the promotion's files on the tree of `base`."""
        self._require_committer()
        proof = promotion.proven.proof
        message = Message(
            subject=title_of(promotion),
            body=f"{proof.stack} proved it in {proof.rollout}.",
            trailers={"Proof": f"{proof.record_path} {proof.head}", "Content": proof.content},
        )
        files = {f"{self._prefix}{name}": text.encode() for name, text in promotion.files.items()}
        tree = tree_with(self._git, base, files)
        return commit_of(self._git, tree, message, branch=branch, parents=parents or [base])

    def _parents(self, commit: str) -> list[str]:
        """The parents that the commit itself names: a shallow clone has none of them."""
        header = self._git.text("cat-file", "commit", commit).partition("\n\n")[0]
        return [line.removeprefix("parent ") for line in header.splitlines() if line.startswith("parent ")]

    def _tip(self, branch: str) -> BranchTip | None:
        tip = self._remote.fetch(branch, NETWORK_SECONDS)
        return BranchTip(self._git, branch, tip, self._prefix) if tip else None

    def _require_committer(self) -> None:
        said = self._git.ask("var", "GIT_COMMITTER_IDENT")
        if said is None or said.returncode:
            raise UsageError(
                "git does not know who commits the promotion. Run `git config user.name <name>` and `git config "
                "user.email <address>`."
            )

"""`sluice ci sync`: a stack's branch takes over what the source branch has.

The new tree is checked before it is pushed, so that the branch always has a program that runs: a rollback needs it.
A push is never forced. Where another runner pushes at the same moment, the tree is built from the new tip.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from command_errors import UsageError, WaitingError
from delivery.stack_branch.source_document import SourceDocument
from delivery.stack_branch.tree import Branches, StackTree
from rollout.ports import Message
from rollout.repository.attempts import always_overtaken, attempts
from rollout.repository.commit import commit_of
from rollout.repository.git import NETWORK_SECONDS, Git
from rollout.repository.push import Answer
from rollout.repository.remote import Remote
from rollout.repository.tree import tree_of, unpacked


@dataclass(frozen=True, kw_only=True)
class Place:
    """Which branches a stack has, and where it is in Azure. `after` is the branch of the stack that goes before it."""

    stack: str
    source_branch: str
    stack_branch: str
    subscription: str
    arm_host: str
    after: tuple[str, str] | None = None
    """Name and branch of the stack that must have deployed a commit first."""


@dataclass(frozen=True, kw_only=True)
class Synced:
    """How a sync ended: the tip of the stack's branch, and what it carries."""

    tip: str
    document: SourceDocument
    is_new: bool


class StackBranch:
    """One stack's branch, in a clone of any depth. Nothing here touches index, files or branches of the clone."""

    def __init__(self, git: Git, place: Place, check: Callable[[Path], None], now: Callable[[], int]) -> None:
        """`check` gets a folder with the new tree and raises UsageError if the program would refuse it."""
        self._git = git
        self._remote = Remote(git)
        self._tree = StackTree(git, place.stack)
        self._place = place
        self._check = check
        self._now = now
        self._known: tuple[Branches, Synced] | None = None
        """The tips at which the last sync ended: while neither has moved, there is nothing to build."""

    def sync(self) -> Synced:
        """Bring the branch up to date. Raises UsageError (nothing was pushed), PushRefused and PushUnanswered.

        WaitingError: other runners were faster each time, or the stack that goes before this one has deployed nothing.
        """
        for _ in attempts():
            branches = Branches(source=self._source(), branch=self._fetch(self._place.stack_branch))
            if self._known is not None and self._known[0] == branches:
                return self._known[1]
            tree = self._tree.build(branches, self._document(branches.source))
            if branches.branch and tree == tree_of(self._git, branches.branch):
                return self._settled(branches.source, branches.branch, is_new=False)
            self._require_runnable(tree)
            subject = f"sync({self._place.stack}): {self._place.source_branch} at {branches.source[:12]}"
            commit = self._commit(tree, branches.branch, subject)
            if self._remote.push(commit, self._place.stack_branch, NETWORK_SECONDS) is Answer.TAKEN:
                return self._settled(branches.source, commit, is_new=True)
        raise always_overtaken(self._place.stack_branch)

    def commit_of(self, source: str) -> str:
        """Return what a sync of a commit of the source branch would push. Raises UsageError as it does."""
        tip = self._fetch(self._place.stack_branch)
        tree = self._tree.build(Branches(source=source, branch=tip), self._document(source))
        self._require_runnable(tree)
        return self._commit(tree, tip, f"preview({self._place.stack}): {source[:12]}")

    def mark_deployed(self, source: str) -> Synced:
        """Note on the branch that an update deployed this commit of the source branch.

        If the branch carries another commit by now, nothing is noted: that one is not deployed yet.
        """
        for _ in attempts():
            tip = self._fetch(self._place.stack_branch)
            document = self._tree.document_at(tip)
            if tip is None or document is None:
                raise UsageError(f"{self._place.stack_branch} is gone. Run `sluice ci sync` first.")
            if document.deployed or document.commit != source:
                return Synced(tip=tip, document=document, is_new=False)
            document = replace(document, deployed=True)
            tree = self._tree.with_document(tip, document)
            commit = self._commit(tree, tip, f"sync({self._place.stack}): {source[:12]} is deployed")
            if self._remote.push(commit, self._place.stack_branch, NETWORK_SECONDS) is Answer.TAKEN:
                return Synced(tip=commit, document=document, is_new=True)
        raise always_overtaken(self._place.stack_branch)

    # The commits of a sync

    def _source(self) -> str:
        """The commit to deploy: the source branch's tip, or what the stack that goes before this one has deployed."""
        after = self._place.after
        if after is None:
            tip = self._fetch(self._place.source_branch)
            if tip is None:
                raise UsageError(f"origin has no branch {self._place.source_branch}. Push it first.")
            return tip
        stack, branch = after
        document = StackTree(self._git, stack).document_at(self._fetch(branch))
        if document is None or not document.deployed:
            what = "has no branch yet" if document is None else f"has not deployed {document.commit[:12]} yet"
            raise WaitingError(
                f"{self._place.stack} comes after {stack} (sluice:after), and {stack} {what}. Nothing was changed."
            )
        if not self._git.holds("cat-file", "-e", f"{document.commit}^{{commit}}"):
            self._remote.fetch_commit(document.commit, NETWORK_SECONDS)
        return document.commit

    def _document(self, source: str) -> SourceDocument:
        place = self._place
        return SourceDocument(
            branch=place.source_branch,
            commit=source,
            at=self._now(),
            subscription=place.subscription,
            arm_host=place.arm_host,
        )

    def _fetch(self, branch: str) -> str | None:
        return self._remote.fetch(branch, NETWORK_SECONDS)

    def _commit(self, tree: str, parent: str | None, subject: str) -> str:
        parents = [parent] if parent else []
        return commit_of(self._git, tree, Message(subject=subject), branch=self._place.stack_branch, parents=parents)

    def _require_runnable(self, tree: str) -> None:
        with unpacked(self._git, tree) as folder:
            self._check(folder)

    def _settled(self, source: str, tip: str, *, is_new: bool) -> Synced:
        document = self._tree.document_at(tip)
        assert document is not None
        synced = Synced(tip=tip, document=document, is_new=False)
        self._known = Branches(source=source, branch=tip), synced
        return replace(synced, is_new=is_new)

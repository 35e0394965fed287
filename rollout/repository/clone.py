"""The clone as the controller uses it: `sync` takes over what others pushed, `publish` commits and pushes.

A push compares and swaps this endpoint's record and weights, not the branch: commits of others in between are no
reason to stop. A commit is made beside the branch, from objects and a temporary index, and the branch moves to it only
when the remote has it. So a refused push changes nothing, and a person's index and files stay as they are. Commit hooks
do not run, because they check what a person commits; `git push` runs its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from command_errors import UsageError
from rollout.declaration.stack_file import StackFile
from rollout.errors import Overtaken, PushUnanswered
from rollout.instances import DeploymentEdit
from rollout.ports import Message
from rollout.repository.attempts import ATTEMPTS, PAUSE_SECONDS
from rollout.repository.branch import branch_of
from rollout.repository.clone_lock import clone_lock
from rollout.repository.commit import commit_of
from rollout.repository.content import Content, Files
from rollout.repository.git import NETWORK_SECONDS, Git
from rollout.repository.push import Answer
from rollout.repository.remote import REMOTE, Remote
from rollout.repository.tree import tree_of, tree_with
from rollout.repository.working_tree import WorkingTree

IMPATIENT_SECONDS = 10.0
"""How long a way back tries to push."""


class Clone:
    """The repository of one rollout's stack file and record, on the branch that is checked out."""

    def __init__(
        self,
        stack_file: StackFile,
        record: Path,
        *,
        push: bool,
        environment: Mapping[str, str] | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Raises UsageError if the files cannot be committed here: no repository, no branch, no committer."""
        self._push = push
        self._say = say
        found = Git(stack_file.path.resolve().parent, environment).ask("rev-parse", "--show-toplevel")
        if found is None or found.returncode:
            reason = found.reason if found else "no answer"
            raise UsageError(
                f"{stack_file.path} cannot be committed: git finds no repository there ({reason}). Correct that, "
                "or leave out --commit and --push."
            )
        self._git = Git(Path(found.text).resolve(), environment)
        self._remote = Remote(self._git)
        self._files = Files(self._git, stack_file, record)
        self.branch = branch_of(self._git, os.environ if environment is None else environment)
        self._tree = WorkingTree(self._git, self._files)
        self._require_committer()
        if push and self._git.find("remote", "get-url", REMOTE) is None:
            raise UsageError(f"{self._git.folder} has no remote {REMOTE} to push to. Add it, or leave out --push.")
        self._seen: Content | None = None
        self._known: set[str] = set()

    def sync(self) -> str | None:
        """Fetch the branch, and let the clone follow: its commits, and this endpoint's weights.

        Return the text of the record on the remote; None if it has none, or nothing is pushed. The record here stays,
        because the caller knows which of its last lines are to be said again.
        """
        if not self._push:
            return None
        with self._locked(time.monotonic() + NETWORK_SECONDS):
            tip = self._fetch(NETWORK_SECONDS)
            if tip is None:
                return None
            there = self._follow(tip)
        return None if there.record is None else there.record.decode()

    def publish(self, message: Message, *, patient: bool = True, edit: DeploymentEdit | None = None) -> None:
        """Commit stack file and record, and push. Raises Overtaken, PushRefused or PushUnanswered; see ports.

        Not `patient`, it runs beside an `up` that reads the same files: it leaves those of other commits for later.
        """
        deadline = time.monotonic() + (NETWORK_SECONDS * ATTEMPTS if patient else IMPATIENT_SECONDS)
        with self._locked(deadline):
            self._publish(message, deadline, patient=patient, edit=edit)

    def _publish(self, message: Message, deadline: float, *, patient: bool, edit: DeploymentEdit | None) -> None:
        head = tip = self._git.text("rev-parse", "HEAD")
        self._tree.require_unstaged(head)
        seen = self._seen or self._files.content_at(head)
        for attempt in range(ATTEMPTS):
            new = self._commit(tip, message, edit)
            answer = self._remote.push(new, self.branch, _left(deadline)) if self._push else Answer.TAKEN
            if answer is Answer.TAKEN:
                self._seen = self._files.content_at(new)
                self._known.add(new)
                if patient or tip == head:
                    self._tree.move(head, new, self._say, edit)
                    self._remember()
                return
            if attempt:
                time.sleep(PAUSE_SECONDS * attempt)
            tip = self._fetch(_left(deadline)) or tip
            there = self._files.content_at(tip)
            if not there.same_as(seen):
                if self._is_ours(there) and self._files.has(there, edit):  # an earlier push whose answer was lost
                    self._follow(tip)
                    return
                reason = self._overtaken_by(there, seen)
                if patient:
                    self._follow(tip, overtaken=True)
                raise Overtaken(reason)
            self._require_room(head, tip)
        raise PushUnanswered(
            f"origin did not take the push of {self.branch} in {ATTEMPTS} attempts: other pushes came first each time, "
            "or the branch is locked there. Nothing was changed. Run this command again."
        )

    def _locked(self, deadline: float) -> AbstractContextManager[None]:
        common = self._git.text("rev-parse", "--path-format=absolute", "--git-common-dir")
        return clone_lock(Path(common), deadline)

    # The remote

    def _fetch(self, seconds: float) -> str | None:
        """Return the tip of the branch on the remote, None if the branch is not there; remember what it was and is."""
        before = self._git.find("rev-parse", "--verify", "--quiet", self._remote.tracking(self.branch))
        tip = self._remote.fetch(self.branch, seconds)
        if tip is not None:
            followed = self._git.find("rev-parse", "--verify", "--quiet", self._followed)
            self._known |= {tip, *(known for known in (before, followed) if known)}
        return tip

    # Commits

    def _commit(self, parent: str, message: Message, edit: DeploymentEdit | None) -> str:
        """Return a commit of both files on `parent`; `parent` itself if it has them so."""
        files = self._files.written_on(self._files.content_at(parent), edit)
        tree = tree_with(self._git, parent, files)
        if tree == tree_of(self._git, parent):
            return parent
        return commit_of(self._git, tree, message, branch=self.branch, parents=[parent])

    def _require_committer(self) -> None:
        said = self._git.ask("var", "GIT_COMMITTER_IDENT")
        if said is None or said.returncode:
            raise UsageError(
                f'git does not know who commits in {self._git.folder}. Run `git config user.name "Your Name"` and '
                "`git config user.email you@example.com`; in a pipeline, before this command."
            )

    # Following the remote

    def _follow(self, tip: str, *, overtaken: bool = False) -> Content:
        """Let the working tree follow the remote's tip, and take over the rollout's record and weights from there."""
        head = self._git.text("rev-parse", "HEAD")
        before = self._seen or self._files.content_at(head)
        there = self._files.content_at(tip)
        if overtaken or (there.record != before.record and not self._extends(there.record)):
            self._tree.take_over(there, record=overtaken)
        if head != tip and not self._git.holds("merge-base", "--is-ancestor", tip, head):
            self._require_room(head, tip)
            self._tree.move(head, tip, self._say)
        self._seen = there
        self._remember()
        return there

    @property
    def _followed(self) -> str:
        """A ref that names the last commit of the remote which this clone has followed to."""
        return f"refs/sluice/{self.branch}"

    def _remember(self) -> None:
        """Note that the remote had the commit that is checked out: the history of a shallow clone does not say it."""
        head = self._git.text("rev-parse", "HEAD")
        if self._push and head in self._known:
            self._git.run("update-ref", self._followed, head)

    def _require_room(self, head: str, tip: str) -> None:
        """Raise UsageError if following `tip` would lose commits or edits that exist only here."""
        if head == tip:
            return
        if not self._is_behind(head):
            raise UsageError(
                f"{self.branch} here and on {REMOTE} have different commits. Nothing was changed. Run `git pull "
                f"--rebase {REMOTE} {self.branch}`, then this command again."
            )
        self._tree.require_movable(head, tip)

    def _is_behind(self, head: str) -> bool:
        """Whether everything in `head` was on the remote once; a checkout of a commit holds nothing of its own."""
        detached = self._git.find("symbolic-ref", "--quiet", "HEAD") is None
        return detached or any(
            head == tip or self._git.holds("merge-base", "--is-ancestor", head, tip) for tip in self._known
        )

    def _is_ours(self, there: Content) -> bool:
        here = self._files.record.read_bytes() if self._files.record.exists() else None
        return there.record == here and there.lines == self._files.stack.lines()

    def _extends(self, record: bytes | None) -> bool:
        """Whether the record here is another one with more lines: those were written since, not by another runner."""
        return self._files.record.exists() and self._files.record.read_bytes().startswith(record or b"")

    def _overtaken_by(self, there: Content, seen: Content) -> str:
        if there.record != seen.record:
            what = f"another runner has appended to {self._files.record_path}"
        else:
            split = there.lines.split.describe() if there.lines else "none"
            what = f"the weights in {self._files.stack_path} were changed to {split}"
        return f"{what} on {REMOTE} since this command read it. Nothing was changed. Run this command again."


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    return min(max(left, 0.1), NETWORK_SECONDS)

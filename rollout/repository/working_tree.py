"""Branch, index and files of a clone, moved to another commit without touching what a person works on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from command_errors import UsageError
from rollout.instances import DeploymentEdit
from rollout.repository.content import Content, Files
from rollout.repository.git import Git
from rollout.temporary_folder import temporary_folder


class WorkingTree:
    """What is checked out. Stack file and record in it may be newer than its commit; other files are a person's."""

    def __init__(self, git: Git, files: Files) -> None:
        self._git = git
        self._files = files

    def require_unstaged(self, head: str) -> None:
        """Raise UsageError if a person has staged an edit of the stack file, which this would take out of the index.

        Weights alone may be staged: a run that was killed while it moved the branch leaves them so.
        """
        path = self._files.stack_path
        staged, committed = self._files.staged_stack(), self._files.content_at(head).stack
        if staged is None or committed is None or staged == committed:
            return
        if not self._files.stack.differs_in_weights_only(staged, committed):
            raise UsageError(
                f"{path} has staged edits, which a rollout's commit would take out of the index. Commit them, or run "
                f"`git restore --staged {path}`."
            )

    def require_movable(self, old: str, new: str) -> None:
        """Raise UsageError if edits that are not committed are in the way of moving from `old` to `new`."""
        self._stack_after(self._files.content_at(old), self._files.content_at(new))
        with temporary_folder("sluice-index-") as folder:
            index = folder / "index"
            shutil.copyfile(self._git.text("rev-parse", "--path-format=absolute", "--git-path", "index"), index)
            self._point_index(new, index)
            said = self._git.ask("read-tree", "--dry-run", "-m", "-u", old, new, index=index)
        if said is None or said.returncode:
            reason = said.reason if said else "no answer"
            raise UsageError(
                f"the branch on origin has newer commits, and your edits are in their way: {reason}. Nothing was "
                "changed. Commit or stash them, then run this command again."
            )

    def move(self, old: str, new: str, say: Callable[[str], None], edit: DeploymentEdit | None = None) -> None:
        """Move the branch from `old` to `new`, with every file in which they differ. `new` was made with the `edit`.

        The remote has `new` already, so where a person's edits are in the way, the files stay and that is said.
        """
        if old == new:
            return
        changed = self._git.text("diff-tree", "-r", "--name-only", "--no-renames", old, new).splitlines()
        try:
            text = self._stack_after(self._files.content_at(old), self._files.content_at(new), edit)
        except UsageError as error:
            say(str(error))
            return
        self._point_index(new)
        if not set(changed) <= set(self._files.paths):
            said = self._git.ask("read-tree", "-m", "-u", old, new)
            if said is None or said.returncode:
                self._point_index(old)
                say(f"the files here stay behind origin: {said.reason if said else 'no answer'}. Run `git pull`.")
                return
        if text is not None:
            self._files.stack.replace(lambda _: text)
        self._git.run("update-ref", "-m", "sluice rollout", "HEAD", new, old)
        self._git.ask("update-index", "-q", "--refresh")

    def take_over(self, there: Content, *, record: bool) -> None:
        """Make the three lines those of another commit, and the record if asked."""
        if there.lines is not None:
            self._files.stack.write(there.lines.split, there.lines.stable)
        if not record:
            return
        if there.record is None:
            self._files.record.unlink(missing_ok=True)
            return
        self._files.record.parent.mkdir(parents=True, exist_ok=True)
        draft = self._files.record.with_name(f".{self._files.record.name}.tmp")
        draft.write_bytes(there.record)
        draft.replace(self._files.record)

    def _stack_after(self, old: Content, new: Content, edit: DeploymentEdit | None = None) -> str | None:
        """Return the stack file as it must be in the working tree after the move; None if it stays as it is.

        Weights here that no commit has yet stay, unless the other commit has new ones.
        """
        stack = self._files.stack
        if old.stack == new.stack or new.stack is None or new.lines is None:
            return None
        here = stack.text()
        lines = stack.lines() if new.lines == old.lines else new.lines
        wanted = stack.edited(new.stack, lines.split, lines.stable)
        if "\r\n" in here and "\r\n" not in wanted:
            wanted = wanted.replace("\n", "\r\n")
        if here == wanted:
            return None
        if old.stack is None or stack.differs_in_weights_only(here, old.stack):
            return wanted
        if stack.differs_in_weights_only(old.stack, new.stack):
            return stack.edited(here, lines.split, lines.stable)
        if edit is not None and stack.differs_in_weights_only(stack.with_edit(old.stack, edit), new.stack):
            return stack.with_edit(stack.edited(here, lines.split, lines.stable), edit)
        raise UsageError(
            f"{self._files.stack_path} has edits that are not committed, and it has newer ones on origin. Nothing was "
            "changed. Commit or stash yours, then run this command again."
        )

    def _point_index(self, commit: str, index: Path | None = None) -> None:
        """Make the two entries of the index those of a commit, whatever is in the files."""
        for path in self._files.paths:
            entry = self._git.text("ls-tree", commit, "--", path)
            if entry:
                mode, _, blob = entry.split()[:3]
                self._git.run("update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}", index=index)
            else:
                self._git.run("update-index", "--force-remove", "--", path, index=index)

"""What a commit holds of one rollout: the stack file with the endpoint's three lines, and the record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from command_errors import UsageError
from rollout.declaration.stack_file import StackFile
from rollout.declaration.stack_text import WeightLines
from rollout.instances import DeploymentEdit
from rollout.repository.git import Git


@dataclass(frozen=True, kw_only=True)
class Content:
    """The two files of one commit; None where it does not have one. Equal if record and weights are."""

    stack: str | None
    record: bytes | None
    lines: WeightLines | None

    def same_as(self, other: Content) -> bool:
        """Whether another commit has the same record and the same weights; the rest of the stack file may differ."""
        return (self.record, self.lines) == (other.record, other.lines)


class Files:
    """The two files in the clone, their paths in it, and what commits hold of them. `git` works at the clone's top."""

    def __init__(self, git: Git, stack: StackFile, record: Path) -> None:
        self.git = git
        self.stack = stack
        self.record = record
        self._contents: dict[str, Content] = {}
        root = git.folder
        self.stack_path = _inside(root, stack.path, git)
        self.record_path = _inside(root, record, git)

    @property
    def paths(self) -> tuple[str, str]:
        """Both paths, from the top of the clone."""
        return self.stack_path, self.record_path

    def content_at(self, commit: str) -> Content:
        """Return what a commit, by its id, holds. A stack file without the endpoint has no lines."""
        if commit not in self._contents:
            self._contents[commit] = self._read(commit)
        return self._contents[commit]

    def has(self, content: Content, edit: DeploymentEdit | None) -> bool:
        """Whether the stack file of a commit is as the edit would make it."""
        return edit is None or content.stack is None or self.stack.with_edit(content.stack, edit) == content.stack

    def staged_stack(self) -> str | None:
        """Return the stack file as the index has it."""
        return self._read("").stack

    def _read(self, commit: str) -> Content:
        stack, record = (self.git.blob(commit, path) for path in self.paths)
        text = None if stack is None else stack.decode(errors="replace")
        return Content(stack=text, record=record, lines=self._lines(text))

    def written_on(self, content: Content, edit: DeploymentEdit | None = None) -> dict[str, bytes]:
        """Return both files as the next commit on `content` has them.

        The stack file is the commit's own with the weights of the working tree and the `edit`, so that neither edits
        that a person has not committed nor newer ones of others are lost or taken along. Raises UsageError if the
        commit's file has other values than the edit expects.
        """
        here = self.stack.lines()
        before = content.stack
        text = self.stack.text() if before is None else self.stack.edited(before, here.split, here.stable)
        if edit is not None:
            text = self.stack.with_edit(text, edit)
        found = {self.stack_path: text.encode()}
        if self.record.exists():
            found[self.record_path] = self.record.read_bytes()
        return found

    def _lines(self, text: str | None) -> WeightLines | None:
        if text is None:
            return None
        try:
            return self.stack.lines_of(text)
        except UsageError:
            return None


def _inside(root: Path, path: Path, git: Git) -> str:
    target = path.resolve()
    if not target.is_relative_to(root) or git.holds("check-ignore", "--quiet", str(target)):
        raise UsageError(
            f"{path} is not in the repository {root}, so it cannot be committed. In a rehearsal leave out --commit and "
            "--push; else unset PULUMI_OPTION_CONFIG_FILE."
        )
    return target.relative_to(root).as_posix()

"""The tree of a stack's branch, built from git objects beside the working tree.

It is the source commit's tree without `.github/` (a GitHub token may not push workflow files), with the branch's
`rollouts/<stack>/`, `source.json`, and the weights in the stack file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import yaml

from command_errors import UsageError
from delivery.stack_branch.source_document import SourceDocument, parse, path_of
from delivery.stack_branch.weights import Conflict, Sides, describe, merged
from record_folders import FOLDER
from rollout.declaration.deployment_text import edit_deployment
from rollout.declaration.stack_text import WeightLines, edit_lines, read_lines
from rollout.record.chain import read_lines as read_record
from rollout.record.fold import fold
from rollout.record.state import RolloutState
from rollout.repository.git import Git
from rollout.repository.tree import index_of, put, tree_with
from strict_yaml import read_yaml

LEFT_OUT = (".github",)


@dataclass(frozen=True, kw_only=True)
class Branches:
    """The two commits of a sync; `branch` is None before the first one."""

    source: str
    branch: str | None


class StackTree:
    """Builds the tree of one stack's branch in a repository."""

    def __init__(self, git: Git, stack: str) -> None:
        """`git` works at the top of the clone."""
        self._git = git
        self._stack = stack
        self._stack_path = f"Pulumi.{stack}.yaml"
        self._records = f"{FOLDER}/{stack}"

    def document_at(self, commit: str | None) -> SourceDocument | None:
        """The `source.json` of a commit of the stack's branch."""
        text = self._git.blob(commit, path_of(self._stack)) if commit else None
        return parse(text.decode(errors="replace"), f"{path_of(self._stack)} of {commit}") if text is not None else None

    def build(self, branches: Branches, document: SourceDocument) -> str:
        """Return the id of the tree; `document` names the source commit, its weights are filled in here.

        A document that says the same as the branch's is kept as it is. Raises UsageError with every endpoint whose
        weights a person has changed while its rollout is under way.
        """
        before = self.document_at(branches.branch)
        source = self._stack_file(branches.source)
        text = self._merged_text(source, branches, before)
        document = replace(document, weights=_lines_of(source, self._stack_path))
        if before is not None and replace(document, at=before.at, deployed=before.deployed) == before:
            document = before
        return self._tree(branches, {self._stack_path: text, path_of(self._stack): document.text()})

    def with_document(self, commit: str, document: SourceDocument) -> str:
        """Return the id of a commit's tree with another `source.json`."""
        return tree_with(self._git, commit, {path_of(self._stack): document.text().encode()})

    # Weights

    def _merged_text(self, source: str, branches: Branches, before: SourceDocument | None) -> str:
        theirs = _lines_of(source, self._stack_path)
        branch = self._git.blob(branches.branch, self._stack_path) if branches.branch else None
        ours = _lines_of(branch.decode(errors="replace"), self._stack_path) if branch is not None else {}
        states = self._states(branches.branch)
        text, conflicts = source, []
        for key in sorted({*theirs, *ours}):
            try:
                lines = merged(_sides(key, theirs, ours, before, states.get(key, [])))
            except Conflict as conflict:
                conflicts.append(
                    f"{key}: the source branch says {describe(conflict.source)}, {self._stack}'s branch says "
                    f"{describe(conflict.branch)}"
                )
                continue
            if lines is None or key not in theirs:
                continue
            text = edit_lines(text, key, self._stack_path, lines.split, lines.stable)
            try:
                text = self._with_floor(text, key, states.get(key, []))
            except UsageError as error:
                conflicts.append(str(error))
        if conflicts:
            raise UsageError(
                f"lines that a rollout moves were changed in {self._stack_path} while it is under way. Nothing was "
                "pushed.\n  "
                + "\n  ".join(conflicts)
                + "\nTake the change on the source branch back, or end the rollout first "
                f"(`sluice rollout rollback ENDPOINT --stack {self._stack}`)."
            )
        return text

    def _with_floor(self, text: str, key: str, rollouts: list[RolloutState]) -> str:
        """Carry the raised autoscale minimum of the last rollout. Raises UsageError where a person has edited it."""
        floor = rollouts[-1].reserved if rollouts else None
        return edit_deployment(text, key, floor.raising, self._stack_path) if floor else text

    def _states(self, commit: str | None) -> dict[str, list[RolloutState]]:
        """The rollouts of each endpoint that the branch has records of, oldest first. A broken one counts as far as
        it can be read.
        """
        found: dict[str, list[RolloutState]] = {}
        listed = self._git.find("ls-tree", "-r", "--name-only", "-z", commit, "--", self._records) if commit else None
        paths = sorted(path for path in (listed or "").split("\0") if path.count("/") == 3 and path.endswith(".jsonl"))
        for path, text in zip(paths, self._git.blobs(commit or "", paths), strict=True):
            _, _, endpoint, name = path.split("/")
            events = read_record(text, name).events
            if events:
                found.setdefault(endpoint, []).append(fold(events))
        return found

    # Objects

    def _stack_file(self, commit: str) -> str:
        blob = self._git.blob(commit, self._stack_path)
        if blob is None:
            raise UsageError(
                f"the source branch has no {self._stack_path} at {commit[:12]}. Add it there, or give another --stack."
            )
        return blob.decode(errors="replace")

    def _tree(self, branches: Branches, files: Mapping[str, str]) -> str:
        with index_of(self._git, branches.source) as index:
            gone = (*LEFT_OUT, self._records)
            self._git.run("rm", "-r", "--force", "--cached", "--quiet", "--ignore-unmatch", "--", *gone, index=index)
            if branches.branch and self._git.holds("cat-file", "-e", f"{branches.branch}:{self._records}"):
                place = f"--prefix={self._records}/"
                self._git.run("read-tree", place, f"{branches.branch}:{self._records}", index=index)
            put(self._git, index, branches.source, {path: text.encode() for path, text in files.items()})
            return self._git.run("write-tree", index=index).text


def _sides(
    key: str,
    source: Mapping[str, WeightLines],
    branch: Mapping[str, WeightLines],
    before: SourceDocument | None,
    rollouts: list[RolloutState],
) -> Sides:
    return Sides(
        source=source.get(key),
        synced=before.weights.get(key) if before else None,
        branch=branch.get(key),
        left=tuple(_left(state) for state in rollouts if state.is_over),
        is_open=any(not state.is_over for state in rollouts),
    )


def _left(state: RolloutState) -> WeightLines:
    """The lines with which a rollout that has ended left the stack file."""
    return WeightLines(split=state.weights, stable=state.declared_stable)


def _lines_of(text: str, where: str) -> dict[str, WeightLines]:
    """The lines of each endpoint in a stack file."""
    try:
        content = read_yaml(text.removeprefix("\ufeff"))
        keys = list(content["config"]["sluice:rollout"] or {})
    except yaml.YAMLError as error:
        raise UsageError(f"{where} cannot be read: {' '.join(str(error).split())}. Correct it.") from error
    except (KeyError, TypeError):
        return {}
    return {key: read_lines(text.removeprefix("\ufeff"), key, where) for key in keys}

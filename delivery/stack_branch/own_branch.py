"""A stack's own branch (`sluice:branch`) and the clone in which a command of `sluice ci` works on it."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from command_errors import UsageError, expected_code
from delivery.proofs.record_branch import BRANCH, TARGETS, config_of, source_branch
from delivery.releases.commit_tree import commit_tree
from delivery.run.pipeline_world import PipelineWorld
from delivery.stack_branch.checkout import move_to, tip_of
from delivery.stack_branch.record_request import RecordRequest
from delivery.stack_branch.runnable import require_runnable
from delivery.stack_branch.source_document import read
from delivery.stack_branch.sync import Place, StackBranch, Synced
from rollout.declaration.stack_text import WeightLines
from rollout.repository.branch import branch_of
from rollout.repository.git import NETWORK_SECONDS, Git
from rollout.repository.remote import Remote
from rollout.session.session import Say
from stacks.file import stack_file_path

AFTER = "sluice:after"
ENVIRONMENT = ".venv"


@dataclass(frozen=True)
class OwnBranch:
    """The branch of one stack, and the clone that is on it or on the source branch."""

    world: PipelineWorld
    stack: str
    name: str
    """The branch."""
    say: Say
    """Tells people one line."""

    @cached_property
    def _git(self) -> Git:
        return Git(self.world.root, self.world.variables)

    @cached_property
    def source_branch(self) -> str:
        """Where people merge: a pull request's target, what the stack's branch carries, or what is checked out."""
        if any(self.world.variables.get(name) for name in TARGETS):
            return source_branch(self._git, self.world.variables)
        current = branch_of(self._git, self.world.variables)
        document = read(self.world.root, self.stack) if current == self.name else None
        return document.branch if document else current

    @cached_property
    def _branch(self) -> StackBranch:
        stack = self.stack
        return StackBranch(
            self._git, self._place(), lambda folder: require_runnable(folder, stack), lambda: int(time.time())
        )

    def sync(self) -> Synced:
        """Let the branch take over what the source branch has. Raises as `StackBranch.sync` does."""
        synced = self._branch.sync()
        if synced.is_new:
            self.say(f"{self.name} has {self.source_branch} at {synced.document.commit[:12]}")
        return synced

    def enter_synced(self) -> None:
        """Sync, and move the checkout to the branch.

        If the branch cannot take over what the source branch has, the checkout moves to what it has: its rollouts need
        their ticks. The first look at the branch tries again, and counts the reason.
        """
        try:
            tip = self.sync().tip
        except Exception as error:
            there = Remote(self._git).fetch(self.name, NETWORK_SECONDS) if expected_code(error) is not None else None
            if there is None:
                raise
            tip = there
        self._move_to(tip)

    def enter(self) -> None:
        """Move the checkout to the branch as it is on origin."""
        self._move_to(tip_of(self._git, self.name, NETWORK_SECONDS))

    def _move_to(self, tip: str) -> None:
        """Check the branch out; start this command again if that changes the program."""
        assert self.source_branch  # before the move
        if move_to(self._git, self.name, tip):
            self.say("the program differs on the stack's branch: starting again with it")
            sys.stdout.flush()
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])

    def mark_deployed(self) -> bool:
        """Note on the branch that the commit which is checked out is deployed; whether the branch has moved by that."""
        document = read(self.world.root, self.stack)
        return document is not None and not document.deployed and self._branch.mark_deployed(document.commit).is_new

    @contextlib.contextmanager
    def merged(self) -> Iterator[Path]:
        """The project as the branch would be after a sync of what is checked out, in a temporary worktree.

        It is the current folder meanwhile. Raises as a sync does.
        """
        commit = self._branch.commit_of(self._git.text("rev-parse", "HEAD"))
        before = os.getcwd()
        with commit_tree(self.world.root, commit) as folder:
            (folder / ENVIRONMENT).symlink_to(self.world.root / ENVIRONMENT)
            os.chdir(folder)
            try:
                yield folder
            finally:
                os.chdir(before)

    def propose(self, left: Mapping[str, WeightLines]) -> None:
        """Open or update the pull request that writes what ended rollouts left into the source branch."""
        if self.world.server is None:
            return
        request = RecordRequest(self._git, self.world.server, stack=self.stack, source_branch=self.source_branch)
        opened = request.publish(left)
        if opened is not None:
            self.say(f"the weights for {self.source_branch}: {opened.url}")

    def _place(self) -> Place:
        from resource_manager.client import ArmClient
        from stacks.names import read_names

        settings, names = read_names(self.stack)
        after = None
        if settings.after is not None:
            branch = branch_named(settings.after)
            if branch is None:
                raise UsageError(
                    f"{AFTER} names {settings.after}, whose Pulumi.{settings.after}.yaml sets no {BRANCH}. "
                    f"Set it there, or remove {AFTER} from Pulumi.{self.stack}.yaml."
                )
            after = (settings.after, branch)
        return Place(
            stack=self.stack,
            source_branch=self.source_branch,
            stack_branch=self.name,
            subscription=names.subscription_id,
            arm_host=ArmClient().base_url.partition("://")[2],
            after=after,
        )


def branch_named(stack: str) -> str | None:
    """The branch that a stack's file names as its own; None if it names none or cannot be read."""
    file = stack_file_path(stack).with_name(f"Pulumi.{stack}.yaml")
    named = config_of(file.read_bytes() if file.is_file() else None).get(BRANCH)
    return str(named) if named else None


def own_branch(world: PipelineWorld, stack: str, say: Say) -> OwnBranch | None:
    """The stack's own branch, None without `sluice:branch`. Raises UsageError for a project below its repository."""
    name = branch_named(stack)
    if name is None:
        return None
    top = Git(world.root, world.variables).text("rev-parse", "--show-toplevel")
    if not world.root.samefile(top):
        raise UsageError(
            f"sluice:branch needs the project at the top of its repository, {top}, and it is in {world.root}. Remove "
            f"the key from Pulumi.{stack}.yaml, or move the project."
        )
    return OwnBranch(world, stack, name, say)


def enter_own_branch(world: PipelineWorld, stack: str, say: Say) -> OwnBranch | None:
    """Move the checkout to the stack's own branch, if it has one, as it is there."""
    own = own_branch(world, stack, say)
    if own is not None:
        own.enter()
    return own

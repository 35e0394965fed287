"""Where a stack is in Azure, as its branch on the remote says: a rollout elsewhere proves nothing for the stack.

On a branch of the stack's own, `source.json` says it. On the source branch, Resource Manager's host is the one that
this shell works against, and the subscription is the one in the stack file or, if the file names none, that of the
stack's rollout before (ADR 32). Pure but for the files that `BranchTip` reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from delivery.proofs.record_branch import config_of
from delivery.stack_branch.source_document import parse, path_of
from record_folders import FOLDER
from rollout.record.chain import read_lines
from rollout.record.event import Kind

SUBSCRIPTION = "azure-native:subscriptionId"


class Files(Protocol):
    """The tip of the branch that has the stack's records; see `remote_records.BranchTip`."""

    @property
    def branch(self) -> str:
        """Its name."""

    @property
    def tip(self) -> str:
        """Its commit."""

    def read(self, path: str) -> bytes | None:
        """The content of a file; None if there is none."""

    def rollouts(self, stack: str) -> tuple[tuple[str, str], ...]:
        """Id and endpoint of every rollout that has a record, oldest first."""


@dataclass(frozen=True, kw_only=True)
class StackPlace:
    """Where a stack is. `subscription` is None if neither its file nor a rollout before says it."""

    subscription: str | None
    arm_host: str


def place_of(files: Files, stack: str, arm_host: str, *, before: str) -> StackPlace:
    """Return the place; `arm_host` is this shell's Resource Manager, `before` the id of the rollout to be judged.

    Raises UsageError for a broken `source.json`.
    """
    source = files.read(path_of(stack))
    if source is not None:
        document = parse(source.decode(errors="replace"), f"{path_of(stack)} on {files.branch}")
        return StackPlace(subscription=document.subscription, arm_host=document.arm_host)
    named = config_of(files.read(f"Pulumi.{stack}.yaml")).get(SUBSCRIPTION)
    subscription = named if isinstance(named, str) else _subscription_before(files, stack, arm_host, before)
    return StackPlace(subscription=subscription, arm_host=arm_host)


def _subscription_before(files: Files, stack: str, arm_host: str, rollout: str) -> str | None:
    """That of the stack's last rollout before this one, on any endpoint, in the same Azure."""
    for one, endpoint in reversed(files.rollouts(stack)):
        if one >= rollout:
            continue
        events = read_lines(files.read(f"{FOLDER}/{stack}/{endpoint}/{one}.jsonl") or b"", one).events
        started = events[0].data if events and events[0].kind is Kind.STARTED else {}
        if str(started.get("arm_host")).lower() == arm_host.lower() and started.get("subscription"):
            return str(started["subscription"])
    return None

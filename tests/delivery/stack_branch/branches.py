"""A stack's branch in real git repositories."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from delivery.stack_branch.sync import Place, StackBranch
from rollout.repository.git import Git
from tests.rollout.repository.clones import Checkout, Remote

PLACE = Place(
    stack="prod",
    source_branch="main",
    stack_branch="sluice/prod",
    subscription="00000000-0000-0000-0000-000000000001",
    arm_host="management.azure.com",
)
STACK = """\
# prod
config:
  sluice:rollout:
    fraud-detection: {stable: blue, traffic: {blue: 100}}  # moved by the controller
"""
CANARY = STACK.replace("{blue: 100}", "{blue: 90, green: 10}")
BY_HAND = STACK.replace("{blue: 100}", "{blue: 50, green: 50}")
NOON = 1795780800
NAME = "rollouts/prod/fraud-detection/20261127T140000Z-green.jsonl"


def branch_in(
    checkout: Checkout, place: Place = PLACE, check: Callable[[Path], None] = lambda folder: None, now: int = NOON
) -> StackBranch:
    return StackBranch(Git(checkout.path, checkout.environment), place, check, lambda: now)


def on_branch(remote: Remote, path: str) -> str:
    return remote.git("show", f"sluice/prod:{path}")

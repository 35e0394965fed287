"""What a change of weights works with, on one endpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rollout.change.engine_lock import PatientEngine
from rollout.declaration.stack_file import StackFile
from rollout.events import ENDPOINT_TYPE
from rollout.people.actor import Actor
from rollout.ports import Azure, Clock, EngineLocks, Repository


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The ports of one endpoint. `endpoint_name` is its name in Azure."""

    endpoint_name: str
    engine: PatientEngine
    locks: EngineLocks
    azure: Azure
    stack_file: StackFile
    repository: Repository
    clock: Clock
    actor: Actor
    say: Callable[[str], None]


def endpoint_urn(project: str, stack: str, key: str) -> str:
    """Return the engine's URN of an endpoint. `**` stands for the types of its parents; the engine matches it."""
    return f"urn:pulumi:{stack}::{project}::**{ENDPOINT_TYPE}::{key}-endpoint"

"""What a change of weights works with, on one endpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rollout.change.engine_lock import PatientEngine
from rollout.declaration.stack_file import StackFile
from rollout.events import ENDPOINT_TYPE
from rollout.people.actor import Actor
from rollout.ports import Autoscale, Azure, Clock, EngineLocks, Repository


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The ports of one endpoint. `endpoint_name` is its name in Azure."""

    endpoint_name: str
    engine: PatientEngine
    locks: EngineLocks
    azure: Azure
    autoscale: Autoscale
    stack_file: StackFile
    repository: Repository
    clock: Clock
    actor: Actor
    say: Callable[[str], None]


def autoscale_name(key: str, colour: str) -> str:
    """Return the engine's name of a colour's autoscale setting (components/online_deployment.py, autoscale.py)."""
    return f"{key}-{colour}-autoscale-setting"


def deployment_name(key: str, colour: str) -> str:
    """Return the engine's name of a colour's deployment."""
    return f"{key}-{colour}-deployment"


def urn_of(project: str, stack: str, type_: str, name: str) -> str:
    """Return the URN of a resource by the end of its type and its name; `**` as for an endpoint."""
    return f"urn:pulumi:{stack}::{project}::**{type_}::{name}"


def endpoint_urn(project: str, stack: str, key: str) -> str:
    """Return the engine's URN of an endpoint. `**` stands for the types of its parents; the engine matches it."""
    return urn_of(project, stack, ENDPOINT_TYPE, f"{key}-endpoint")
